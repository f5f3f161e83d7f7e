/** `pullyu watch`: the live fleet, or a commit on its way over it. Ends by itself when there is nothing left to wait for. */
import { parseDuration } from '../config/duration.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { decideVerdict, type Progress, progressOf } from '../fleet/progress.ts';
import type { FleetHost } from '../model/fleet.ts';
import { delay } from '../system/clock.ts';
import type { CommandContext } from './context.ts';
import { notesOf, requireFollowers } from './fleet.ts';
import { type FleetAccess, type FleetAccessOptions, must, withFleet } from './fleet-access.ts';
import { type FleetCommit, findFleetCommit } from './fleet-commit.ts';
import { createFleetShow, createProgressShow, type Show } from './watch-show.ts';

export interface WatchOptions extends FleetAccessOptions {
  readonly timeout?: string;
  readonly repo?: string;
  readonly failFast?: boolean;
  readonly skipSilent?: boolean;
  readonly json?: boolean;
}

const TIMEOUT = '10m';
const POLL_MS = 1_000;
/** A heartbeat may be missed by the cheap question. */
const READ_ANYWAY_MS = 30_000;
const BACK_OFF_MAX_MS = 15_000;

export function runWatch(
  commit: string | undefined,
  options: WatchOptions,
  context: CommandContext,
): Promise<ExitCode> {
  const timeoutMs = timeoutOf(commit, options);
  const until = timeoutMs === null ? null : context.clock.monotonic() + timeoutMs;
  return withFleet(options, context, async (fleet) => {
    const hosts = await fleet.read();
    if (commit === undefined) return watchFleet(hosts, options, until, fleet, context);
    const found = await findFleetCommit(commit, options.repo ?? null, hosts, fleet, context);
    try {
      return await watchCommit(found, hosts, options, until, fleet, context);
    } finally {
      found.close();
    }
  });
}

/** null: until Ctrl-C. */
function timeoutOf(commit: string | undefined, { timeout }: WatchOptions): number | null {
  const text = timeout ?? (commit === undefined ? null : TIMEOUT);
  if (text === null) return null;
  const ms = parseDuration(text);
  if (ms === null || ms === 0) {
    throw new PullyuError('usage', `expected a duration after --timeout, found ${JSON.stringify(text)}`, {
      hint: 'such as --timeout 10m',
    });
  }
  return ms;
}

async function watchCommit(
  expected: FleetCommit,
  first: readonly FleetHost[],
  options: WatchOptions,
  until: number | null,
  fleet: FleetAccess,
  context: CommandContext,
): Promise<ExitCode> {
  const show = createProgressShow(expected, options.json === true, context);
  const told = new Set<string>();
  let exit: ExitCode = EXIT.interrupted;
  let progress: Progress | null = null;
  const look = async (hosts: readonly FleetHost[]): Promise<boolean> => {
    progress = progressOf(hosts, await expected.describe(hosts));
    requireFollowers(progress, expected);
    show.progress(progress);
    for (const note of notesOf(expected)) if (!told.has(note)) show.note(note);
    for (const note of notesOf(expected)) told.add(note);
    const verdict = decideVerdict(progress, options);
    if (verdict !== 'go on') exit = verdict === 'done' ? EXIT.ok : EXIT.failed;
    return verdict !== 'go on';
  };
  const ended = await follow(first, look, show, until, fleet, context);
  if (ended === 'timed-out') exit = EXIT.timedOut;
  show.end(progress!, exit);
  return exit;
}

async function watchFleet(
  first: readonly FleetHost[],
  options: WatchOptions,
  until: number | null,
  fleet: FleetAccess,
  context: CommandContext,
): Promise<ExitCode> {
  const show = createFleetShow(fleet.reader.name, options.json === true, context);
  const look = async (hosts: readonly FleetHost[]) => {
    show.fleet(hosts);
    return false;
  };
  const ended = await follow(first, look, show, until, fleet, context);
  return ended === 'timed-out' ? EXIT.timedOut : EXIT.interrupted;
}

/**
 * Calls `look` at once, after all news, and each second (silence comes with time alone), until it says that this was it. A store that
 * does not answer is asked again, ever more seldom; it ends nothing.
 */
async function follow(
  first: readonly FleetHost[],
  look: (hosts: readonly FleetHost[]) => Promise<boolean>,
  show: Show,
  until: number | null,
  { reader, read, picture }: FleetAccess,
  { clock, signal }: CommandContext,
): Promise<'ended' | 'timed-out' | 'interrupted'> {
  let woken = false;
  let wake = () => {};
  const watch = reader.watch?.(() => {
    woken = true;
    wake();
  });
  const left = () => (until === null ? Number.POSITIVE_INFINITY : until - clock.monotonic());
  let readAt = clock.monotonic();
  let waitMs = POLL_MS;
  let isTroubled = false;
  try {
    for (let hosts = first; ; ) {
      if (await look(hosts)) return 'ended';
      if (signal.aborted) return 'interrupted';
      if (left() <= 0) return 'timed-out';
      if (!woken) await pause(Math.min(waitMs, left()), signal, (resume) => (wake = resume));
      if (signal.aborted) return 'interrupted';
      try {
        const isDue = woken || clock.monotonic() - readAt >= READ_ANYWAY_MS;
        woken = false;
        if (isDue || must(await reader.hasNews(signal))) {
          hosts = await read();
          readAt = clock.monotonic();
        } else hosts = picture();
        if (isTroubled) show.note(`${reader.name} answers again`);
        isTroubled = false;
        waitMs = POLL_MS;
      } catch (error) {
        if (!(error instanceof PullyuError) || error.code === 'internal') throw error;
        if (signal.aborted) return 'interrupted';
        if (!isTroubled) show.note(`${error.message}; asks again`);
        isTroubled = true;
        waitMs = Math.min(BACK_OFF_MAX_MS, waitMs * 2);
        hosts = picture();
      }
    }
  } finally {
    watch?.close();
  }
}

async function pause(ms: number, signal: AbortSignal, onWake: (wake: () => void) => void): Promise<void> {
  const awake = new AbortController();
  onWake(() => awake.abort());
  await delay(ms, AbortSignal.any([signal, awake.signal]));
}
