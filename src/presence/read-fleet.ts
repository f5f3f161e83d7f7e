/**
 * The fleet as a reader sees it: everything that the stores hold, judged, as one picture. What is remembered from one reading to the next
 * (which key a host had first) is a small file for each store; losing it only means that the next reading is the first.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { Judged } from '../fleet/judged.ts';
import { createRosterMemo, type LiveRoster } from '../fleet/live-roster.ts';
import { pictureFleet } from '../fleet/picture-fleet.ts';
import type { FleetHost } from '../model/fleet.ts';
import type { ExpectedHost } from '../model/presence.ts';
import { ok, type Result, type Trouble } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import { makeFolder, readFileOrNull, writeFileAtomic } from '../system/files.ts';
import { createJudge, type HostPin, type JudgedPresence } from './read-presences.ts';
import type { HistoryEntry, StatusStore } from './store.ts';

export interface FleetReaderOptions {
  /** Where the pins are kept; null: only in memory. */
  readonly folder: string | null;
  readonly clock: Clock;
}

export interface FleetReading {
  /** By state and name: `pictureFleet`. Made when it is asked for. */
  readonly hosts: readonly FleetHost[];
  /** Of stores that did not answer, while others did; what they said last still counts. */
  readonly troubles: readonly Trouble[];
}

export interface FleetReader {
  /** For messages. */
  readonly name: string;
  /** About the cost of an idle probe for each store. */
  hasNews(signal?: AbortSignal): Promise<Result<boolean>>;
  /** A trouble only when no store answers. */
  read(expected: readonly ExpectedHost[] | null, signal?: AbortSignal): Promise<Result<FleetReading>>;
  /** What was read last, as it looks now: silence comes with time alone. */
  picture(expected: readonly ExpectedHost[] | null): readonly FleetHost[];
  /** Who may be relied on, of what was read last, as it looks now. Made of the one before: what did not change costs next to nothing. */
  roster(expected: readonly ExpectedHost[] | null): LiveRoster;
  /** The key that signed the presence of a host; null when there is none. */
  keyOf(host: string): string | null;
  /** Newest first. Nothing of it is verified. */
  history(host: string, limit: number, signal?: AbortSignal): Promise<Result<readonly HistoryEntry[]>>;
  /** Calls when there is something new; null when no store can tell by itself. */
  readonly watch: StatusStore['watch'];
  close(): Promise<void>;
}

/** @param stores At least one. Closed with the reader. */
export function createFleetReader(stores: readonly StatusStore[], o: FleetReaderOptions): FleetReader {
  const readers = stores.map((store) => createStoreReader(store, o));
  const telling = stores.filter((store) => store.watch !== null);
  const [only] = readers;
  const judged = (): readonly JudgedPresence[] =>
    readers.length === 1 ? only!.judged() : readers.flatMap((reader) => reader.judged());
  const roster = createRosterMemo();
  const picture = (expected: readonly ExpectedHost[] | null) =>
    pictureFleet(judged() satisfies readonly Judged[], { expected, now: o.clock.now() });
  return {
    name: stores.map((store) => store.name).join(', '),
    hasNews: async (signal) => anyNews(await Promise.all(stores.map((store) => store.hasNews(signal)))),
    async read(expected, signal) {
      const read = await Promise.all(readers.map((reader) => reader.read(expected, signal)));
      const troubles = read.filter((one) => one !== null);
      const [first] = troubles;
      if (first !== undefined && troubles.length === readers.length) return { ok: false, trouble: first };
      let hosts: readonly FleetHost[] | null = null;
      return ok({
        get hosts() {
          hosts ??= picture(expected);
          return hosts;
        },
        troubles,
      });
    },
    picture,
    roster: (expected) => roster.of(judged(), { expected, now: o.clock.now() }),
    keyOf: (host) => judged().find((one) => one.host === host && one.presence !== null)?.key ?? null,
    history: async (host, limit, signal) =>
      joinHistories(await Promise.all(stores.map((store) => store.history(host, limit, signal))), limit),
    watch:
      telling.length === 0
        ? null
        : (onNews) => {
            const watches = telling.map((store) => store.watch!(onNews));
            return { close: () => watches.forEach((watch) => void watch.close()) };
          },
    async close() {
      for (const reader of readers) reader.keep();
      await Promise.all(stores.map((store) => store.close()));
    },
  };
}

/** One store that answers is enough to say yes; all must answer to say no. */
function anyNews(answers: readonly Result<boolean>[]): Result<boolean> {
  if (answers.some((answer) => answer.ok && answer.value)) return ok(true);
  return answers.find((answer) => !answer.ok) ?? ok(false);
}

/** The same transition may have been told in several stores. */
function joinHistories(
  found: readonly Result<readonly HistoryEntry[]>[],
  limit: number,
): Result<readonly HistoryEntry[]> {
  const good = found.flatMap((one) => (one.ok ? [one.value] : []));
  if (good.length === 0) return found[0]!;
  if (good.length === 1) return ok(good[0]!);
  const entries = new Map<string, HistoryEntry>();
  for (const entry of good.flat()) {
    const key = `${entry.at} ${entry.subject}`;
    if (!entries.has(key) || entry.log !== null) entries.set(key, entry);
  }
  return ok([...entries.values()].sort((a, b) => b.at - a.at).slice(0, limit));
}

/** Sequence numbers alone change with every heartbeat of a fleet: they are written no more often than this. */
const KEEP_EVERY_MS = 60_000;

interface StoreReader {
  /** null, or why not: then `judged` stays what it was. */
  read(expected: readonly ExpectedHost[] | null, signal?: AbortSignal): Promise<Trouble | null>;
  judged(): readonly JudgedPresence[];
  /** Writes what is to be remembered and is not written yet. */
  keep(): void;
}

/** Each store has its own pins: what one of them tells later than another is no replay. */
function createStoreReader(store: StatusStore, o: FleetReaderOptions): StoreReader {
  const file = o.folder === null ? null : join(o.folder, `pins-${digest(store.name)}.json`);
  const judge = createJudge(file === null ? new Map() : readPins(file));
  let isKept = true;
  let isKeyKept = true;
  let keptAt = o.clock.monotonic();
  let judged: readonly JudgedPresence[] = [];
  const keep = () => {
    keptAt = o.clock.monotonic();
    try {
      if (file !== null && !isKept) writePins(o.folder!, file, judge.pins());
      isKept = true;
      isKeyKept = true;
    } catch (error) {
      // A full disk must not keep anybody from seeing the fleet. It is tried again with the next reading.
      if (errnoOf(error) === null) throw error;
    }
  };
  return {
    judged: () => judged,
    keep,
    async read(expected, signal) {
      const stored = await store.read(signal);
      if (!stored.ok) return stored.trouble;
      const { presences, changed } = judge.judge(stored.value, { expected, now: o.clock.now() });
      judged = presences;
      if (changed !== 'nothing') isKept = false;
      // A host that was never seen, or has another key: nobody may come in between.
      if (changed === 'key') isKeyKept = false;
      if (!isKept && (!isKeyKept || o.clock.monotonic() - keptAt >= KEEP_EVERY_MS)) keep();
      return null;
    },
  };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function writePins(folder: string, file: string, pins: ReadonlyMap<string, HostPin>): void {
  makeFolder(folder, 0o700);
  writeFileAtomic(file, `${JSON.stringify({ version: 1, hosts: Object.fromEntries(pins) })}\n`, {
    durable: false,
  });
}

/** A file that cannot be understood is none: it is made again. */
function readPins(file: string): Map<string, HostPin> {
  const pins = new Map<string, HostPin>();
  let value: unknown;
  try {
    value = JSON.parse(readFileOrNull(file) ?? '{}');
  } catch {
    return pins;
  }
  const hosts = (value as { hosts?: unknown } | null)?.hosts;
  for (const [host, pin] of Object.entries(typeof hosts === 'object' && hosts !== null ? hosts : {}))
    if (isPin(pin)) pins.set(host, pin);
  return pins;
}

function isPin(value: unknown): value is HostPin {
  if (typeof value !== 'object' || value === null) return false;
  const { id, key, sequence, clock, seenAt, silentMs } = value as Record<keyof HostPin, unknown>;
  return (
    typeof id === 'string' &&
    id.length > 0 &&
    typeof key === 'string' &&
    Number.isSafeInteger(sequence) &&
    [clock, seenAt, silentMs].every((time) => typeof time === 'number')
  );
}
