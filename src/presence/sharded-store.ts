/** Several stores as one: a host writes to the one that its name hashes to, readers ask all of them side by side. */
import { createHash } from 'node:crypto';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import type { StatusStore, StoredPresence } from './store.ts';

/**
 * Which of `count` stores a host writes to: the first four bytes of the SHA-256 of its name, as a big-endian number, modulo `count`.
 * The same on every host, and for ever: it is part of the configuration's meaning.
 */
export function shardOf(host: string, count: number): number {
  return createHash('sha256').update(host).digest().readUInt32BE(0) % count;
}

/** @param stores At least one, in the order of the configuration. */
export function createShardedStore(stores: readonly StatusStore[]): StatusStore {
  const [first] = stores;
  if (first === undefined) throw new TypeError('expected at least one store');
  if (stores.length === 1) return first;
  const storeOf = (host: string) => stores[shardOf(host, stores.length)]!;

  return {
    name: stores.map((store) => store.name).join(', '),
    publish: (out, signal) => storeOf(out.host).publish(out, signal),
    leave: async (name, signal) => storeOf(name).leave?.(name, signal),
    async hasNews(signal) {
      const answers = await Promise.all(stores.map((store) => store.hasNews(signal)));
      if (answers.some((answer) => answer.ok && answer.value)) return ok(true);
      return answers.find((answer) => !answer.ok) ?? ok(false);
    },
    /** One that cannot be read makes all of it a failure: its hosts are not gone. */
    async read(signal): Promise<Result<readonly StoredPresence[]>> {
      const answers = await Promise.all(stores.map((store) => store.read(signal)));
      const all: StoredPresence[] = [];
      for (const [n, answer] of answers.entries()) {
        if (!answer.ok) return answer;
        // A presence that lies in another shard than its own is an old one, or none of this host.
        for (const one of answer.value) if (shardOf(one.host, stores.length) === n) all.push(one);
      }
      return ok(all);
    },
    async history(host, limit, signal) {
      if (host === '') return fail(trouble('config', 'expected the name of a host, found none'));
      return storeOf(host).history(host, limit, signal);
    },
    watch: null,
    async close() {
      await Promise.all(stores.map((store) => store.close()));
    },
  };
}
