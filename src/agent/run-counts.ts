/**
 * Counts the runs that ended, by action and outcome. The journal forgets old runs when it is written anew, a counter must not: so each run
 * is added once, and what was added is remembered beside the journal. Pure.
 */
import { type ActionKey, actionKey } from '../model/action.ts';
import type { RunId } from '../model/ids.ts';
import type { Outcome, Run } from '../model/run.ts';

export type OutcomeCounts = Readonly<Partial<Record<Outcome, number>>>;

export interface RunCounts {
  readonly counts: Readonly<Record<ActionKey, OutcomeCounts>>;
  /** The newest run that was looked at. null: none yet. */
  readonly through: { readonly id: RunId; readonly startedAt: number } | null;
  /** Of those up to it: which had not ended. */
  readonly open: readonly RunId[];
}

export const noRunCounts: RunCounts = { counts: {}, through: null, open: [] };

/** @param runs Of the journal, newest first. @returns the same object when nothing has ended and none is new. */
export function countRuns(before: RunCounts, runs: readonly Run[]): RunCounts {
  const { through } = before;
  const [newest] = runs;
  if (newest === undefined) return before;
  const isKnown = runs.some(({ intent }) => intent.id === through?.id);
  const open = new Set(before.open);
  const counts: Record<ActionKey, OutcomeCounts> = { ...before.counts };
  const stillOpen: RunId[] = [];
  let isNew = true;
  let added = false;
  for (const { intent, result } of runs) {
    // The journal has forgotten the one that was looked at last: what began no later was looked at too.
    if (intent.id === through?.id || (through !== null && !isKnown && intent.startedAt <= through.startedAt))
      isNew = false;
    if (!isNew && !open.has(intent.id)) continue;
    if (result === null) {
      stillOpen.push(intent.id);
      continue;
    }
    const key = actionKey(intent.repo, intent.action);
    counts[key] = { ...counts[key], [result.outcome]: (counts[key]?.[result.outcome] ?? 0) + 1 };
    added = true;
  }
  if (!added && newest.intent.id === through?.id) return before;
  const { id, startedAt } = newest.intent;
  return { counts, through: { id, startedAt }, open: stillOpen };
}
