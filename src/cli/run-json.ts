import { join } from 'node:path';
import type { TreeRunReport } from '../agent/tree-run.ts';
import type { Run } from '../model/run.ts';

/** A run as `history --json` and `status --json` show it. docs/json.md is its contract. */
export interface RunJson {
  readonly id: string;
  readonly repo: string;
  readonly action: string;
  readonly purpose: 'work' | 'undo';
  readonly commit: string;
  readonly reason: string;
  readonly attempt: number;
  /** null while it is running. */
  readonly outcome: string | null;
  readonly exitCode: number | null;
  readonly note: string | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** The file of its output; it is removed after a while (`limits.runsKeptPerAction`). */
  readonly log: string;
}

/** A run that `run` and `try run` made, which need not be in the history. */
export interface HandRunJson extends Omit<RunJson, 'id' | 'commit' | 'log'> {
  readonly recorded: boolean;
  /** null: not recorded. */
  readonly id: string | null;
  /** null: its files are not as any commit has them. */
  readonly commit: string | null;
  /** null: not recorded, and not kept. */
  readonly log: string | null;
}

export function formatUnrecordedJson(repo: string, report: TreeRunReport): HandRunJson {
  const { action, snapshot, startedAt, result } = report;
  return {
    recorded: false,
    id: null,
    repo,
    action: action.name,
    purpose: 'work',
    commit: snapshot.isCommitted ? snapshot.head : null,
    reason: 'manual',
    attempt: 1,
    outcome: result.outcome,
    exitCode: result.exitCode,
    note: result.note,
    startedAt: new Date(startedAt).toISOString(),
    endedAt: new Date(result.endedAt).toISOString(),
    log: null,
  };
}

export function formatRunJson({ intent, result }: Run, stateFolder: string): RunJson {
  return {
    id: intent.id,
    repo: intent.repo,
    action: intent.action,
    purpose: intent.purpose,
    commit: intent.commit,
    reason: intent.reason,
    attempt: intent.attempt,
    outcome: result?.outcome ?? null,
    exitCode: result?.exitCode ?? null,
    note: result?.note ?? null,
    startedAt: new Date(intent.startedAt).toISOString(),
    endedAt: result === null ? null : new Date(result.endedAt).toISOString(),
    log: join(stateFolder, 'runs', intent.id, 'output.log'),
  };
}
