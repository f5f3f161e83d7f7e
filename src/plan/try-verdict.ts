/** May what was tried be pushed? Every action that the edits changed must have run well just as it is now. */
import type { Outcome } from '../model/run.ts';

export interface TriedAction {
  readonly name: string;
  /** Of the edited files. */
  readonly fingerprint: string;
  /** At the commit that the edits are based on; null when it has no such action. */
  readonly before: string | null;
  /** Is this host among its hosts? */
  readonly here: boolean;
  /** Its newest run in the try. */
  readonly run: {
    readonly outcome: Outcome;
    readonly exitCode: number | null;
    readonly fingerprint: string;
  } | null;
}

export type TryVerdict = 'unchanged' | 'ok' | 'not-here' | 'never' | 'edited' | 'failed';

/** `unchanged`, `ok` and `not-here` hold nothing back. */
export function verdictOf({ fingerprint, before, here, run }: TriedAction): TryVerdict {
  if (run === null || run.fingerprint !== fingerprint) {
    if (fingerprint === before) return 'unchanged';
    if (!here) return 'not-here';
    return run === null ? 'never' : 'edited';
  }
  return run.outcome === 'ok' ? 'ok' : 'failed';
}

/** What holds a push back, as a sentence without a full stop; null: nothing. */
export function objectionTo(action: TriedAction): string | null {
  const { name, run } = action;
  // That it does not work is no work of these edits.
  if (action.fingerprint === action.before) return null;
  switch (verdictOf(action)) {
    case 'never':
      return `${name} was changed and never tried`;
    case 'edited':
      return `${name} was changed since its last try`;
    case 'failed':
      return `the last try of ${name} ${run?.outcome === 'failed' && run.exitCode !== null ? `failed with exit code ${run.exitCode}` : `was ${run?.outcome}`}`;
    default:
      return null;
  }
}
