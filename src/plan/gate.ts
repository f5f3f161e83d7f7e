import type { Action } from '../model/action.ts';
import type { RestReason } from '../model/plan.ts';
import { printable } from '../model/printable.ts';
import { rests, type Verdict } from './verdict.ts';
import type { Decided } from './work.ts';

/** Why what comes after an action has to wait, in words; a reason that is not here holds nobody back. */
const HOLDS: Partial<Record<RestReason, string>> = {
  'backing-off': 'waits after a failure',
  parked: 'is parked',
  unknown: 'is unknown',
  waiting: 'waits itself',
  running: 'is running',
};

/** What was decided about the actions of one repo so far, by name; one that is not for this host is not among them. */
type DecidedBefore = ReadonlyMap<string, readonly Decided[]>;

/**
 * Holds due work back while an action that it comes after has not succeeded. One that is due in the same plan holds
 * nothing back: it runs first, and whoever carries out the plan looks at how it ended.
 */
export function gate(action: Action, entries: readonly Decided[], before: DecidedBefore): readonly Decided[] {
  const held = action.after.flatMap((name): Verdict[] => {
    const says = whatHolds(before.get(name) ?? []);
    return says === null ? [] : [rests('waiting', `waits for ${printable(name, 80)}, which ${says}`)];
  });
  const [verdict] = held;
  if (verdict === undefined) return entries;
  return entries.map((entry) => (entry.verdict.due ? { ...entry, verdict } : entry));
}

function whatHolds(entries: readonly Decided[]): string | null {
  for (const { verdict } of entries) {
    const says = verdict.due ? undefined : HOLDS[verdict.reason];
    if (says !== undefined) return says;
  }
  return null;
}
