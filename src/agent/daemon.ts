/**
 * The daemon: looks at its slots, at wakes and when something becomes due, until it is told to end.
 *
 * States: `opening` (lock held, configuration and journal are read) -> `looking` (a look is under way; while an action runs,
 * `busyTick` goes on at the interval) -> `waiting` (until the next slot, a due time, a wake, or the end). An error of the look that is
 * no trouble (a full disk under the journal, a broken host.yaml) closes everything, waits as after a failed look, and opens anew:
 * nothing that was valid before is lost, and nothing is retried louder than in peace.
 */
import { join } from 'node:path';
import { setInterval as every } from 'node:timers';
import { EXIT, errnoOf, PullyuError } from '../errors.ts';
import { version } from '../model/version.ts';
import { AT_ONCE_MS, dueLookAt, nextLookAt } from '../plan/next-look.ts';
import { type Clock, delay } from '../system/clock.ts';
import { stampOfFile } from '../system/file-stamp.ts';
import { namedWriteError } from '../system/files.ts';
import type { Lock } from '../system/lock.ts';
import { createErrands, type Errands } from './errands.ts';
import type { LookReport } from './look.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';
import { type AgentSocket, openSocket } from './socket.ts';
import { readState } from './state-file.ts';

export interface DaemonHooks {
  /** After each look and each busy tick: a sign of life. */
  readonly onLook: (text: string) => void;
  /** After each look. @returns why the daemon is to end now; null: it goes on. */
  readonly onReport?: (report: LookReport) => string | null;
  /** Now and then while a look is under way: it may take long, and each of its steps has its own deadline. */
  readonly onLife: () => void;
}

const STATE_EVERY_MS = 10_000;
const FIRST_INTERVAL_MS = 60_000;
/** In place of what state.json holds, while it cannot be written. */
const UNSAVED = 'unsaved';
const LIFE_EVERY_MS = 20_000;
/** A look without any run that takes longer than this is no longer called alive. */
const LIFE_MAX_MS = 2 * 60 * 60_000;

/** @returns why it ended by itself; null: it was told to. */
export async function runDaemon(lock: Lock, o: SessionOptions, hooks: DaemonHooks): Promise<string | null> {
  let failures = 0;
  let isStarted = false;
  let intervalMs = FIRST_INTERVAL_MS;
  while (!o.signal.aborted) {
    let session: Session | null = null;
    try {
      session = await openSession(lock, o);
      intervalMs = session.looker.view().config.intervalMs;
      if (!isStarted) {
        isStarted = true;
        const { config } = session.looker.view();
        o.emit({ type: 'agent-started', version, intervalMs, repos: config.repos.map((repo) => repo.name) });
      }
      failures = 0;
      const why = await serve(session, o, hooks);
      if (why !== null) return why;
    } catch (error) {
      const known =
        error instanceof PullyuError
          ? error
          : (namedWriteError(error, o.paths.state) ?? nameSystemError(error));
      if (known === null) throw error;
      failures += 1;
      o.emit({ type: 'warning', text: `${known.message}${known.hint === null ? '' : ` (${known.hint})`}` });
      const until = nextLookAt({
        now: o.clock.now(),
        intervalMs,
        hostId: 'unknown' as never,
        failures,
        retryAfterMs: null,
      });
      hooks.onLook(known.message);
      await alive(waitToReopen(until - o.clock.now(), o), o.clock, hooks);
    } finally {
      session?.close();
    }
  }
  return null;
}

async function serve(session: Session, o: SessionOptions, hooks: DaemonHooks): Promise<string | null> {
  const { looker } = session;
  const { clock, signal } = o;
  const wakes = createWakes(signal);
  const errands = createErrands(looker, wakes.wake, signal, { now: clock.now, emit: o.emit });
  let looking: Promise<LookReport> | null = null;
  let savedAt = Number.NEGATIVE_INFINITY;
  let saved = '';
  const before = readState(o.paths.state);
  let next: number | null = before.nextLookAt;
  /** Looks in a row that left something due. */
  let leftDue = 0;
  /** Since when, by the monotonic clock, something is under way that may hang; null while we only wait. */
  let busySince: number | null = null;
  const isAlive = () =>
    busySince === null ||
    looker.openRun() !== null ||
    errands.isHeld() ||
    clock.monotonic() - busySince < LIFE_MAX_MS;

  /** Times alone, and no more comes of an idle look, are written now and then; anything else at once. */
  const save = (isIdle = false) => {
    const now = clock.monotonic();
    if (isIdle && saved !== UNSAVED && now - savedAt < STATE_EVERY_MS) return;
    const shape = JSON.stringify(looker.repoStates(), (key, value) =>
      key === 'lastContactAt' || key === 'count' ? undefined : value,
    );
    if (shape === saved && now - savedAt < STATE_EVERY_MS) return;
    try {
      session.save(next);
    } catch (error) {
      // state.json is a cache, and a full disk is a trouble of its own: the look goes on, the socket still tells.
      const known = namedWriteError(error, o.paths.state);
      if (known === null) throw error;
      if (saved !== UNSAVED) o.emit({ type: 'warning', text: known.message });
      saved = UNSAVED;
      return;
    }
    saved = shape;
    savedAt = now;
  };

  let beating: { stop(): void } | null = null;
  const socket: AgentSocket | null = await openSocket(o.paths.state, {
    state: () => ({
      state: session.state(next),
      openRun: looker.openRun()?.intent.id ?? null,
      heldSince: errands.heldSince(),
    }),
    async look() {
      if (looker.openRun() !== null) {
        wakes.wake();
        return { exitCode: EXIT.busy, message: 'an action is running; a look follows it' };
      }
      if (errands.isHeld()) {
        return { exitCode: EXIT.busy, message: 'a person is at work on this host; a look follows' };
      }
      await looking?.catch(() => {});
      const report = await wakes.wakeAndWait();
      if (report === null) return { exitCode: EXIT.busy, message: 'the agent is about to end' };
      return { exitCode: report.exitCode, message: '' };
    },
    run: errands.run,
    hold: errands.hold,
  }).catch((error: unknown) => {
    o.emit({ type: 'warning', text: `no control socket: ${String(error)}` });
    return null;
  });

  try {
    // The machine was started: with many others, perhaps. Each has its own slot in the interval.
    if (before.lastLookAt !== null && before.bootId !== session.context.bootId) {
      await alive(wakes.wait(Math.max(0, slotAfter(session, clock.now()) - clock.now())), clock, hooks);
    }
    session.fleet.start(wakes.wake);
    beating = beatWhile(session.fleet, isAlive);
    while (!signal.aborted) {
      const waiters = wakes.take();
      busySince = clock.monotonic();
      const ticking: { stop?: () => Promise<void> } = {};
      const onWork = () => {
        ticking.stop ??= tickWhileLooking(session, errands, hooks, save);
      };
      let report: LookReport;
      try {
        await errands.carryOut(onWork);
        looking = looker.look({ all: waiters.length > 0, onWork });
        report = await looking;
        session.fleet.tell(report);
      } finally {
        looking = null;
        await ticking.stop?.();
      }
      const now = clock.now();
      // While one repo is well the host keeps its slots; else it waits for the first that may be asked again.
      const at = report.askInMs === null ? slotAfter(session, now) : now + report.askInMs;
      leftDue = report.nextDueAt !== null && report.nextDueAt <= now ? leftDue + 1 : 0;
      next = dueLookAt({ now, at, dueAt: report.nextDueAt, leftDue });
      save(report.idle);
      // Only now: whoever asked may read state.json at once.
      for (const waiter of waiters) waiter(report);
      hooks.onLook(report.idle ? 'nothing to do' : `looked, next look at ${new Date(next).toISOString()}`);
      if (signal.aborted) break;
      const why = hooks.onReport?.(report) ?? null;
      if (why !== null) return why;
      if (!report.idle) await alive(looker.tidy(), clock, hooks);
      busySince = null;
      const waitMs = Math.max(AT_ONCE_MS, next - clock.now());
      const waiting = wakes.wait(waitMs);
      const isLong = waitMs > Math.max(LIFE_EVERY_MS, looker.view().config.intervalMs);
      await (isLong ? alive(waiting, clock, hooks) : waiting);
    }
    return null;
  } finally {
    beating?.stop();
    socket?.close();
    wakes.close();
    await session.fleet.close();
    try {
      session.save(next);
    } catch (error) {
      o.emit({ type: 'warning', text: `state.json was not written: ${String(error)}` });
    }
  }
}

/**
 * Heartbeats go on however long a look takes or the back-off makes us wait: who does not hear from us takes us for gone. Not while
 * something hangs: then nothing would ever tell.
 */
function beatWhile(fleet: Pick<Session['fleet'], 'beat'>, isAlive: () => boolean): { stop(): void } {
  let timer: NodeJS.Timeout;
  const later = (ms: number) => {
    timer = setTimeout(() => later(isAlive() ? fleet.beat() : LIFE_EVERY_MS), ms);
  };
  later(LIFE_EVERY_MS / 20);
  return { stop: () => clearTimeout(timer) };
}

/** Looks go on while an action runs: they probe and report. And a look that takes long is told from one that hangs. */
export function tickWhileLooking(
  session: Pick<Session, 'looker' | 'context' | 'fleet'>,
  errands: Pick<Errands, 'isHeld'>,
  hooks: DaemonHooks,
  save: () => void,
): () => Promise<void> {
  const { looker, context } = session;
  const { clock } = context;
  const begun = clock.monotonic();
  let ticking: Promise<void> | null = null;
  const busy = every(() => {
    if ((looker.openRun() === null && !errands.isHeld()) || ticking !== null) return;
    ticking = looker
      .busyTick()
      .then(() => {
        save();
        session.fleet.tellBusy();
        hooks.onLook(errands.isHeld() ? 'a person is at work here' : describeRun(session, clock));
      })
      .catch((error: unknown) =>
        context.emit({ type: 'warning', text: `a look beside a run failed: ${String(error)}` }),
      )
      .finally(() => {
        ticking = null;
      });
  }, looker.view().config.intervalMs);
  const life = every(() => {
    if (looker.openRun() === null && clock.monotonic() - begun < LIFE_MAX_MS) hooks.onLife();
  }, LIFE_EVERY_MS);
  return async () => {
    clearInterval(busy);
    clearInterval(life);
    // Its probes and those of the next look would meet.
    await ticking;
  };
}

/**
 * Shows life while something lasts that is no look: housekeeping (another tree to write, packs to join), or a wait that a server or
 * the back-off made longer than the time after which an agent is called late.
 */
async function alive(work: Promise<void>, clock: Clock, hooks: DaemonHooks): Promise<void> {
  const begun = clock.monotonic();
  const life = every(() => {
    if (clock.monotonic() - begun < LIFE_MAX_MS) hooks.onLife();
  }, LIFE_EVERY_MS);
  try {
    await work;
  } finally {
    clearInterval(life);
  }
}

function slotAfter({ looker }: Session, now: number): number {
  const { config, host } = looker.view();
  return nextLookAt({ now, intervalMs: config.intervalMs, hostId: host.id, failures: 0, retryAfterMs: null });
}

function describeRun(session: Pick<Session, 'looker'>, clock: Clock): string {
  const run = session.looker.openRun();
  if (run === null) return 'looking';
  const seconds = Math.round((clock.now() - run.intent.startedAt) / 1000);
  return `busy with ${run.intent.action} at ${run.intent.commit.slice(0, 7)} for ${seconds} s`;
}

type Waiter = (report: LookReport | null) => void;

function createWakes(signal: AbortSignal) {
  let woken = false;
  let waiters: Waiter[] = [];
  const noWait = () => {};
  let stopWaiting = noWait;
  const onAbort = () => {
    stopWaiting();
    for (const waiter of waiters) waiter(null);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const wake = () => {
    woken = true;
    stopWaiting();
  };
  return {
    wake,
    close: () => signal.removeEventListener('abort', onAbort),
    wakeAndWait(): Promise<LookReport | null> {
      return new Promise((resolve) => {
        if (waiters.length >= 1_000) return resolve(null);
        waiters.push(resolve);
        wake();
      });
    },
    /** Those who wait for the look that begins now. */
    take(): Waiter[] {
      woken = false;
      const taken = waiters;
      waiters = [];
      return taken;
    },
    wait(ms: number): Promise<void> {
      return new Promise((resolve) => {
        if (woken || signal.aborted) return resolve();
        const done = () => {
          stopWaiting = noWait;
          resolve();
        };
        const timer = setTimeout(done, Math.min(ms, 2 ** 31 - 1));
        stopWaiting = () => {
          clearTimeout(timer);
          done();
        };
      });
    },
  };
}

const ASK_EVERY_MS = 1_000;

/** Until it is time, or somebody has written host.yaml or called `pullyu look`: he expects that it is read now. */
async function waitToReopen(ms: number, o: SessionOptions): Promise<void> {
  const stamp = () => `${stampOfFile(o.paths.hostFile)} ${stampOfFile(join(o.paths.state, 'dirty'))}`;
  const before = stamp();
  const end = o.clock.monotonic() + Math.max(AT_ONCE_MS, ms);
  while (!o.signal.aborted && stamp() === before) {
    const left = end - o.clock.monotonic();
    if (left <= 0) return;
    await delay(Math.min(left, ASK_EVERY_MS), o.signal);
  }
}

/** A disk that fails, no descriptor or memory left: the system's word, which may be another one later. Not a defect of ours. */
function nameSystemError(error: unknown): PullyuError | null {
  if (!(error instanceof Error) || !('syscall' in error) || errnoOf(error) === null) return null;
  return new PullyuError('failed', `the system refused what a look needs: ${error.message}`, {
    cause: error,
  });
}
