/**
 * What a channel has not taken yet, on the disk. One message after the other; after a failure it rests for a growing time. What is over
 * before it could be told is not told any more. A crash between a send and the note of it repeats that message.
 */
import { join } from 'node:path';
import type { News } from '../model/news.ts';
import type { Clock } from '../system/clock.ts';
import { readFileOrNull, writeFileAtomic } from '../system/files.ts';
import type { Channel, Message, SendAnswer } from './channel.ts';

export interface QueueOptions {
  /** Exists. */
  readonly folder: string;
  readonly channel: Channel;
  readonly clock: Clock;
  /** Of this host. */
  readonly host: string;
  /** The channel does not work (why), or works again (null). Once for each change. */
  readonly onChange: (channel: Channel, why: string | null) => void;
}

export interface ChannelQueue {
  readonly channel: Channel;
  /** Messages that wait. */
  size(): number;
  /** When the channel may be asked again, milliseconds since 1970; null: now. */
  restsUntil(): number | null;
  /** What waits and is over is forgotten. @returns the news that are for this channel. */
  prepare(news: readonly News[]): readonly News[];
  /** First what waits, then these, without keeping any. @returns how many of these have arrived. */
  send(news: readonly News[], signal?: AbortSignal): Promise<number>;
  /** These are tried later. */
  keep(news: readonly News[]): void;
}

interface Stored {
  readonly version: 1;
  readonly waiting: readonly News[];
  /** In a row. */
  readonly failures: number;
  /** Milliseconds since 1970; 0: it works. */
  readonly notBefore: number;
}

const WAITING_MAX = 100;
/** A slow channel with a long queue has its turn again later. */
const SEND_MAX_MS = 60_000;
const RETRY_FIRST_MS = 5_000;
const RETRY_MAX_MS = 15 * 60_000;
const NOTHING: Stored = { version: 1, waiting: [], failures: 0, notBefore: 0 };

export function openQueue(o: QueueOptions): ChannelQueue {
  const { channel, clock } = o;
  const file = join(o.folder, `channel-${channel.key}.json`);
  let stored: Stored = readStored(file);
  const set = (next: Partial<Stored>) => {
    stored = { ...stored, ...next };
    writeFileAtomic(file, `${JSON.stringify(stored)}\n`, { mode: 0o600, durable: false });
  };

  const restsUntil = (): number | null => {
    const now = clock.now();
    // Longer than we ever rest: the clock was set back.
    const isResting = stored.notBefore > now && stored.notBefore - now <= 24 * 60 * 60_000;
    return isResting ? stored.notBefore : null;
  };

  const note = (answer: SendAnswer) => {
    if (answer.ok) {
      if (stored.failures === 0) return;
      set({ failures: 0, notBefore: 0 });
      o.onChange(channel, null);
      return;
    }
    const failures = stored.failures + 1;
    const backOff = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 16));
    const waitMs = Math.max(answer.retryAfterMs ?? 0, backOff * (0.75 + clock.random() / 2));
    set({ failures, notBefore: Math.round(clock.now() + waitMs) });
    if (failures === 1) o.onChange(channel, answer.why);
  };

  const sendOne = async (news: News, signal?: AbortSignal): Promise<boolean> => {
    const answer = await channel.send(messageOf(news, o.host), signal);
    // Cut off by our own end, it says nothing about the channel.
    if (answer.ok || signal?.aborted !== true) note(answer);
    return answer.ok;
  };

  return {
    channel,
    size: () => stored.waiting.length,
    restsUntil,
    prepare(news) {
      const over = new Set(news.flatMap(({ ends }) => ends));
      // Whoever has heard nothing of the begin need not hear of the end.
      const unheard = new Set(stored.waiting.flatMap(({ begins }) => begins));
      const waiting = stored.waiting.flatMap((one) => withoutStale(one, over));
      if (waiting.some((one, n) => one !== stored.waiting[n]) || waiting.length < stored.waiting.length)
        set({ waiting });
      return news.filter(
        ({ level, begins, ends }) =>
          (channel.level === 'chatty' || level === 'critical') &&
          (begins.length > 0 || ends.some((key) => !unheard.has(key))),
      );
    },
    async send(news, signal) {
      if (restsUntil() !== null) return 0;
      const begun = clock.monotonic();
      for (;;) {
        const [first, ...rest] = stored.waiting;
        if (first === undefined) break;
        if (clock.monotonic() - begun > SEND_MAX_MS) return 0;
        if (!(await sendOne(first, signal))) return 0;
        set({ waiting: rest });
      }
      for (const [n, one] of news.entries()) if (!(await sendOne(one, signal))) return n;
      return news.length;
    },
    keep(news) {
      if (news.length > 0) set({ waiting: [...stored.waiting, ...news].slice(-WAITING_MAX) });
    },
  };
}

/** A message of which nothing lasts any more goes; one about several things says so until the last is over. */
function withoutStale(news: News, over: ReadonlySet<string>): News[] {
  const begins = news.begins.filter((key) => !over.has(key));
  if (begins.length === news.begins.length) return [news];
  return begins.length === 0 ? [] : [{ ...news, begins }];
}

export function messageOf({ level, text, lines, at }: News, host: string): Message {
  return { level, text, lines, at, host };
}

function readStored(file: string): Stored {
  try {
    const value = JSON.parse(readFileOrNull(file) ?? 'null') as Stored | null;
    const isWhole =
      value?.version === 1 &&
      Array.isArray(value.waiting) &&
      Number.isSafeInteger(value.failures) &&
      Number.isFinite(value.notBefore);
    return isWhole ? value : NOTHING;
  } catch (error) {
    if (error instanceof SyntaxError) return NOTHING;
    throw error;
  }
}
