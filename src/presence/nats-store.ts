/**
 * The status on NATS servers: presences in a key-value bucket, where the entry of a host that stops goes by itself, transitions in a stream.
 * While the servers are away everything here is a trouble, and the agent goes on as if they had never been there.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { NatsConfig } from '../model/host.ts';
import { fail, ok, trouble } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import { readNatsHistory } from './nats-history.ts';
import { openNatsLink } from './nats-link.ts';
import { isNatsName } from './nats-names.ts';
import { createNatsPublisher } from './nats-publish.ts';
import { createNatsReader } from './nats-read.ts';
import type { StatusStore } from './store.ts';

export interface NatsStoreOptions {
  /** Something of its own is kept below it; it can be lost. */
  readonly folder: string;
  /** Of this host: the bucket keeps an entry for three of them. */
  readonly heartbeatMs: number;
  readonly clock: Clock;
}

export function createNatsStore(config: NatsConfig, o: NatsStoreOptions): StatusStore {
  const link = openNatsLink(config, o.clock);
  const digest = createHash('sha256').update(config.servers.join(' ')).digest('hex').slice(0, 12);
  const publisher = createNatsPublisher({ ...o, folder: join(o.folder, digest) });
  const reader = createNatsReader(link, o.clock);
  let last: Promise<unknown> = Promise.resolve();
  return {
    name: link.name,
    publish(out, signal) {
      // One after the other: the second goes on from what the first knows.
      const next = last.then(() =>
        link.use('to take what this host tells', (session) => publisher.publish(session, out), signal),
      );
      last = next.catch(() => {});
      return next;
    },
    async leave(name, signal) {
      await link.use('to forget a name', (session) => publisher.leave(session, name), signal);
    },
    hasNews: () => reader.hasNews(),
    read: (signal) => reader.read(signal),
    async history(host, limit, signal) {
      if (!isNatsName(host))
        return fail(trouble('config', 'expected the name of a host, found another text'));
      if (limit < 1) return ok([]);
      return link.use('to tell what happened', (session) => readNatsHistory(session, host, limit), signal);
    },
    watch: (onNews) => reader.watch(onNews),
    async close() {
      reader.close();
      await link.close();
    },
  };
}
