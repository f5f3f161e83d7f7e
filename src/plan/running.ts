import { shortId } from '../model/ids.ts';
import type { ActionMemory } from '../model/plan.ts';
import { formatTime } from './sentence.ts';
import { rests, type Verdict } from './verdict.ts';

/** While a run of an action is open nothing else is decided about it. Null: none is. */
export function decideRunning(memory: ActionMemory | null): Verdict | null {
  const last = memory?.lastRun;
  if (!last || last.result !== null) return null;
  const { purpose, commit, startedAt } = last.intent;
  const what = purpose === 'undo' ? 'is being undone' : 'is running';
  return rests('running', `${what} at ${shortId(commit)} since ${formatTime(startedAt)}`);
}
