/**
 * Keeps the roster: reads what the other hosts publish, writes the file that scripts read, and says what presence triggers ask for.
 * A reading that fails changes nothing: not to have read says neither that a host came nor that one is gone.
 *
 * Where an action reacts to the live hosts, transitions are noticed by one cheap question at each look. That somebody is silent shows only
 * in what is not there, so everything is listed again now and then: as often as the host that beats fastest. Everywhere else both are
 * seldom, the more so the larger the fleet: what each of N hosts reads of N others must not cost the server N times N.
 */
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { PresenceTrigger } from '../model/action.ts';
import type { FleetHost } from '../model/fleet.ts';
import type { RosterView } from '../model/plan.ts';
import type { ExpectedHost, RosterMember } from '../model/presence.ts';
import { withSelf } from '../model/roster.ts';
import { rosterViewOf, settleRosters } from '../plan/settle-roster.ts';
import type { FleetReader } from '../presence/read-fleet.ts';
import { type Clock, delay } from '../system/clock.ts';
import { makeFolder, readFileOrNull, writeFileAtomic } from '../system/files.ts';
import { createRosterWriter, isSameRoster } from './roster-file.ts';
import { readSettlings, settlingsFile, writeSettlings } from './settlings-file.ts';

export interface RosterKeeperOptions {
  readonly reader: FleetReader;
  readonly clock: Clock;
  readonly stateFolder: string;
  /** This host, as it knows itself. */
  readonly self: () => RosterMember;
  readonly expected: () => readonly ExpectedHost[] | null;
  readonly intervalMs: () => number;
  readonly heartbeatMs: () => number;
  /** Somebody judges who is silent, so that everything is listed as often as for a trigger. */
  readonly isWatched?: () => boolean;
  /** After each refresh of the loop. */
  readonly onRefreshed?: () => void;
}

export interface RosterKeeper {
  /** For the planner. What it asks for here is watched from now on. */
  view(triggers: readonly PresenceTrigger[]): RosterView;
  /** Changes whenever what a trigger saw changes. */
  stamp(): string;
  /** What was read last, without this host; null before the first reading. */
  members(): readonly RosterMember[] | null;
  /** Hosts that are known; 1 before the first reading. */
  size(): number;
  /** The fleet as it is now; null: what was read last is too old to say who is silent. */
  picture(): readonly FleetHost[] | null;
  /** One question; a reading when there is news, or when it is time. */
  refresh(signal: AbortSignal): Promise<void>;
  /** Refreshes by itself, once in an interval and when a store calls. */
  start(onChange: () => void): void;
  close(): Promise<void>;
}

/** Without a trigger only `PULLYU_ROSTER` depends on it. */
const SELDOM = 3;
/** For each host that is known: nobody asks again before, when no trigger waits for the answer. */
const SELDOM_PER_HOST_MS = 500;
const WHOLE_MIN_MS = 200;
/** With what a reading may be late by, well below the three heartbeats after which a host is silent. */
const FRESH_BEATS = 1.25;

export function createRosterKeeper(o: RosterKeeperOptions): RosterKeeper {
  const { reader, clock } = o;
  const file = settlingsFile(o.stateFolder);
  const write = createRosterWriter(o.stateFolder);
  const end = new AbortController();
  /** As the last plan of any process of this host had them. */
  let triggers = readTriggers(o.stateFolder);
  let members: readonly RosterMember[] | null = null;
  let settlings = readSettlings(file);
  let readAt = Number.NEGATIVE_INFINITY;
  let askedAt = Number.NEGATIVE_INFINITY;
  let fastestMs = Number.POSITIVE_INFINITY;
  let reading: Promise<void> | null = null;
  let wakeUp = () => {};
  let loop: Promise<void> | null = null;
  let watch: { close(): void } | null = null;

  const isAwaited = () => triggers.length > 0 || o.isWatched?.() === true;
  const isEarly = () =>
    !isAwaited() && clock.monotonic() - askedAt < (members?.length ?? 0) * SELDOM_PER_HOST_MS;
  const wholeEveryMs = () => {
    const own = o.heartbeatMs();
    return Math.max(WHOLE_MIN_MS, isAwaited() ? Math.min(own, fastestMs) : own * SELDOM);
  };

  /** What settled last, and with what: a large roster takes long to digest, and seldom changes. */
  let done: { members: readonly RosterMember[]; triggers: readonly PresenceTrigger[]; self: string } | null =
    null;
  const settle = () => {
    if (members === null || triggers.length === 0) return;
    const self = JSON.stringify({ ...o.self(), lastContactAt: 0 });
    const isPending = [...settlings.values()].some(({ pending }) => pending !== null);
    const isDone =
      done !== null &&
      done.self === self &&
      isSame(done.triggers, triggers) &&
      isSameRoster(done.members, members);
    done = { members, triggers, self };
    if (!isPending && isDone) return;
    const next = settleRosters(settlings, triggers, { roster: members, self: o.self(), now: clock.now() });
    if (next === settlings) return;
    settlings = next;
    cached(() => writeSettlings(file, settlings));
  };

  const ask = async (signal: AbortSignal) => {
    if (isEarly()) return;
    askedAt = clock.monotonic();
    const isTime = clock.monotonic() - readAt >= wholeEveryMs();
    if (!isTime) {
      const news = await reader.hasNews(signal);
      if (!news.ok || !news.value) return;
    }
    const begun = clock.monotonic();
    const read = await reader.read(o.expected(), signal);
    if (!read.ok) return;
    readAt = begun;
    ({ members, fastestMs } = reader.roster(o.expected()));
    write(withSelf(members, o.self()));
    settle();
  };

  const refresh = (signal: AbortSignal): Promise<void> => {
    reading ??= ask(signal).finally(() => {
      reading = null;
    });
    return reading;
  };

  const stamp = () =>
    [...settlings]
      .map(([key, { settled, pending }]) => `${key} ${settled.digest} ${pending?.part.digest}`)
      .join(' ');

  const run = async (onChange: () => void) => {
    while (!end.signal.aborted) {
      const before = stamp();
      await refresh(end.signal).catch(() => {});
      o.onRefreshed?.();
      if (stamp() !== before) onChange();
      const woken = new Promise<void>((resolve) => {
        wakeUp = resolve;
      });
      await Promise.race([delay(o.intervalMs(), end.signal), woken]);
    }
  };

  return {
    view(asked) {
      if (!isSame(triggers, asked)) cached(() => writeTriggers(o.stateFolder, asked));
      triggers = asked;
      settle();
      return rosterViewOf(settlings, triggers, true);
    },
    stamp,
    members: () => members,
    size: () => members?.length ?? 1,
    picture() {
      const isFresh = clock.monotonic() - readAt <= FRESH_BEATS * wholeEveryMs() + o.intervalMs();
      return isFresh ? reader.picture(o.expected()) : null;
    },
    refresh,
    start(onChange) {
      watch ??= reader.watch?.(() => wakeUp()) ?? null;
      loop ??= run(onChange);
    },
    async close() {
      end.abort();
      watch?.close();
      await loop;
      await reader.close();
    },
  };
}

/** On a full disk the look goes on with what is in memory. */
function cached(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (errnoOf(error) === null) throw error;
  }
}

/** Beside the settlings: a one-shot look that has nothing to do makes no plan, and yet has to know what to watch. */
function triggersFile(stateFolder: string): string {
  return join(stateFolder, 'status', 'triggers.json');
}

function readTriggers(stateFolder: string): readonly PresenceTrigger[] {
  try {
    const triggers: unknown = JSON.parse(readFileOrNull(triggersFile(stateFolder)) ?? '[]');
    return Array.isArray(triggers) ? (triggers as PresenceTrigger[]) : [];
  } catch {
    return [];
  }
}

function writeTriggers(stateFolder: string, triggers: readonly PresenceTrigger[]): void {
  makeFolder(join(stateFolder, 'status'), 0o700);
  writeFileAtomic(triggersFile(stateFolder), `${JSON.stringify(triggers)}\n`, { durable: false });
}

function isSame(a: readonly PresenceTrigger[], b: readonly PresenceTrigger[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
