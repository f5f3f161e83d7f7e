import type { ActionKind, Argv } from './action.ts';
import type { CommitId, RunId } from './ids.ts';

/** How a run ended. */
export type Outcome = 'ok' | 'failed' | 'timed-out' | 'interrupted' | 'superseded' | 'refused';

/** Why a run was started (or an action is not due). The planner has a sentence for each. */
export type RunReason =
  | 'first' // never succeeded on this host
  | 'changed' // content of its paths differs from that of its last success
  | 'definition' // the action itself was changed
  | 'labels' // a label that it declares was changed
  | 'presence' // the live hosts that it declares changed
  | 'catch-up' // one of several commits to be run in order
  | 'retry' // the last attempt failed, its wait is over (or a new commit came)
  | 'interrupted' // the last attempt was cut off
  | 'look' // runs at every look
  | 'boot' // the machine was started since
  | 'schedule' // its time has come
  | 'redo' // asked for by the operator
  | 'undo' // the host left its selection
  | 'manual'; // `pullyu run`

/** The durable intent: written and synced before the process exists. Times are milliseconds since 1970. */
export interface RunIntent {
  readonly id: RunId;
  readonly repo: string;
  readonly action: string;
  readonly purpose: 'work' | 'undo';
  readonly commit: CommitId;
  readonly fingerprint: string;
  /** What the fingerprint was made of, to say later what differs: digest per part. */
  readonly parts: FingerprintParts;
  readonly reason: RunReason;
  /** 1 for the first try on this fingerprint. */
  readonly attempt: number;
  readonly kind: ActionKind;
  readonly timeoutMs: number;
  readonly bootId: string;
  readonly startedAt: number;
  /** Kept, so that an action which vanishes from the repository can still be undone. */
  readonly undo: { readonly run: Argv; readonly user: string | null } | null;
}

export interface FingerprintParts {
  readonly content: string;
  readonly definition: string;
  readonly labels: string;
  /** Only of an action with a presence trigger. */
  readonly roster?: RosterPart;
}

/** The live hosts that an action declares, as they count for it. */
export interface RosterPart {
  readonly digest: string;
  /** How many hosts. */
  readonly count: number;
  /** Name and a short digest of each, sorted by name; null when there are more than a record should hold. */
  readonly members: readonly (readonly [name: string, digest: string])[] | null;
}

/** The durable result. */
export interface RunResult {
  readonly id: RunId;
  readonly outcome: Outcome;
  /** null when the process did not end by itself, or never began. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly endedAt: number;
  /** One sentence for people when the outcome needs one; null when it speaks for itself. */
  readonly note: string | null;
  /** Only for outcome `interrupted`: what cut it off. */
  readonly interruption?: Interruption;
}

/**
 * `never-began`: for certain, nothing of it was executed, so it is no start of a `once` action. `reboot`: the machine went
 * down under it. `killed`: on this boot, its processes were gone before they could say how it ended.
 */
export type Interruption = 'never-began' | 'reboot' | 'killed';

/** A run as history shows it; `result` is null while it is open. */
export interface Run {
  readonly intent: RunIntent;
  readonly result: RunResult | null;
}

/** Exit codes by which a script talks back (sysexits.h). */
export const EXIT_TRY_AGAIN = 75;
export const EXIT_NEEDS_HUMAN = 78;
