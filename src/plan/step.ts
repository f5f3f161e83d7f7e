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
  const { says, ...rest } = moment.pause === null ? verdict : underPause(verdict, moment.pause);
  return {
    ...body,
    due: rest.due,
    reason: rest.reason,
    sentence: `${printable(body.action, 80)}: ${says}.`,
    notBefore: rest.due ? moment.now : rest.notBefore,
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
