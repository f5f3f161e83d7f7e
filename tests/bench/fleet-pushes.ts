/** How many times a second hosts can publish into one store in which many others are. Light clients: the store itself, no agent. */
import { join } from 'node:path';
import type { Transition } from '../../src/model/presence.ts';
import type { Outgoing, StatusStore } from '../../src/presence/store.ts';
import type { SignedHost } from './fleet-repository.ts';

/** Per second, all clients together. */
export interface PushRates {
  /** Presences alone. */
  readonly heartbeats: number;
  /** Each with a line for the history, after which everybody looks. */
  readonly transitions: number;
}

export interface PushOptions {
  /** The store of one host, with what it remembers in a folder of its own. */
  readonly open: (folder: string) => StatusStore;
  readonly presence: (host: string) => SignedHost;
  readonly folder: string;
  readonly clients: number;
  /** For each of the two. */
  readonly windowMs: number;
}

export async function measurePushes(o: PushOptions): Promise<PushRates> {
  const clients = Array.from({ length: o.clients }, (_, n) => {
    const host = `client-${n + 1}`;
    return { host, store: o.open(join(o.folder, host)) };
  });
  const publish = async ({ host, store }: (typeof clients)[number], isTransition: boolean) => {
    const answer = await store.publish(outgoing(o.presence(host), isTransition));
    if (!answer.ok) throw new Error(answer.trouble.message);
    if (answer.value.kind !== 'published') throw new Error(`another machine holds the name ${host}`);
  };
  const rate = async (isTransition: boolean) => {
    const begun = performance.now();
    let done = 0;
    const work = async (client: (typeof clients)[number]) => {
      while (performance.now() - begun < o.windowMs) {
        await publish(client, isTransition);
        done += 1;
      }
    };
    await Promise.all(clients.map(work));
    return done / ((performance.now() - begun) / 1000);
  };
  try {
    // The first one finds out what is there.
    await Promise.all(clients.map((client) => publish(client, true)));
    const heartbeats = await rate(false);
    return { heartbeats, transitions: await rate(true) };
  } finally {
    await Promise.all(clients.map(({ store }) => store.close()));
  }
}

export function outgoing(presence: SignedHost, isTransition: boolean): Outgoing {
  const { host, id, bootId, sequence } = presence;
  const transition: Transition = {
    sequence,
    at: Date.now(),
    subject: 'shop ok at 3f2a91c in 3.2 s',
    presence,
    log: null,
  };
  return { host, id, bootId, transitions: isTransition ? [transition] : [], presence };
}
