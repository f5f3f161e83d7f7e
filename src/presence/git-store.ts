/**
 * The status in a git repository, of any server. Of each host there is a branch `hosts/HOST`, which grows by one commit per transition, and
 * a branch `presence/HOST`, which is replaced at each heartbeat. There is no clone and no git process: commits are made and read here, and
 * travel in the words of git's own protocol.
 */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createTalk, type Talk, type TalkOptions } from '../git/talk.ts';
import type { AccessSettings } from '../model/repo.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import { readTransitions } from './git-commits.ts';
import { createPublisher } from './git-publish.ts';
import { createReader } from './git-read.ts';
import { HOSTS, isRefName } from './git-refs.ts';
import { createShardedStore } from './sharded-store.ts';
import type { HistoryEntry, StatusStore } from './store.ts';

export interface GitStoreOptions {
  readonly access: AccessSettings;
  /** Each repository has a folder of its own in it. What is in there can be lost: see `Ledger`. */
  readonly folder: string;
  /** Our own environment: proxies, HOME and PATH for credential helpers, SSH_AUTH_SOCK. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of kept ssh connections; null: none. */
  readonly sshFolder: string | null;
  readonly limits: TalkOptions['limits'];
  readonly clock: Clock;
  /** Milliseconds since boot, with the time asleep. */
  readonly uptime?: () => number;
}

const HISTORY_MAX = 500;
const HISTORY_LIMITS = { packMaxBytes: 24 * 1024 * 1024, objectMaxBytes: 256 * 1024 } as const;

/** @param remote One status repository, or the shards in their order. */
export function createGitStore(remote: string | readonly string[], o: GitStoreOptions): StatusStore {
  const remotes = typeof remote === 'string' ? [remote] : remote;
  return createShardedStore(remotes.map((one) => createOneStore(one, o)));
}

function createOneStore(remote: string, o: GitStoreOptions): StatusStore {
  const folder = join(o.folder, createHash('sha256').update(remote).digest('hex').slice(0, 12));
  const talks: Talk[] = [];
  const options: TalkOptions = { ...o, now: () => o.clock.now() };
  // Each with a connection of its own: neither a long list nor a slow push holds up the others.
  const talk = () => {
    const made = createTalk(remote, options);
    talks.push(made);
    return made;
  };
  const made = lazily(() => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const reading = talk();
    return {
      reading,
      publisher: createPublisher({ name: remote, talk: talk(), folder, clock: o.clock }),
      reader: createReader({
        name: remote,
        talk: reading,
        quick: talk(),
        folder,
        clock: o.clock,
        ...(o.uptime === undefined ? {} : { uptime: o.uptime }),
      }),
    };
  });
  const inTurn = { publish: createTurn(), read: createTurn(), news: createTurn() };

  async function history(
    host: string,
    limit: number,
    signal?: AbortSignal,
  ): Promise<Result<readonly HistoryEntry[]>> {
    if (!isRefName(host)) return fail(trouble('config', 'expected the name of a host, found another text'));
    const { reading } = made();
    const listed = await reading.list([HOSTS + host], signal);
    if (!listed.ok) return listed;
    const tip = listed.value.refs[0]?.id;
    if (tip === undefined) return ok([]);
    const depth = Math.max(1, Math.min(limit, HISTORY_MAX));
    const q = { wants: [tip], depth, blobMaxBytes: HISTORY_LIMITS.objectMaxBytes };
    const fetched = await reading.fetch(q, HISTORY_LIMITS, signal);
    return fetched.ok ? ok(readTransitions(fetched.value, tip, listed.value.format, depth)) : fetched;
  }

  return {
    name: remote,
    publish: (out, signal) => inTurn.publish(() => made().publisher.publish(out, signal)),
    leave: (name, signal) => inTurn.publish(() => made().publisher.leave(name, signal)),
    hasNews: (signal) => inTurn.news(() => made().reader.hasNews(signal)),
    read: (signal) => inTurn.read(() => made().reader.read(signal)),
    history: (host, limit, signal) => inTurn.read(() => history(host, limit, signal)),
    watch: null,
    async close() {
      for (const one of talks) one.close();
    },
  };
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** One after the other: a connection carries one question at a time. */
function createTurn(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work);
    last = next.catch(() => {});
    return next;
  };
}
