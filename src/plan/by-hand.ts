/** The step that a person asks for by `pullyu run`: what the plan says of the action, and run all the same. */
import type { Step } from '../model/plan.ts';
import { printable } from '../model/printable.ts';

export type ByHand =
  | { readonly kind: 'step'; readonly step: Step }
  /** `unknown`: there is no such action. `refused`: it must not be run here. `busy`: it is running. */
  | { readonly kind: 'unknown' | 'refused' | 'busy'; readonly says: string };

/** @param steps Of the whole plan. Of an action that catches up commit by commit the oldest that is not done is taken. */
export function stepByHand(steps: readonly Step[], repo: string, action: string): ByHand {
  const own = steps.filter(
    (step) => step.repo === repo && step.action === action && step.definition !== null,
  );
  const step = own.find((one) => one.due) ?? own.at(0);
  if (step === undefined) return { kind: 'unknown', says: `${repo} has no action ${printable(action, 80)}` };
  if (step.reason === 'not-selected' || step.purpose === 'undo')
    return { kind: 'refused', says: step.sentence };
  if (step.reason === 'running') return { kind: 'busy', says: step.sentence };
  const sentence = `${printable(action, 80)}: runs, started by hand.`;
  return { kind: 'step', step: { ...step, due: true, reason: 'manual', sentence } };
}
