/** One look by this process, from the lock to the state file. */
import { EXIT, type ExitCode } from '../errors.ts';
import type { Step } from '../model/plan.ts';
import { delay, timeoutSignal } from '../system/clock.ts';
import { type Lock, readLockHolder } from '../system/lock.ts';
import type { Paths } from '../system/paths.ts';
import type { LookReport } from './look.ts';
import {
  busyError,
  describeHolder,
  lockFile,
  openSession,
  type Session,
  type SessionOptions,
  takeLock,
} from './session.ts';
import type { LookAnswer } from './socket.ts';

interface OneLookOptions extends Omit<SessionOptions, 'mode'> {
  /** Repos in back-off are left alone. Otherwise a person wants to know now, and all are asked. */
  readonly heartbeat?: boolean;
}

export interface Looked extends Pick<LookReport, 'exitCode' | 'idle' | 'failures'> {
  /** Repos that were asked all the same, and until when they would have been left alone (milliseconds since 1970). */
  readonly early: readonly { readonly repo: string; readonly until: number }[];
  /** What a pause keeps from running; none when the look was idle. */
  readonly held: readonly Step[];
  /** Tells the fleet, after the lock was released: a status repository that is slow keeps nobody from looking. */
  tellFleet(): Promise<void>;
}

/** Longer than a push takes, shorter than anybody waits. What does not arrive is told by the next look. */
const TELL_MAX_MS = 30_000;
/** Somebody sits before it. */
const TELL_TYPED_MAX_MS = 10_000;

/** For the holder of the lock. */
export async function lookOnce(lock: Lock, o: OneLookOptions): Promise<Looked> {
  const session = await openSession(lock, { ...o, mode: 'look' });
  try {
    const waits = o.heartbeat === true ? [] : Object.entries(session.looker.waits());
    const begun = o.clock.now();
    const early = waits.map(([repo, waitMs]) => ({ repo, until: begun + waitMs }));
    const mayTry = session.fleet.mayTry().then((may) => may || o.heartbeat !== true);
    const report = await lookWithFleet(session, o.heartbeat !== true, mayTry);
    session.fleet.tell(report);
    const next = laterLook(session, report);
    session.save(next);
    if (!report.idle && !o.signal.aborted) {
      await session.looker.tidy();
      // Housekeeping may have written the journal anew.
      session.save(next);
    }
    const held = report.plan?.steps.filter((step) => step.reason === 'paused') ?? [];
    const { exitCode, idle, failures } = report;
    await session.fleet.settle();
    const tellMaxMs = o.heartbeat === true ? TELL_MAX_MS : TELL_TYPED_MAX_MS;
    const tellFleet = async () => {
      if (await mayTry) await session.fleet.flush(AbortSignal.any([o.signal, timeoutSignal(tellMaxMs)]));
      await session.fleet.close();
    };
    return { exitCode, idle, held, early, failures, tellFleet };
  } catch (error) {
    await session.fleet.close().catch(() => {});
    throw error;
  } finally {
    session.close();
  }
}

/**
 * For the holder of the lock, when it is too early to look again, perhaps for an hour: whoever does not hear of this host takes it for
 * gone. A heartbeat that is due is made; the state file stays as it is.
 * @returns delivers it, after the lock was released.
 */
export async function beatOnce(lock: Lock, o: OneLookOptions): Promise<() => Promise<void>> {
  const session = await openSession(lock, { ...o, mode: 'look' });
  const { fleet } = session;
  try {
    const mayTry = await fleet.mayTry();
    fleet.beat();
    return async () => {
      if (mayTry) await fleet.flush(AbortSignal.any([o.signal, timeoutSignal(TELL_MAX_MS)]));
      await fleet.close();
    };
  } catch (error) {
    await fleet.close().catch(() => {});
    throw error;
  } finally {
    session.close();
  }
}

/** The roster is read beside the look. When it brought something that an action waits for, there is one more. */
async function lookWithFleet(
  { looker, fleet }: Session,
  all: boolean,
  mayTry: Promise<boolean>,
): Promise<LookReport> {
  const before = fleet.stamp();
  const reading = mayTry.then((may) => (may ? fleet.refresh() : undefined));
  const report = await looker.look({ all });
  await reading;
  return fleet.stamp() === before ? report : looker.look();
}

/** When no repo may be asked now, when the heartbeat is to look again; null in peace: at its own time. */
function laterLook({ context }: Session, { askInMs, nextDueAt }: LookReport): number | null {
  if (askInMs === null) return null;
  return Math.min(context.clock.now() + askInMs, nextDueAt ?? Number.POSITIVE_INFINITY);
}

const LOCK_WAIT_MS = 60_000;
/** For the runs that a daemon has begun. */
const RUNS_WAIT_MS = 15 * 60_000;

/**
 * Waits for a look that is at work (a heartbeat that was just installed is quick), then looks. A daemon that was faster looks for us,
 * after what it runs already.
 * @param onWait Once, as soon as somebody else is found at work, with who it is.
 * @throws PullyuError `busy`.
 */
export async function runWithLock(
  o: OneLookOptions,
  onWait: (who: string) => void = () => {},
): Promise<ExitCode> {
  let told = false;
  const begun = o.clock.monotonic();
  for (;;) {
    const taken = takeLock(o.paths, 'look');
    if ('lock' in taken) {
      const look = await lookOnce(taken.lock, o).finally(() => taken.lock.release());
      await look.tellFleet();
      return look.exitCode;
    }
    const isDaemon = taken.holder?.command === 'agent';
    if (!told) onWait(describeHolder(taken.holder));
    told = true;
    const answer = isDaemon ? await askForLook(o.paths, o.signal) : null;
    if (answer !== null && answer.exitCode !== EXIT.busy) return answer.exitCode;
    const limit = answer === null ? LOCK_WAIT_MS : RUNS_WAIT_MS;
    if (o.clock.monotonic() - begun >= limit || o.signal.aborted) throw busyError(taken.holder);
    await delay(isDaemon ? 200 : 50, o.signal);
  }
}

const ANSWER_WAIT_MS = 10_000;
const LOOK_TIMEOUT_MS = 15 * 60_000;

/**
 * Has the daemon of this host look. One that was just started, or that reads its configuration anew, answers a moment later.
 * @returns exit code `busy`: an action is running, a look follows it. null: none answers.
 */
export async function askForLook(paths: Paths, signal: AbortSignal): Promise<LookAnswer | null> {
  const { askAgent } = await import('./socket.ts');
  for (let waited = 0; waited < ANSWER_WAIT_MS && !signal.aborted; waited += 100) {
    const answer = await askAgent<LookAnswer>(paths.state, 'POST', '/look', LOOK_TIMEOUT_MS);
    if (answer !== null) return answer;
    if (readLockHolder(lockFile(paths))?.command !== 'agent') return null;
    await delay(100, signal);
  }
  return null;
}
