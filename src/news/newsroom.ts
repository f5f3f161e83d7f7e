/**
 * One host's part in telling the news. Every host that may send watches the fleet and remembers by itself what it saw; what was told is
 * shared. The first of the live ones loads that, decides, sends, and then replaces it, if nobody else has: so in the normal case one host
 * sends, and when it is gone the next one goes on. A crash between sending and replacing repeats that one message; a replacement that is
 * refused means that another host has told it.
 *
 * As long as no channel takes anything, nothing counts as told: the next try, of this host or another, says how things are then.
 */
import { join } from 'node:path';
import { decideNews } from '../fleet/news.ts';
import { rosterOf } from '../fleet/roster.ts';
import { rankOfSender } from '../fleet/senders.ts';
import type { FleetHost } from '../model/fleet.ts';
import type { Selector } from '../model/labels.ts';
import {
  formatTold,
  type News,
  type NewsState,
  noNews,
  parseTold,
  type Seen,
  type Told,
} from '../model/news.ts';
import type { Trouble } from '../model/trouble.ts';
import { NEWS_MAX_BYTES, type NewsStore } from '../presence/news-store.ts';
import type { Clock } from '../system/clock.ts';
import { makeFolder, readFileOrNull, writeFileAtomic } from '../system/files.ts';
import type { Channel } from './channel.ts';
import { type ChannelQueue, openQueue } from './queue.ts';

export interface NewsroomOptions {
  /** Made when it is missing. What is in there can be lost: then what lasts has to last anew. */
  readonly folder: string;
  readonly store: NewsStore;
  readonly channels: readonly Channel[];
  readonly from: Selector;
  readonly holdMs: number;
  /** Of this host. */
  readonly host: string;
  readonly heartbeatMs: () => number;
  readonly clock: Clock;
  readonly warn: (text: string) => void;
  readonly subjectOf?: (repo: string, commit: string) => string | null;
}

export interface Newsroom {
  /** @param hosts As they are now, by a reading that is not old. One at a time; a second call waits for the first. */
  look(hosts: readonly FleetHost[], signal: AbortSignal): Promise<void>;
  close(): void;
}

/** The next in the order takes over when news were not told for so long. */
const TAKE_OVER_MS = 10 * 60_000;
/** A gap in our own watching: after it, those who are well need as long to say so. */
const BLIND_BEATS = 3;
const RECOVER_MS = 7 * 60_000;

interface Watched {
  readonly version: 1;
  readonly seen: Seen;
  /** When we looked last, milliseconds since 1970; null: never. */
  readonly lookedAt: number | null;
  /** Until then nobody is called silent. */
  readonly blindUntil: number;
}

/** What was sent, and may not be known to the others yet. */
interface Unsaved {
  readonly base: string | null;
  readonly told: Told;
}

export function createNewsroom(o: NewsroomOptions): Newsroom {
  const { clock, store } = o;
  const file = join(o.folder, 'watched.json');
  makeFolder(o.folder, 0o700);
  const queues = o.channels.map((channel) =>
    openQueue({ folder: o.folder, channel, clock, host: o.host, onChange: sayChange }),
  );
  let watched = readWatched(file);
  let told: Told | null = null;
  let unsaved: Unsaved | null = null;
  /** Since when there is something to tell; null: nothing. */
  let pendingSince: number | null = null;
  let failedStore: Trouble['code'] | null = null;
  let turn: Promise<void> = Promise.resolve();

  function sayChange(channel: Channel, why: string | null): void {
    o.warn(
      why === null
        ? `news: ${channel.name} works again`
        : `news: ${channel.name} took no message: ${why}; it is tried again`,
    );
  }

  const sayStore = (problem: Trouble | null) => {
    if (problem?.code === failedStore || (problem === null && failedStore === null)) return;
    failedStore = problem?.code ?? null;
    if (problem !== null) o.warn(`news: what was told cannot be shared: ${problem.message}`);
  };

  /** Like `decideNews`; `holdMs` infinite: only watches. */
  const decide = (hosts: readonly FleetHost[], holdMs: number) => {
    const now = clock.now();
    const state: NewsState = { ...noNews, told, seen: watched.seen };
    const { subjectOf } = o;
    const isBlind = now < watched.blindUntil;
    return decideNews(state, hosts, now, {
      holdMs,
      isBlind,
      ...(subjectOf === undefined ? {} : { subjectOf }),
    });
  };

  const remember = (seen: Seen) => {
    const now = clock.now();
    const isMoved =
      now - (watched.lookedAt ?? 0) >= Math.max(1_000, o.heartbeatMs() / 2) || now < (watched.lookedAt ?? 0);
    if (seen === watched.seen && !isMoved) return;
    watched = { ...watched, seen, lookedAt: now };
    writeFileAtomic(file, `${JSON.stringify(watched)}\n`, { mode: 0o600, durable: false });
  };

  /** After a time in which nobody looked, everybody seems to be silent. */
  const noteGap = () => {
    const now = clock.now();
    const { lookedAt } = watched;
    if (lookedAt === null || now - lookedAt <= BLIND_BEATS * o.heartbeatMs()) return;
    watched = { ...watched, blindUntil: now + Math.min(RECOVER_MS, BLIND_BEATS * o.heartbeatMs()) };
  };

  /** @returns false: not known. */
  const load = async (signal: AbortSignal): Promise<{ token: string | null } | null> => {
    const found = await store.load(signal);
    if (!signal.aborted) sayStore(found.ok ? null : found.trouble);
    if (!found.ok) return null;
    const { text, token } = found.value;
    const isOurs = unsaved !== null && unsaved.base === token;
    // What a stranger broke is made anew; then what lasts may be told again.
    if (!isOurs) {
      told = text === null || text.length > NEWS_MAX_BYTES ? null : parseTold(text);
      unsaved = null;
    } else told = unsaved!.told;
    return { token };
  };

  const save = async (token: string | null, next: Told, signal: AbortSignal): Promise<boolean> => {
    // From here on it is told, whether the others learn of it or not.
    unsaved = { base: token, told: next };
    told = next;
    const saved = await store.save(formatTold(next), token, signal);
    if (!signal.aborted) sayStore(saved.ok ? null : saved.trouble);
    if (!saved.ok) return true;
    unsaved = null;
    if (saved.value === null) told = null;
    return saved.value !== null;
  };

  const look = async (hosts: readonly FleetHost[], signal: AbortSignal) => {
    noteGap();
    const rank = rankOfSender(o.host, rosterOf(hosts), o.from);
    await Promise.all(queues.map((queue) => (queue.size() > 0 ? queue.send([], signal) : 0)));
    if (told === null || unsaved !== null) {
      const loaded = await load(signal);
      if (loaded === null) return;
      if (unsaved !== null) await save(loaded.token, unsaved.told, signal);
      else if (told === null && isMyTurn(rank)) {
        const first = decide(hosts, Number.POSITIVE_INFINITY).state.told;
        if (first !== null) await save(loaded.token, first, signal);
      }
      if (told === null) return;
    }
    const decided = decide(hosts, o.holdMs);
    if (decided.state.told === told) {
      pendingSince = null;
      return remember(decided.state.seen);
    }
    remember(decide(hosts, Number.POSITIVE_INFINITY).state.seen);
    if (isMyTurn(rank)) await tell(hosts, signal);
  };

  /** There is something to do. */
  const isMyTurn = (rank: number | null): boolean => {
    const now = clock.now();
    pendingSince = Math.min(pendingSince ?? now, now);
    return rank !== null && now - pendingSince >= rank * TAKE_OVER_MS;
  };

  const tell = async (hosts: readonly FleetHost[], signal: AbortSignal) => {
    const loaded = await load(signal);
    if (loaded === null) return;
    const { state, news } = decide(hosts, o.holdMs);
    if (state.told === null || state.told === told) {
      pendingSince = null;
      return;
    }
    const sent = await sendAll(queues, news, signal);
    if (sent === null) return;
    const isFirst = await save(loaded.token, state.told, signal);
    pendingSince = null;
    remember(state.seen);
    // Whoever was faster has queues of its own.
    if (isFirst) for (const [queue, rest] of sent) queue.keep(rest);
  };

  return {
    look(hosts, signal) {
      turn = turn.then(() => look(hosts, signal));
      const done = turn;
      turn = turn.catch(() => {});
      return done;
    },
    close: () => store.close(),
  };
}

/** @returns what each has not taken; null: nothing was taken by any that should have. */
async function sendAll(
  queues: readonly ChannelQueue[],
  news: readonly News[],
  signal: AbortSignal,
): Promise<(readonly [ChannelQueue, readonly News[]])[] | null> {
  const sent = await Promise.all(
    queues.map(async (queue) => {
      const wanted = queue.prepare(news);
      const count = wanted.length === 0 ? 0 : await queue.send(wanted, signal);
      return { queue, wanted, count };
    }),
  );
  const isWanted = sent.some(({ wanted }) => wanted.length > 0);
  if (isWanted && !sent.some(({ count }) => count > 0)) return null;
  return sent.map(({ queue, wanted, count }) => [queue, wanted.slice(count)] as const);
}

function readWatched(file: string): Watched {
  const nothing: Watched = { version: 1, seen: {}, lookedAt: null, blindUntil: 0 };
  try {
    const value = JSON.parse(readFileOrNull(file) ?? 'null') as Watched | null;
    return value?.version === 1 && typeof value.seen === 'object' && value.seen !== null ? value : nothing;
  } catch (error) {
    if (error instanceof SyntaxError) return nothing;
    throw error;
  }
}
