import type { Action } from '../model/action.ts';
import type { CommitId } from '../model/ids.ts';
import type { ActionMemory } from '../model/plan.ts';
import type { FingerprintParts, Run, RunResult } from '../model/run.ts';
import type { ActionRoster } from './presence-triggers.ts';

/** All that a decision about the work of one action may look at. */
export interface Situation {
  readonly action: Action;
  readonly memory: ActionMemory | null;
  /** The commit whose tree it would run in: the target, or an earlier one for catch-up. */
  readonly commit: CommitId;
  readonly fingerprint: string;
  readonly parts: FingerprintParts;
  /** null without a presence trigger. */
  readonly roster: ActionRoster | null;
  readonly now: number;
  readonly bootId: string;
  readonly bootedAt: number;
}

export interface EndedRun extends Run {
  readonly result: RunResult;
}

export function isEnded(run: Run | null | undefined): run is EndedRun {
  return run !== null && run !== undefined && run.result !== null;
}

/** The intent was recorded, and the agent died before there was a process: nothing was done. */
export function neverBegan(run: EndedRun): boolean {
  return run.result.interruption === 'never-began';
}

/** The last success that still stands: none when it was undone since. */
export function standingSuccess(memory: ActionMemory | null): Run | null {
  if (memory === null || !memory.applied) return null;
  return memory.lastSuccess?.intent.purpose === 'work' ? memory.lastSuccess : null;
}

/** Attempts in a row before this one, 0 when the last run was about something else or succeeded. */
export function attemptsOn(memory: ActionMemory | null, fingerprint: string): number {
  const last = memory?.lastRun;
  if (!last || last.intent.fingerprint !== fingerprint) return 0;
  return last.result?.outcome === 'ok' ? 0 : (memory?.attempts ?? 0);
}

/** The fingerprint of undoing what was done on `fingerprint`: its attempts are counted apart from those of the work. */
export function undoFingerprint(fingerprint: string): string {
  return `undo:${fingerprint}`;
}

const CATCH_UP = 'commit:';

/** The fingerprint of one commit of several to be run in order; the last of them has the fingerprint of the target. */
export function catchUpFingerprint(commit: CommitId): string {
  return `${CATCH_UP}${commit}`;
}

export function isCatchUpFingerprint(fingerprint: string): boolean {
  return fingerprint.startsWith(CATCH_UP);
}
