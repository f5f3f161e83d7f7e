import type { RetryPolicy } from '../model/action.ts';
import { type CommitId, shortId } from '../model/ids.ts';
import type { ActionMemory } from '../model/plan.ts';
import { printable } from '../model/printable.ts';
import { EXIT_NEEDS_HUMAN } from '../model/run.ts';
import { LOOK_RETRY_MAX_MS, retryAt, SLOW_RETRY_MS } from './retry.ts';
import { formatEnd, formatTime } from './sentence.ts';
import { type EndedRun, neverBegan } from './situation.ts';
import { rests, runs, type Verdict } from './verdict.ts';

/** So many restarts of the machine in a row, each in the middle of the same work, are one too many. */
const REBOOTS_MAX = 3;

interface Failure {
  /** The newest run: of this fingerprint, ended, not `ok`. */
  readonly run: EndedRun;
  readonly memory: ActionMemory;
  readonly policy: RetryPolicy;
  /** The commit that would be tried now. Another one than the run's gives one immediate try. */
  readonly commit: CommitId;
  /** Runs at every look: never parked for failing often, and tried again at the next look, then less often. */
  readonly everyLook: boolean;
  /** The first scheduled time after the run began; null without a schedule. */
  readonly scheduledAt: number | null;
  readonly now: number;
  readonly bootId: string;
}

/** What follows from a run that did not succeed; null when nothing does: it gave way to a newer commit, or never began. */
export function decideAfterFailure(failure: Failure): Verdict | null {
  const { run, memory } = failure;
  const { outcome, exitCode } = run.result;
  if (outcome === 'superseded' || neverBegan(run)) return null;
  const attempt = `attempt ${run.intent.attempt} ${formatEnd(run)}`;
  if (run.intent.commit !== failure.commit) {
    const reason = outcome === 'interrupted' ? 'interrupted' : 'retry';
    return runs(reason, `runs again, ${attempt} at ${shortId(run.intent.commit)} and a new commit came`);
  }
  const redo = `"pullyu redo ${printable(run.intent.action, 80)}"`;
  if (outcome === 'interrupted') return decideAfterInterruption(failure, redo);
  if (exitCode === EXIT_NEEDS_HUMAN) {
    return rests('parked', `is parked, ${attempt}; a new commit or ${redo} tries it again`);
  }
  if (!failure.everyLook && memory.failures >= failure.policy.attempts) return decideParked(failure, redo);
  return waitFor(failure, attemptWait(failure, memory.attempts), attempt);
}

/** Cut off once: at once again. By the machine's restart: at once, up to a bound. Otherwise it backs off as failures do. */
function decideAfterInterruption(failure: Failure, redo: string): Verdict {
  const { run, memory, bootId } = failure;
  const { attempt } = run.intent;
  const byReboot =
    (run.result.interruption ?? (run.intent.bootId === bootId ? 'killed' : 'reboot')) === 'reboot';
  const cause = byReboot ? 'was cut off by a restart of the machine' : 'was cut off';
  if (memory.reboots >= REBOOTS_MAX) {
    const often = `${memory.reboots} restarts of the machine in a row cut it off`;
    return rests('parked', `is parked, ${often}; a new commit or ${redo} tries it again`);
  }
  if (byReboot || memory.attempts <= 1) {
    return runs('interrupted', `runs again, attempt ${attempt} ${cause}`);
  }
  const verdict = waitFor(failure, attemptWait(failure, memory.attempts - 1), `attempt ${attempt} ${cause}`);
  return verdict.due ? { ...verdict, reason: 'interrupted' } : verdict;
}

function decideParked(failure: Failure, redo: string): Verdict {
  const { run, memory, now } = failure;
  const often = memory.failures === 1 ? 'once' : `${memory.failures} times in a row`;
  const why = `failed ${often}, the last attempt ${formatEnd(run)}`;
  const at = slowRetryAt(failure);
  if (isOver(at, run.result.endedAt, now)) {
    return runs('retry', `runs again, it ${why}, and is still tried once a day`);
  }
  return rests(
    'parked',
    `is parked, it ${why}; it is tried again at ${formatTime(at)}, by a new commit, or by ${redo}`,
    at,
  );
}

/** After a day; at its scheduled time when that comes first, but never more often than the longest wait of its policy. */
function slowRetryAt({ run, policy, scheduledAt }: Failure): number {
  const { endedAt } = run.result;
  const slow = endedAt + SLOW_RETRY_MS;
  return scheduledAt === null ? slow : Math.min(slow, Math.max(scheduledAt, endedAt + policy.delayMaxMs));
}

function attemptWait(failure: Failure, attempts: number): number {
  const { run, policy } = failure;
  const { endedAt } = run.result;
  if (!failure.everyLook) return retryAt(policy, attempts, endedAt, run.intent.id);
  if (attempts <= 1) return endedAt;
  const delayMaxMs = Math.min(policy.delayMaxMs, LOOK_RETRY_MAX_MS);
  return retryAt({ ...policy, delayMaxMs }, attempts - 1, endedAt, run.intent.id);
}

function waitFor(failure: Failure, at: number, attempt: string): Verdict {
  if (isOver(at, failure.run.result.endedAt, failure.now)) {
    return runs('retry', `runs again, ${attempt} and its wait is over`);
  }
  return rests('backing-off', `waits until ${formatTime(at)}, ${attempt}`, at);
}

/** An end that lies ahead means that the clock was set back: nobody knows how long ago it was, so one try is given. */
function isOver(at: number, endedAt: number, now: number): boolean {
  return at <= now || endedAt > now;
}
