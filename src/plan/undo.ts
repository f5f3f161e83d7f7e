import type { Action } from '../model/action.ts';
import type { CommitId } from '../model/ids.ts';
import { formatSelector } from '../model/labels.ts';
import type { ActionMemory, Step } from '../model/plan.ts';
import { printable } from '../model/printable.ts';
import { decideAfterFailure } from './failure.ts';
import { UNDO_RETRY } from './retry.ts';
import { decideRunning } from './running.ts';
import { attemptsOn, type EndedRun, isEnded, undoFingerprint } from './situation.ts';
import { type Moment, makeStep, type StepBody } from './step.ts';
import { runs, type Verdict } from './verdict.ts';

/** The undo of an action that a host no longer has, or null when nothing was done or nothing undoes it. */
export function planUndo(
  memory: ActionMemory | null,
  current: { readonly action: Action; readonly target: CommitId } | null,
  moment: Moment,
): Step | null {
  const success = memory?.lastSuccess;
  if (!memory?.applied || !success || success.intent.purpose !== 'work') return null;
  const { intent } = success;
  const own = current?.action.undo ? current : null;
  const undo = own ? { run: own.action.undo ?? [], user: own.action.user } : intent.undo;
  if (undo === null) return null;
  const body: StepBody = {
    repo: memory.repo,
    action: memory.action,
    purpose: 'undo',
    commit: own ? own.target : intent.commit,
    fingerprint: undoFingerprint(intent.fingerprint),
    parts: intent.parts,
    attempt: attemptsOn(memory, undoFingerprint(intent.fingerprint)) + 1,
    definition: current?.action ?? null,
    undo,
  };
  const why = current
    ? `this host is no longer among its hosts (${printable(formatSelector(current.action.hosts))})`
    : 'it is no longer in the repository';
  return makeStep(body, decide(body, memory, why, moment), moment);
}

/** Whatever the kind of the work: an undo is tried until it succeeds. */
function decide(body: StepBody, memory: ActionMemory, why: string, moment: Moment): Verdict {
  const { lastRun } = memory;
  const running = decideRunning(memory);
  if (running !== null) return running;
  const asked = runs('undo', `is undone, ${why}`);
  if (memory.redo || !isEnded(lastRun) || lastRun.intent.fingerprint !== body.fingerprint) return asked;
  if (lastRun.result.outcome === 'ok') return asked;
  const verdict = afterFailure(body, lastRun, memory, moment);
  return verdict === null ? asked : wordForUndo(verdict, why);
}

function afterFailure(body: StepBody, run: EndedRun, memory: ActionMemory, moment: Moment): Verdict | null {
  return decideAfterFailure({
    run,
    memory,
    policy: body.definition?.retry ?? UNDO_RETRY,
    commit: body.commit,
    everyLook: false,
    scheduledAt: null,
    now: moment.now,
    bootId: moment.bootId,
  });
}

function wordForUndo(verdict: Verdict, why: string): Verdict {
  const says = `${verdict.says.replace(/^runs again/, 'is undone again')}; ${why}`;
  return verdict.due ? { ...verdict, reason: 'undo', says } : { ...verdict, says };
}
