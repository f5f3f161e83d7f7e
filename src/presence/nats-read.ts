/**
 * All presences, kept in memory by a live watch of the bucket: the first reading loads everything, after a broken connection only what
 * changed meanwhile is loaded. An entry that goes by its age is not announced; and who is not renewed is silent for every reader anyway.
 * So nothing is taken away here, but after a long time: what a host said last stays readable.
 */
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { type Clock, delay } from '../system/clock.ts';
import type { KvWatchEntry } from './nats-client.ts';
import type { NatsSession } from './nats-connect.ts';
import type { NatsLink } from './nats-link.ts';
import { parseKey } from './nats-names.ts';
import { findBucket } from './nats-places.ts';
import { contenderOf, isHeartbeat, machineOf, parseValue } from './nats-values.ts';
import type { Contender, StoredPresence } from './store.ts';

export interface NatsReader {
  hasNews(): Promise<Result<boolean>>;
  read(signal?: AbortSignal): Promise<Result<readonly StoredPresence[]>>;
  watch(onNews: () => void): { close(): void };
  close(): void;
}

interface Known {
  readonly stored: Omit<StoredPresence, 'contenders'>;
  /** By our monotonic clock. */
  readonly heardAt: number;
}

interface Claim {
  readonly host: string;
  readonly contender: Contender;
  readonly heardAt: number;
}

const FORGET_AFTER_MS = 30 * 24 * 60 * 60_000;
const CLAIMS_MAX = 1_000;
const HOSTS_MAX = 200_000;
const LOAD_TIMEOUT_MS = 25_000;
const ASK_EVERY_MS = 1_000;
const RETRY_MS = 5_000;

export function createNatsReader(link: NatsLink, clock: Clock): NatsReader {
  const known = new Map<string, Known>();
  const claims = new Map<string, Claim>();
  const listeners = new Set<() => void>();
  const end = new AbortController();
  /** Of the bucket that was read last: where to go on. */
  let place: { created: string; revision: number } | null = null;
  /** Of the bucket. */
  let maxAgeMs = 0;
  /** Until when everything was heard, by the wall clock; null: never. */
  let heardUntil: number | null = null;
  let isNews = true;
  let answer: readonly StoredPresence[] | null = null;
  let sessions: { close(): void } | null = null;
  /** Of the connection that is there: resolves when all is read that was there when it began. */
  let loading: Promise<Result<null>> | null = null;

  const tell = () => {
    isNews = true;
    for (const call of listeners) call();
  };

  const begin = () => {
    sessions ??= link.onSession(start);
  };

  function start(session: NatsSession): void {
    if (session.signal.aborted || end.signal.aborted) return;
    const mine = load(session);
    loading = mine;
    void mine.then((loaded) => (loaded.ok ? null : startLater(session, mine)));
  }

  async function startLater(session: NatsSession, before: Promise<Result<null>> | null): Promise<void> {
    await delay(RETRY_MS * (0.5 + clock.random()), session.signal);
    if (loading === before) start(session);
  }

  async function load(session: NatsSession): Promise<Result<null>> {
    let stop: (() => void) | null = null;
    session.signal.addEventListener('abort', () => {
      heardUntil = clock.now();
      loading = null;
      stop?.();
    });
    return link.use('to tell of the hosts', async (live) => {
      if (live !== session) return fail(lost(link.name));
      let bucket = await findBucket(session);
      if (bucket === null) {
        void waitForBucket(session);
        return ok(null);
      }
      if (place?.created !== bucket.created) {
        place = { created: bucket.created, revision: 0 };
        claims.clear();
      }
      maxAgeMs = bucket.maxAgeMs;
      const from = place.revision;
      const caughtUp = new AbortController();
      const iterator = await bucket.kv.watch({
        key: '>',
        ...(from === 0 ? {} : { resumeFromRevision: from + 1 }),
      });
      stop = () => iterator.stop();
      if (end.signal.aborted) stop();
      const backlog: KvWatchEntry[] = [];
      let isLive = false;
      const goLive = () => {
        if (isLive) return;
        isLive = true;
        takeBacklog(backlog);
        tell();
        caughtUp.abort();
      };
      void (async () => {
        for await (const entry of iterator) {
          if (place !== null) place.revision = Math.max(place.revision, entry.revision);
          if (isLive) takeLive(entry);
          else backlog.push(entry);
          if (!isLive && (entry.delta ?? 0) === 0) goLive();
        }
      })()
        .catch(() => {})
        .finally(() => {
          // Ended while the connection lives: whatever it was, it is begun anew.
          void startLater(session, loading);
        });
      while (!isLive) {
        // What was still there a moment ago may have gone by its age: then nothing of it comes.
        const isThrough =
          bucket === null || bucket.entries === 0 || bucket.lastRevision <= (place?.revision ?? 0);
        if (isThrough) goLive();
        else await delay(ASK_EVERY_MS, caughtUp.signal);
        if (!isLive) bucket = await findBucket(session);
      }
      return ok(null);
    });
  }

  /** Nobody has published yet. */
  async function waitForBucket(session: NatsSession): Promise<void> {
    while (!session.signal.aborted && !end.signal.aborted) {
      await delay(ASK_EVERY_MS * (1 + clock.random()), session.signal);
      if (session.signal.aborted || end.signal.aborted) return;
      const found = await findBucket(session).catch(() => null);
      if (found === null) continue;
      return start(session);
    }
  }

  /** Stored before we came: when, is told by the server's clock. What it stored last is no younger than now, by whichever clock. */
  function takeBacklog(entries: readonly KvWatchEntry[]): void {
    const now = clock.now();
    const newest = Math.max(...entries.map((entry) => entry.created.getTime()), 0);
    for (const entry of entries) {
      const ageMs = newest - entry.created.getTime();
      take(entry, { notBefore: known.has(hostOf(entry)) ? heardUntil : null, notAfter: now - ageMs }, ageMs);
    }
  }

  function takeLive(entry: KvWatchEntry): void {
    const now = clock.now();
    if (take(entry, { notBefore: now, notAfter: now }, 0)) tell();
  }

  /** @returns whether it is more than a heartbeat. */
  function take(entry: KvWatchEntry, seen: StoredPresence['seen'], ageMs: number): boolean {
    const key = parseKey(entry.key);
    if (key === null) return false;
    answer = null;
    const signed = entry.operation === 'PUT' ? parseValue(entry.string()) : null;
    const heardAt = clock.monotonic() - ageMs;
    if (key.kind === 'claim') {
      if (signed === null) return claims.delete(entry.key);
      const isFirst = !claims.has(entry.key);
      if (claims.size < CLAIMS_MAX || !isFirst)
        claims.set(entry.key, { host: key.host, contender: contenderOf(machineOf(signed)), heardAt });
      return isFirst;
    }
    if (signed === null) return known.delete(key.host);
    const before = known.get(key.host);
    if (before === undefined && known.size >= HOSTS_MAX) return false;
    const stored = { host: key.host, ...signed, token: `${entry.revision}`, seen };
    known.set(key.host, { stored, heardAt });
    return (
      before === undefined ||
      !isHeartbeat(before.stored.text, signed.text) ||
      (maxAgeMs > 0 && heardAt - before.heardAt >= maxAgeMs)
    );
  }

  function answerNow(): readonly StoredPresence[] {
    const now = clock.monotonic();
    for (const [host, one] of known) {
      if (now - one.heardAt <= FORGET_AFTER_MS) continue;
      known.delete(host);
      answer = null;
    }
    for (const [key, claim] of claims) {
      if (maxAgeMs === 0 || now - claim.heardAt <= maxAgeMs) continue;
      claims.delete(key);
      answer = null;
    }
    if (answer !== null) return answer;
    const contenders = new Map<string, Contender[]>();
    for (const { host, contender } of claims.values())
      contenders.set(host, [...(contenders.get(host) ?? []), contender]);
    answer = [...known.values()].map(({ stored }) => ({
      ...stored,
      contenders: contenders.get(stored.host) ?? [],
    }));
    return answer;
  }

  return {
    async hasNews() {
      begin();
      const problem = link.trouble();
      return problem === null ? ok(isNews) : fail(problem);
    },
    async read(signal) {
      begin();
      const loaded = await link.use(
        'to tell of the hosts',
        async () => (await loadingNow(signal)) ?? ok(null),
        signal,
      );
      if (!loaded.ok) return loaded;
      isNews = false;
      return ok(answerNow());
    },
    watch(onNews) {
      listeners.add(onNews);
      begin();
      return { close: () => void listeners.delete(onNews) };
    },
    close() {
      end.abort();
      sessions?.close();
      listeners.clear();
    },
  };

  async function loadingNow(signal?: AbortSignal): Promise<Result<null>> {
    const over = new AbortController();
    const limit = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
    const late = delay(LOAD_TIMEOUT_MS, limit).then(() => fail(lost(link.name)));
    try {
      return loading === null ? fail(lost(link.name)) : await Promise.race([loading, late]);
    } finally {
      over.abort();
    }
  }
}

function hostOf(entry: KvWatchEntry): string {
  return parseKey(entry.key)?.host ?? '';
}

function lost(name: string) {
  return trouble('silent', `expected ${name} to tell of the hosts, found silence`, { remote: name });
}
