/**
 * Waiting for one run, and ending it.
 *
 *   begins ──► runs ──► over
 *                └► ending (TERM, after the grace KILL, until nothing is left) ──► over
 *
 * begins  the shim is on its way: the file `process` is not there or not complete.
 * runs    left by: a result file; the deadline; `end`; the death of shim and action without a result.
 * ending  the file `ending` says why. Left when no process of the run is alive, or after a bound.
 * clearing  it failed at one of its limits, or left so many processes behind that it is at its limit: they are ended.
 * over    `done` has the result. Daemons of a run that was not ended live on.
 *
 * All that it knows lies in files and in /proc, so that a later agent can take over at any point.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import type { Limits } from '../model/host.ts';
import type { RunIntent, RunResult } from '../model/run.ts';
import type { Clock } from '../system/clock.ts';
import { isAlive, type ProcessIdentity, processesMarked, signalProcess } from '../system/processes.ts';
import {
  isFull,
  killGroups,
  pidsInGroups,
  readGroups,
  readLimitsHit,
  removeGroups,
} from './control-groups.ts';
import { RUN_MARK } from './environment.ts';
import { boundOutput, LIVE_SLACK, outputTail } from './output.ts';
import { processesOfRun } from './processes-of-run.ts';
import { interruptedResult, resultOfEnding, resultOfExit } from './result.ts';
import {
  claimNeverBegan,
  type RunFiles,
  type RunProcesses,
  readEnding,
  readExitCode,
  readRunProcesses,
} from './run-files.ts';
import { type LimitsInForce, withLimitsHit } from './run-limits.ts';
import type { EndReason, StartedRun } from './spec.ts';

export interface WatchOptions {
  readonly intent: RunIntent;
  readonly files: RunFiles;
  readonly limits: Pick<Limits, 'outputMaxBytes'>;
  readonly clock: Clock;
  /** On the monotonic clock. */
  readonly startedMonotonicMs: number;
  /** From TERM to KILL. */
  readonly graceMs: number;
  /** For the words about those that it met. */
  readonly inForce: LimitsInForce;
  /** The service manager started it: it has a control group of its own. */
  readonly inUnit: boolean;
  /** The shim when it is our own child; null when it is somebody else's or of an earlier agent. */
  readonly child: ChildProcess | null;
  /** The program that asks the service manager; null without one. */
  readonly starter: ChildProcess | null;
}

const TICK_MS = 25;
const TICK_ADOPTED_MS = 100;
const TICK_ENDING_MS = 100;
/** A shim that has not begun by then will not: nothing but starting a shell lies before it. */
const BEGIN_MS = 10_000;
/** From the first KILL; what is left then hangs in the kernel. */
const KILL_MS = 10_000;
/** The same for what a run left in its control groups. */
const CLEAR_MS = 10_000;
/** For the shim to write the result once its action is dead. */
const LAST_WORDS_MS = 2_000;
/** Scans in one go: something that forks faster than we look is met in its stride. */
const KILL_ROUNDS = 5;

interface Ending {
  readonly why: EndReason;
  readonly killAt: number;
  readonly termed: Set<string>;
  /** When the last process was found dead; null while some are alive. */
  emptyAt: number | null;
}

export function watchRun(o: WatchOptions): StartedRun {
  const { intent, files, clock, child } = o;
  let beginBy = clock.monotonic() + BEGIN_MS;
  const deadline = o.startedMonotonicMs + intent.timeoutMs;
  let known: RunProcesses = { shim: null, action: null };
  let exit: { readonly code: number | null } | null = null;
  let ending: Ending | null = null;
  let clearing: { readonly result: RunResult; readonly until: number } | null = null;
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  let resolveDone: (result: RunResult) => void;
  const done = new Promise<RunResult>((resolve) => {
    resolveDone = resolve;
  });

  const look = (): RunProcesses => {
    if (known.action === null) known = readRunProcesses(files.process) ?? known;
    return known;
  };

  /** A script may remove what we know it by. startRun wrote this file before anything ran. */
  const isFolderGone = () => !existsSync(files.spec);
  /** Between making the file and writing to it, only the mark says whether the shim is there. */
  const isMarked = () => processesMarked(RUN_MARK, intent.id).length > 0;

  const shimMayLive = (now: number): boolean => {
    if (child !== null) return exit === null;
    const { shim } = look();
    if (shim !== null) return isAlive(shim);
    if (existsSync(files.process) || isFolderGone()) return isMarked();
    return now < beginBy || !claimNeverBegan(files.process);
  };

  const resultOf = (code: number, endedAt: number): RunResult => {
    if (look().action === null && !isFolderGone() && ending === null) return neverBegan(endedAt);
    return resultOfExit(intent, code, ending?.why ?? null, endedAt);
  };

  const neverBegan = (endedAt: number): RunResult => {
    const said = outputTail(files.output, 200).trim();
    const note = said === '' ? undefined : `it could not be begun: ${said}`;
    return interruptedResult(intent, 'never-began', endedAt, note);
  };

  /** Shim and action are gone. */
  const lastResult = (): RunResult => {
    // Written just before it went; or not at all, when the disk is full or the script has removed the folder.
    const code = readExitCode(files.result) ?? readExitCode(files.resultRoom) ?? exit?.code ?? null;
    if (code !== null) return resultOf(code, clock.now());
    if (ending !== null) return resultOfEnding(intent, ending.why, clock.now());
    return look().action === null && !isFolderGone()
      ? neverBegan(clock.now())
      : interruptedResult(intent, 'killed', clock.now());
  };

  const stepRunning = (now: number): RunResult | null => {
    // Our own child tells us when it ends; asking the disk meanwhile would be for nothing.
    const code = child === null ? readExitCode(files.result) : null;
    if (code !== null) return resultOf(code, clock.now());
    if (shimMayLive(now)) return null;
    const { action } = look();
    // A script that killed its parent: it is waited for, though nobody will know how it ends.
    return action !== null && isAlive(action) ? null : lastResult();
  };

  const stepEnding = (now: number, current: Ending): RunResult | null => {
    let living = processesOfRun(intent.id, look(), o.inUnit, files.groups);
    if (living.length === 0) {
      current.emptyAt ??= now;
      if (!shimMayLive(now)) return lastResult();
      if (now - current.emptyAt > LAST_WORDS_MS) killShim();
      return null;
    }
    current.emptyAt = null;
    if (now < current.killAt) {
      for (const process of living) termOnce(process, current.termed);
      return null;
    }
    killGroups(o.inUnit ? [] : readGroups(files.groups, intent.id));
    for (let round = 0; round < KILL_ROUNDS && living.length > 0; round++) {
      for (const process of living) signalProcess(process, 'SIGKILL');
      living = processesOfRun(intent.id, look(), o.inUnit, files.groups);
    }
    if (now < current.killAt + KILL_MS) return null;
    killShim();
    return resultOfEnding(intent, current.why, clock.now(), living.length);
  };

  const killShim = () => {
    const { shim } = look();
    if (shim !== null) signalProcess(shim, 'SIGKILL');
    else child?.kill('SIGKILL');
  };

  /** What the kernel counted is said in the note, and what is left of a run that went beyond its limits is ended. */
  const judge = (result: RunResult, now: number): RunResult | null => {
    const groups = readGroups(files.groups, intent.id);
    const hit = readLimitsHit(groups, files.limitsHit);
    const named = withLimitsHit(result, hit, o.inForce);
    const isBeyond = result.outcome !== 'ok' && (hit.outOfMemory > 0 || hit.outOfProcesses > 0);
    if (!isBeyond && !isFull(groups)) return named;
    clearing = { result: named, until: now + CLEAR_MS };
    return stepClearing(now, clearing);
  };

  const stepClearing = (now: number, { result, until }: { result: RunResult; until: number }) => {
    const groups = readGroups(files.groups, intent.id);
    killGroups(groups);
    return now < until && pidsInGroups(groups).length > 0 ? null : result;
  };

  const step = (): RunResult | null => {
    const now = clock.monotonic();
    if (clearing !== null) return stepClearing(now, clearing);
    if (ending === null && now >= deadline && readExitCode(files.result) === null)
      beginEnding('timed-out', now);
    const result = ending === null ? stepRunning(now) : stepEnding(now, ending);
    return result === null ? null : judge(result, now);
  };

  const beginEnding = (why: EndReason, now: number) => {
    ending = { why, killAt: now + o.graceMs, termed: new Set(), emptyAt: null };
    try {
      // A crash from here on: the next agent finds the reason and goes on ending.
      writeFileSync(files.ending, `${why}\n`, { mode: 0o600 });
    } catch {
      // A full disk, or the folder is gone: ending it matters more than remembering why.
    }
  };

  const tick = () => {
    clearTimeout(timer);
    if (over) return;
    let result: RunResult | null = null;
    bound(LIVE_SLACK);
    try {
      result = step();
    } catch {
      // A disk that gives no answer now may give one at the next tick; the deadline is asked first, each time.
    }
    if (result !== null) return settle(result);
    timer = setTimeout(
      tick,
      ending !== null ? TICK_ENDING_MS : child === null && !o.inUnit ? TICK_ADOPTED_MS : TICK_MS,
    );
  };

  const bound = (slack: number) => {
    try {
      boundOutput(files.output, o.limits.outputMaxBytes, slack);
    } catch {
      // The next tick tries again, and `tidyRuns` after the end.
    }
  };

  const settle = (result: RunResult) => {
    over = true;
    bound(1);
    removeGroups(readGroups(files.groups, intent.id));
    resolveDone(result);
  };

  child?.once('exit', (code) => {
    exit = { code };
    tick();
  });
  child?.once('error', () => {
    exit = { code: null };
    tick();
  });
  const starterFailed = () => {
    beginBy = clock.monotonic();
  };
  o.starter?.once('error', starterFailed);
  o.starter?.once('exit', (code) => {
    if (code !== 0) starterFailed();
  });
  const earlier = readEnding(files.ending);
  if (earlier !== null)
    ending = { why: earlier, killAt: clock.monotonic() + o.graceMs, termed: new Set(), emptyAt: null };
  timer = setTimeout(tick, child === null ? 0 : TICK_MS);

  return {
    intent,
    outputFile: files.output,
    done,
    end(why) {
      if (over || ending !== null || clearing !== null || readExitCode(files.result) !== null) return;
      beginEnding(why, clock.monotonic());
      tick();
    },
    leave() {
      over = true;
      clearTimeout(timer);
      child?.unref();
    },
  };
}

/** A second TERM would mean "now, at once" to some programs. */
function termOnce(process: ProcessIdentity, termed: Set<string>): void {
  const key = `${process.pid} ${process.startTime}`;
  if (termed.has(key)) return;
  termed.add(key);
  signalProcess(process, 'SIGTERM');
}
