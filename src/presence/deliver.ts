/** Takes what waits in the outbox to the store: in order, all of it, however long it took. Decides nothing about when. */
import type { HostId } from '../model/ids.ts';
import type { Transition } from '../model/presence.ts';
import { printable } from '../model/printable.ts';
import type { LastingTrouble, Trouble } from '../model/trouble.ts';
import { trouble } from '../model/trouble.ts';
import type { Delivery, Outbox, Own, StoreKey } from './outbox.ts';
import type { Contender, Outgoing, StatusStore } from './store.ts';

/** Transitions of one push: after days without a network nothing is to become too large. */
const AT_ONCE = 50;
/** From here on even one was too much, with its log. */
const TOO_LARGE_MAX = 6;

export type DeliveryAnswer =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'delivered'; readonly transitions: number; readonly isAll: boolean }
  | { readonly kind: 'failed'; readonly trouble: Trouble };

/** One push. Only for the holder of the delivery's lock. */
export async function deliverOnce(
  outbox: Outbox,
  target: { readonly key: StoreKey; readonly store: StatusStore },
  o: { readonly now: () => number; readonly signal: AbortSignal },
): Promise<DeliveryAnswer> {
  const own = outbox.own();
  const before = outbox.delivery(target.key);
  if (own === null || own.sequence <= before.sequence) return { kind: 'nothing' };
  const waiting = outbox.waiting().filter((one) => one.sequence > before.sequence);
  const transitions = fitting(waiting, before);
  const isAll = transitions.length === waiting.length;
  const out = {
    ...outgoing(own, transitions, isAll, own.leftOut - before.leftOut),
    isNews: isAll && (own.movedAt ?? 0) > before.sequence,
  };
  const answer = await target.store.publish(out, o.signal);
  if (o.signal.aborted && !answer.ok) return { kind: 'failed', trouble: answer.trouble };
  if (!answer.ok) return failed(outbox, target.key, before, answer.trouble, o.now());
  if (answer.value.kind === 'conflict')
    return failed(
      outbox,
      target.key,
      before,
      conflictTrouble(answer.value.contender, own.content.host),
      o.now(),
    );
  const { contender } = answer.value;
  if (isAll) for (const name of own.formerly ?? []) await target.store.leave?.(name, o.signal);
  outbox.setDelivery(target.key, {
    version: 1,
    sequence: isAll ? own.sequence : transitions.at(-1)!.sequence,
    deliveredAt: o.now(),
    leftOut: own.leftOut,
    trouble: null,
    conflict: contender === null ? null : describeContender(contender, own.content.host),
  });
  return { kind: 'delivered', transitions: transitions.length, isAll };
}

/** What the server calls too large goes in smaller parts, in the end without its logs: better than never. */
function fitting(waiting: readonly Transition[], { trouble: before }: Delivery): readonly Transition[] {
  const tooLarge = before?.code === 'limit' ? before.count : 0;
  const part = waiting.slice(0, Math.max(1, AT_ONCE >> Math.min(tooLarge, TOO_LARGE_MAX)));
  return tooLarge < TOO_LARGE_MAX ? part : part.map((one) => ({ ...one, log: null }));
}

/** Is it too early to try again? For processes that come and go, which else would all wait for a server that is away. */
export function isResting({ trouble: before, triedAt }: Delivery, heartbeatMs: number, now: number): boolean {
  if (before === null || triedAt === undefined || now < triedAt) return false;
  const restMs = REST_FIRST_MS * 2 ** Math.min(before.count - 1, 10);
  return now - triedAt < Math.min(restMs, REST_MAX_MS, heartbeatMs);
}

const REST_FIRST_MS = 30_000;
const REST_MAX_MS = 5 * 60_000;

function outgoing(own: Own, transitions: readonly Transition[], isAll: boolean, leftOut: number): Outgoing {
  const { host, id, bootId } = own.content;
  const [first, ...others] = transitions;
  const told =
    first === undefined || leftOut === 0
      ? transitions
      : [
          { ...first, subject: printable(`(after ${leftOut} that are left out) ${first.subject}`, 197) },
          ...others,
        ];
  const presence = isAll ? own.signed : transitions.at(-1)!.presence;
  return { host, id: id as HostId, bootId, transitions: told, presence };
}

function failed(
  outbox: Outbox,
  key: StoreKey,
  before: Delivery,
  problem: Trouble,
  now: number,
): DeliveryAnswer {
  const isSame = before.trouble?.code === problem.code;
  const lasting: LastingTrouble = {
    ...problem,
    since: isSame ? before.trouble!.since : now,
    count: isSame ? before.trouble!.count + 1 : 1,
  };
  const conflict = problem.code === 'identity-conflict' ? problem.message : before.conflict;
  outbox.setDelivery(key, { ...before, trouble: lasting, triedAt: now, conflict });
  return { kind: 'failed', trouble: problem };
}

function conflictTrouble(contender: Contender, host: string): Trouble {
  return trouble('identity-conflict', describeContender(contender, host), {
    hint: 'give one of the two another `name` in host.yaml; a copy of a machine needs host-id and keys removed from its state folder',
  });
}

/** One sentence about the other machine. */
export function describeContender(contender: Contender, host: string): string {
  const where =
    contender.addresses.length === 0 ? '' : ` at ${printable(contender.addresses.join(', '), 100)}`;
  return `another machine${where} publishes under the name ${host}`;
}
