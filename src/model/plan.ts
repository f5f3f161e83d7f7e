import type { Action, ActionKey, Argv } from './action.ts';
import type { Host } from './host.ts';
import type { CommitId } from './ids.ts';
import type { FingerprintParts, Outcome, RosterPart, Run, RunReason } from './run.ts';

/** Why an action is not due. */
export type RestReason =
  | 'current' // its last success has this fingerprint
  | 'not-selected' // the host is not among its hosts
  | 'backing-off' // failed; waits until `notBefore`
  | 'parked' // a human is needed
  | 'unknown' // a `once` run was cut off: nobody knows whether it was done
  | 'waiting' // an action that it comes after has not succeeded, or the roster that it declares was not read yet
  | 'not-yet' // its next scheduled time has not come
  | 'paused'
  | 'running'; // a run of it is open

export type StepReason = RunReason | RestReason;

/** What the planner says about one action (for `catchUp: each`: about one commit of it). Data: running it is separate. */
export interface Step {
  readonly repo: string;
  readonly action: string;
  readonly due: boolean;
  readonly reason: StepReason;
  /** One sentence, ended by a full stop, the same in `plan`, `why`, the log and the run. */
  readonly sentence: string;
  readonly purpose: 'work' | 'undo';
  /** The commit whose tree it must run in: the target, an earlier one for catch-up, or the last one that had it for undo. */
  readonly commit: CommitId;
  readonly fingerprint: string;
  readonly parts: FingerprintParts;
  readonly attempt: number;
  /** Milliseconds since 1970 from which it may become due without any new commit; null when only an event can do that. */
  readonly notBefore: number | null;
  /** The definition to run; null for the undo of an action that is gone (then `undo` says what to run). */
  readonly definition: Action | null;
  readonly undo: { readonly run: Argv; readonly user: string | null } | null;
}

export interface Plan {
  /** Every action of every repo, in the order in which due ones are to be run. */
  readonly steps: readonly Step[];
  /** The earliest `notBefore` of all steps: nothing can become due before it without an event. Null: never. */
  readonly nextDueAt: number | null;
}

/** One repo as the planner sees it. */
export interface RepoInput {
  readonly name: string;
  readonly target: CommitId;
  readonly actions: readonly Action[];
  /** Digest per glob of `contentGlobs(action)` at the target; null when nothing in the tree matches it. */
  readonly contents: ReadonlyMap<string, string | null>;
  /** For actions with `catchUp: each`: first-parent commits after the last success that touched its paths, oldest first. */
  readonly histories: ReadonlyMap<ActionKey, readonly CommitId[]>;
}

/** What the journal remembers about one action, folded. */
export interface ActionMemory {
  readonly repo: string;
  readonly action: string;
  readonly lastSuccess: Run | null;
  /** The newest run, open or ended. */
  readonly lastRun: Run | null;
  /** Runs started in a row on the newest fingerprint without a success since (temporary failures, exit 75, included). */
  readonly attempts: number;
  /** Of those, the ones that count towards parking (not exit 75, not interrupted, not superseded). */
  readonly failures: number;
  /** Interruptions in a row by a reboot, for the same fingerprint: bounds reboot loops. */
  readonly reboots: number;
  /** When the agent first knew of it: the base of schedules. */
  readonly seenAt: number;
  /** Asked for by `pullyu redo` since the last run started. */
  readonly redo: boolean;
  /** A successful work run has happened and no successful undo after it. */
  readonly applied: boolean;
  /**
   * Only for runs with `kind: once`: every fingerprint on which a work run was ever started, with how that run ended
   * (null while it is open). It outlives compaction: without it a revert could start the same thing a second time.
   */
  readonly onceStarts?: ReadonlyMap<string, Outcome | null>;
}

export interface Pause {
  readonly reason: string;
  readonly since: number;
  /** Milliseconds since 1970; a pause always ends. */
  readonly until: number;
}

/** What the planner knows of other hosts. */
export interface RosterView {
  /** False: host.yaml has no `status`, so this host never finds any other. */
  readonly isConfigured: boolean;
  /** By `presenceKey(trigger)`. One that is missing was not read yet: that says nothing about who lives. */
  readonly triggers: ReadonlyMap<string, TriggerRoster>;
}

/** The live hosts that one presence trigger means. */
export interface TriggerRoster {
  /** What counts. */
  readonly settled: RosterPart;
  /** Another roster that was seen and has not lasted long enough; null when there is none. */
  readonly pending: RosterPart | null;
  /** When `pending` counts if it lasts, milliseconds since 1970; null without one. */
  readonly wakeAt: number | null;
}

export interface PlanInput {
  readonly now: number;
  readonly bootId: string;
  /** When this boot began, milliseconds since 1970. */
  readonly bootedAt: number;
  readonly host: Host;
  readonly repos: readonly RepoInput[];
  readonly memory: ReadonlyMap<ActionKey, ActionMemory>;
  readonly pause: Pause | null;
  /** null: nothing was read yet. Only actions with a presence trigger ask. */
  readonly roster: RosterView | null;
}
