/**
 * All presences, kept in memory by a live watch of the bucket: the first reading loads everything, after a broken connection only what
 * changed meanwhile is loaded. An entry that goes by its age is not announced; and who is not renewed is silent for every reader anyway.
 * So nothing is taken away here, but after a long time: what a host said last stays readable.
 */
import { uptime } from 'node:os';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { type Clock, delay, readBootId } from '../system/clock.ts';
import type { KvWatchEntry } from './nats-client.ts';
import type { NatsSession } from './nats-connect.ts';
import { readGone } from './nats-gone.ts';
import type { NatsLink } from './nats-link.ts';
import { parseKey } from './nats-names.ts';
import { findBucket } from './nats-places.ts';
import { contenderOf, isHeartbeat, machineOf, parseValue } from './nats-values.ts';
import type { Contender, StoredPresence } from './store.ts';
import { clockJump, endOutage, type Instant, type Unseen } from './unseen-time.ts';

export interface NatsReader {
  hasNews(): Promise<Result<boolean>>;
  read(signal?: AbortSignal): Promise<Result<readonly StoredPresence[]>>;
  watch(onNews: () => void): { close(): void };
  close(): void;
}

interface Known {
  /** The same object as long as nothing of it changes. */
  readonly stored: StoredPresence;
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
const CHECK_EVERY_MS = 30_000;
const SWEEP_EVERY_MS = 60 * 60_000;
const NONE: readonly Contender[] = [];

export function createNatsReader(link: NatsLink, clock: Clock): NatsReader {
  const bootId = readBootId();
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
  /** Counts the times that it was begun; what belongs to an earlier one does nothing any more. */
  let generation = 0;
  let stopWatching = () => {};
  /** Of the first load: hosts that somebody took away. */
  const removed = new Set<string>();
  let hasAskedForGone = false;
  let checkedAt = Number.NEGATIVE_INFINITY;
  let sweptAt = clock.monotonic();
  let unseen: readonly Unseen[] = [];
  let instant: Instant | null = null;

  const tell = () => {
    isNews = true;
    for (const call of listeners) call();
  };

  const begin = () => {
    sessions ??= link.onSession((session) => {
      session.signal.addEventListener('abort', () => {
        if (loading === null) return;
        heardUntil ??= clock.now();
        loading = null;
        stopWatching();
      });
      start(session);
    });
  };

  function start(session: NatsSession): void {
    if (session.signal.aborted || end.signal.aborted) return;
    generation += 1;
    const mine = generation;
    stopWatching();
    loading = load(session, mine);
    void loading.then((loaded) => (loaded.ok ? null : startLater(session, mine)));
  }

  async function startLater(session: NatsSession, mine: number): Promise<void> {
    await delay(RETRY_MS * (0.5 + clock.random()), session.signal);
    if (generation === mine) start(session);
  }

  /** Somebody removed the bucket, or made it anew: a watch may wait for ever then. Asked now and then. */
  async function checkBucket(session: NatsSession): Promise<void> {
    const now = clock.monotonic();
    if (place === null || now - checkedAt < CHECK_EVERY_MS) return;
    checkedAt = now;
    const bucket = await findBucket(session);
    if (bucket === null || bucket.created !== place.created) start(session);
  }

  async function load(session: NatsSession, mine: number): Promise<Result<null>> {
    return link.use('to tell of the hosts', async (live) => {
      if (live !== session) return fail(lost(link.name));
      let bucket = await findBucket(session);
      if (bucket === null) {
        place = null;
        void waitForBucket(session, mine);
        return ok(null);
      }
      if (place?.created !== bucket.created) {
        place = { created: bucket.created, revision: 0 };
        claims.clear();
      }
      checkedAt = clock.monotonic();
      maxAgeMs = bucket.maxAgeMs;
      const at = place;
      const iterator = await bucket.kv.watch({
        key: '>',
        ...(at.revision === 0 ? {} : { resumeFromRevision: at.revision + 1 }),
      });
      stopWatching = () => iterator.stop();
      if (end.signal.aborted || generation !== mine) iterator.stop();
      const caughtUp = new AbortController();
      const backlog: KvWatchEntry[] = [];
      const goLive = () => {
        if (caughtUp.signal.aborted) return;
        takeBacklog(backlog.splice(0));
        caughtUp.abort();
        tell();
      };
      const follow = async () => {
        for await (const entry of iterator) {
          at.revision = Math.max(at.revision, entry.revision);
          if (caughtUp.signal.aborted) takeLive(entry);
          else if (backlog.push(entry) > 0 && (entry.delta ?? 0) === 0) goLive();
        }
      };
      // Should it end while the connection lives: whatever it was, it is begun anew.
      void follow()
        .catch(() => {})
        .finally(() => startLater(session, mine));
      while (!caughtUp.signal.aborted) {
        // What was still there a moment ago may have gone by its age: then nothing of it comes.
        if (bucket === null || bucket.entries === 0 || bucket.lastRevision <= at.revision) goLive();
        else await delay(ASK_EVERY_MS, caughtUp.signal);
        if (generation !== mine) break;
        if (!caughtUp.signal.aborted) bucket = await findBucket(session);
      }
      if (!hasAskedForGone) await takeGone(session);
      return ok(null);
    });
  }

  /** Once: from then on we know who was there. */
  async function takeGone(session: NatsSession): Promise<void> {
    const isKnown = (host: string) => known.has(host) || removed.has(host);
    // Who may not read the stream does without.
    const gone = await readGone(session, isKnown, clock).catch(() => null);
    if (gone === null || session.signal.aborted) return;
    hasAskedForGone = true;
    removed.clear();
    for (const stored of gone) {
      if (known.has(stored.host)) continue;
      const ageMs = Math.max(0, clock.now() - stored.seen.notAfter);
      known.set(stored.host, { stored: { ...stored, contenders: NONE }, heardAt: clock.monotonic() - ageMs });
      answer = null;
    }
  }

  /** Nobody has published yet. */
  async function waitForBucket(session: NatsSession, mine: number): Promise<void> {
    for (;;) {
      await delay(ASK_EVERY_MS * (1 + clock.random()), session.signal);
      if (session.signal.aborted || end.signal.aborted || generation !== mine) return;
      const found = await findBucket(session).catch(() => null);
      if (found === null) continue;
      return start(session);
    }
  }

  /** Stored before we came: when, is told by the server's clock. What it stored last is no younger than now, by whichever clock. */
  function takeBacklog(entries: readonly KvWatchEntry[]): void {
    const now = clock.now();
    const newest = entries.reduce((latest, entry) => Math.max(latest, entry.created.getTime()), 0);
    for (const entry of entries) {
      const ageMs = newest - entry.created.getTime();
      take(entry, { notBefore: known.has(hostOf(entry)) ? heardUntil : null, notAfter: now - ageMs }, ageMs);
    }
    // Hosts come back one by one: the time in which we heard nothing makes nobody silent.
    if (heardUntil !== null) unseen = endOutage(unseen, { from: heardUntil, to: now }, now);
    heardUntil = null;
    answer = null;
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
    if (signed === null) {
      if (!hasAskedForGone) removed.add(key.host);
      return known.delete(key.host);
    }
    const before = known.get(key.host);
    if (before === undefined && known.size >= HOSTS_MAX) return false;
    const stored = { host: key.host, ...signed, token: `${entry.revision}`, seen, contenders: NONE };
    known.set(key.host, { stored, heardAt });
    return (
      before === undefined ||
      !isHeartbeat(before.stored.text, signed.text) ||
      (maxAgeMs > 0 && heardAt - before.heardAt >= maxAgeMs)
    );
  }

  /** A clock that was set has aged nobody. */
  function keepTime(): void {
    const now: Instant = { wall: clock.now(), up: uptime() * 1000, bootId };
    const jump = clockJump(instant, now);
    instant = now;
    if (jump === 0) return;
    answer = null;
    if (jump > 0) unseen = endOutage(unseen, { from: now.wall - jump, to: now.wall }, now.wall);
    else {
      unseen = [];
      for (const [host, { stored, heardAt }] of known) {
        const notAfter = Math.min(stored.seen.notAfter, now.wall);
        const notBefore = stored.seen.notBefore === null ? null : Math.min(stored.seen.notBefore, notAfter);
        known.set(host, { stored: { ...stored, seen: { notBefore, notAfter } }, heardAt });
      }
    }
  }

  function answerNow(): readonly StoredPresence[] {
    keepTime();
    const now = clock.monotonic();
    if (now - sweptAt >= SWEEP_EVERY_MS) {
      sweptAt = now;
      for (const [host, one] of known) {
        if (now - one.heardAt <= FORGET_AFTER_MS) continue;
        known.delete(host);
        answer = null;
      }
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
    const all: StoredPresence[] = [];
    for (const [host, one] of known) {
      const own = contenders.get(host) ?? NONE;
      const isSame = own === one.stored.contenders && unseen === one.stored.unseen;
      // Handed out as the same object, it need not be judged again.
      const stored = isSame ? one.stored : { ...one.stored, contenders: own, unseen };
      if (!isSame) known.set(host, { ...one, stored });
      all.push(stored);
    }
    answer = all;
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
        async (session) => {
          await checkBucket(session);
          return loadingNow(signal);
        },
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
      stopWatching();
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
