/** How far what this host has to tell has arrived, for `status` and the doctor. Reads files only; needs no lock. */
import type { StatusConfig } from '../model/host.ts';
import type { LastingTrouble } from '../model/trouble.ts';
import { readDelivery, readOwn, type StoreKey, waitingAfter } from '../presence/outbox.ts';
import type { Paths } from '../system/paths.ts';
import { statusFolder } from './status-folder.ts';

export interface DeliveryState {
  readonly store: StoreKey;
  /** For people: where to. */
  readonly name: string;
  /** Milliseconds since 1970; null before the first. */
  readonly deliveredAt: number | null;
  /** Lines that wait to be delivered. A presence alone is no line. */
  readonly waiting: number;
  /** When the newest presence was made; null before the first. */
  readonly madeAt: number | null;
  readonly trouble: LastingTrouble | null;
  /** Another machine publishes under our name. */
  readonly conflict: string | null;
}

/** @param config null: nothing is published. */
export function readDeliveries(paths: Pick<Paths, 'state'>, config: StatusConfig | null): DeliveryState[] {
  if (config === null) return [];
  const folder = statusFolder(paths);
  const own = readOwn(folder);
  const stores: [StoreKey, readonly string[]][] = [
    ['git', config.shards],
    ['nats', config.nats?.servers ?? []],
  ];
  return stores
    .filter(([, urls]) => urls.length > 0)
    .map(([store, urls]) => {
      const delivery = readDelivery(folder, store);
      return {
        store,
        name: urls.join(', '),
        deliveredAt: delivery?.deliveredAt ?? null,
        waiting: waitingAfter(folder, delivery?.sequence ?? 0),
        madeAt: own?.madeAt ?? null,
        trouble: delivery?.trouble ?? null,
        conflict: delivery?.conflict ?? null,
      };
    });
}
