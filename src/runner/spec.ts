/** What the agent asks of the runner, and what it gets. */
import type { Argv } from '../model/action.ts';
import type { Host, Limits } from '../model/host.ts';
import type { CommitId } from '../model/ids.ts';
import type { Labels } from '../model/labels.ts';
import type { RunIntent, RunResult } from '../model/run.ts';
import type { LimitSources } from './run-limits.ts';

/** One run. The intent is in the journal already. All paths are absolute. */
export interface RunSpec {
  readonly intent: RunIntent;
  readonly argv: Argv;
  /** The checked-out files of the commit: the working directory. */
  readonly tree: string;
  readonly host: Host;
  readonly labels: Labels;
  /** Of the last success; null the first time. */
  readonly lastCommit: CommitId | null;
  /** The last attempt was cut off. */
  readonly interrupted: boolean;
  /** Paths that differ between `lastCommit` and the commit. */
  readonly changedFiles: readonly string[];
  /** Run as this user; null: as the agent's own. */
  readonly user: string | null;
  /** The action's own variables. */
  readonly env: Readonly<Record<string, string>>;
  /** PULLYU_STATE_DIR; made when it is missing. */
  readonly stateFolder: string;
  /** Named for the run's id. Reserved before the intent was written (`reserveRunFolder`), else made here. */
  readonly runFolder: string;
  readonly limits: Pick<Limits, 'outputMaxBytes'>;
  /** What it may use of the machine. Absent: no limits. */
  readonly uses?: LimitSources;
  /** PULLYU_ROSTER; made with this host alone when it is missing. */
  readonly rosterFile: string;
  /** Default: `DEFAULT_PATH`. */
  readonly path?: string;
  /** `--root` of the agent, for a `pullyu` that the script calls; null or absent without one. */
  readonly root?: string | null;
}

/** A run that has begun, or is being waited for after a crash. */
export interface StartedRun {
  readonly intent: RunIntent;
  readonly outputFile: string;
  /** Never rejects. Settles when the action's own process has ended, not when its daemons have. */
  readonly done: Promise<RunResult>;
  /** Ends everything that the run ever started: TERM, then KILL. Nothing happens when it has ended already. */
  end(why: EndReason): void;
  /** Stops watching without ending it: the run goes on, and `resumeRun` finds it. `done` then never settles. */
  leave(): void;
}

export type EndReason = 'timed-out' | 'superseded';

/** Tells a run that goes on from one that has its result already (refused, or collected after a crash). */
export function isStarted(run: StartedRun | RunResult): run is StartedRun {
  return 'done' in run;
}
