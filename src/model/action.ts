import type { Selector } from './labels.ts';

/** `idempotent`: re-run until it succeeds. `once`: started at most once per fingerprint. `check`: its probe decides. */
export type ActionKind = 'idempotent' | 'once' | 'check';

export type Trigger =
  | { readonly type: 'change' }
  | { readonly type: 'look' }
  | { readonly type: 'boot' }
  /** Until its first success on this host, then never again (the convention's init). */
  | { readonly type: 'bootstrap' }
  | { readonly type: 'schedule'; readonly cron: string; readonly tz: string | null }
  | PresenceTrigger;

/** The live hosts with these labels are others than at its last success, or one of them has other addresses or facts. */
export interface PresenceTrigger {
  readonly type: 'presence';
  readonly of: Selector;
  /** A change counts when it has lasted for so long. */
  readonly settleMs: number;
  /** The facts of those hosts that count, sorted; a fact that is not named re-runs nothing. */
  readonly facts: readonly string[];
}

export interface RetryPolicy {
  /** First wait after a failure; doubles each time. */
  readonly delayMs: number;
  readonly delayMaxMs: number;
  /** After so many attempts on one fingerprint the action is parked. */
  readonly attempts: number;
}

/** A number, or a share of what the machine has. */
export type Amount = number | `${number}%`;

/** What one run, with everything that it started, may use. null: as much as there is. A key that is absent: nothing is said about it. */
export interface RunLimits {
  /** Bytes. */
  readonly memory?: Amount | null;
  /** Processes and threads at one time. */
  readonly processes?: Amount | null;
  /** Open files of each process. */
  readonly files?: number | null;
}

/** A command: `[0]` is a path in the tree when a file is there, else a program on the PATH. Never empty. */
export type Argv = readonly string[];

/** A named script of a repo with its conditions, every default decided. */
export interface Action {
  readonly repo: string;
  readonly name: string;
  readonly origin: 'pullyu.yaml' | 'convention';
  readonly run: Argv;
  readonly hosts: Selector | null;
  /** Globs over paths of the repository: what is relevant. Never empty. */
  readonly paths: readonly string[];
  readonly on: readonly Trigger[];
  readonly check: Argv | null;
  readonly timeoutMs: number;
  readonly user: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly after: readonly string[];
  readonly kind: ActionKind;
  readonly catchUp: 'latest' | 'each';
  readonly undo: Argv | null;
  readonly retry: RetryPolicy;
  /** Asked for by the action itself: a host that cannot keep them refuses the run. Absent: none. */
  readonly limits?: RunLimits;
}

/** `repo/name`: the key of an action on a host. */
export type ActionKey = string & { readonly __brand: 'ActionKey' };

export function actionKey(repo: string, name: string): ActionKey {
  return `${repo}/${name}` as ActionKey;
}
