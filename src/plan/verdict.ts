import type { RestReason } from '../model/plan.ts';
import type { RunReason } from '../model/run.ts';

/**
 * What is decided about one action, before it becomes a step. `says` is a predicate in the present tense, to follow the
 * name of the action or "it": `runs for the first time on this host`.
 */
export type Verdict =
  | { readonly due: true; readonly reason: RunReason; readonly says: string }
  | {
      readonly due: false;
      readonly reason: RestReason;
      readonly says: string;
      /** Milliseconds since 1970, after now; null when only an event can change it. */
      readonly notBefore: number | null;
    };

export function runs(reason: RunReason, says: string): Verdict {
  return { due: true, reason, says };
}

export function rests(reason: RestReason, says: string, notBefore: number | null = null): Verdict {
  return { due: false, reason, says, notBefore };
}
