import type { Pause, Step } from '../model/plan.ts';
import { printable } from '../model/printable.ts';
import { formatTime } from './sentence.ts';
import { rests, type Verdict } from './verdict.ts';

/** What is the same for every decision of one look. */
export interface Moment {
  readonly now: number;
  readonly bootId: string;
  readonly bootedAt: number;
  /** Only a pause that is not over. */
  readonly pause: Pause | null;
}

/** A step without what the verdict says. */
export type StepBody = Omit<Step, 'due' | 'reason' | 'sentence' | 'notBefore'>;

export function makeStep(body: StepBody, verdict: Verdict, moment: Moment): Step {
  const decided = moment.pause === null ? verdict : underPause(verdict, moment.pause);
  // Field by field: there may be a thousand steps, and a spread costs as much as the decision.
  return {
    repo: body.repo,
    action: body.action,
    due: decided.due,
    reason: decided.reason,
    sentence: `${printable(body.action, 80)}: ${decided.says}.`,
    purpose: body.purpose,
    commit: body.commit,
    fingerprint: body.fingerprint,
    parts: body.parts,
    attempt: body.attempt,
    notBefore: decided.due ? moment.now : decided.notBefore,
    definition: body.definition,
    undo: body.undo,
  };
}

/** A pause holds everything back, and says what it holds back. */
function underPause(verdict: Verdict, pause: Pause): Verdict {
  if (!verdict.due) {
    const { notBefore } = verdict;
    return { ...verdict, notBefore: notBefore === null ? null : Math.max(notBefore, pause.until) };
  }
  const reason = pause.reason === '' ? 'no reason was given' : printable(pause.reason);
  const says = `is paused until ${formatTime(pause.until)} (${reason}); without the pause it ${verdict.says}`;
  return rests('paused', says, pause.until);
}
