/** One look by this process, from the lock to the state file. */
import type { ExitCode } from '../errors.ts';
import { nextLookAt } from '../plan/next-look.ts';
import { delay } from '../system/clock.ts';
import type { Lock } from '../system/lock.ts';
import type { LookReport } from './look.ts';
import { busyError, openSession, type Session, type SessionOptions, takeLock } from './session.ts';

type OneLookOptions = Omit<SessionOptions, 'mode'>;

/** For the holder of the lock. */
export async function lookOnce(
  lock: Lock,
  o: OneLookOptions,
): Promise<{ exitCode: ExitCode; idle: boolean }> {
  const session = await openSession(lock, { ...o, mode: 'look' });
  try {
    const report = await session.looker.look();
    const next = laterLook(session, report);
    session.save(next);
    if (!report.idle && !o.signal.aborted) {
      await session.looker.tidy();
      // Housekeeping may have written the journal anew.
      session.save(next);
    }
    return { exitCode: report.exitCode, idle: report.idle };
  } finally {
    session.close();
  }
}

/** In trouble, when the heartbeat is to look again; null in peace: at its own time. */
function laterLook({ looker, context }: Session, report: LookReport): number | null {
  const { failures, retryAfterMs } = report;
  if (failures === 0 && retryAfterMs === null) return null;
  const { config, host } = looker.view();
  return nextLookAt({
    now: context.clock.now(),
    intervalMs: config.intervalMs,
    hostId: host.id,
    failures,
    retryAfterMs,
  });
}

const LOCK_WAIT_MS = 60_000;

/** Waits for a look that is at work (a heartbeat that was just installed is quick), then looks. @throws PullyuError `busy`. */
export async function runWithLock(o: OneLookOptions): Promise<ExitCode> {
  for (let waited = 0; ; waited += 50) {
    const taken = takeLock(o.paths, 'look');
    if ('lock' in taken) {
      try {
        return (await lookOnce(taken.lock, o)).exitCode;
      } finally {
        taken.lock.release();
      }
    }
    if (taken.holder?.command === 'agent') return await askForLook(o);
    if (waited >= LOCK_WAIT_MS || o.signal.aborted) throw busyError(taken.holder);
    await delay(50, o.signal);
  }
}

/** A daemon was faster: its look is as good as ours. */
async function askForLook(o: OneLookOptions): Promise<ExitCode> {
  const { askAgent } = await import('./socket.ts');
  const answer = await askAgent<{ exitCode: ExitCode }>(o.paths.state, 'POST', '/look', 15 * 60_000);
  if (answer === null) throw busyError(null);
  return answer.exitCode;
}
