/**
 * From records to memory. The journal is the truth, this is what it says: the same records give the same state, always.
 * No clock, no file; a pause, for example, stays in the state when its time is over, and the reader compares.
 */
import { type ActionKey, actionKey } from '../model/action.ts';
import type { CommitId, RunId } from '../model/ids.ts';
import type { ActionMemory, Pause } from '../model/plan.ts';
import { EXIT_TRY_AGAIN, type Outcome, type Run, type RunIntent, type RunResult } from '../model/run.ts';
import type { MemoryRecord, StoredRecord } from './record.ts';

/** Ended runs that are held in memory. Open runs and those that a memory names are held in any case. */
export const RUNS_IN_MEMORY = 2_000;
const FORGOTTEN_AT_ONCE = 200;

export interface JournalState {
  /** In the order in which they were started, oldest first. */
  readonly runs: Map<RunId, Run>;
  readonly open: Map<RunId, RunIntent>;
  readonly memory: Map<ActionKey, ActionMemory>;
  /** Per repo. */
  readonly targets: Map<
    string,
    { readonly commit: CommitId; readonly remote: string; readonly track?: string }
  >;
  readonly accepted: Map<string, CommitId>;
  readonly applied: Map<string, CommitId>;
  pause: Pause | null;
}

export function emptyState(): JournalState {
  return {
    runs: new Map(),
    open: new Map(),
    memory: new Map(),
    targets: new Map(),
    accepted: new Map(),
    applied: new Map(),
    pause: null,
  };
}

/**
 * The state after one more record. Takes `state` over: the caller goes on with what is returned and forgets what it gave.
 * (A copy for each record would make reading a large journal quadratic.) Every value inside is replaced, never changed, so
 * a memory or a run that was handed out stays as it was.
 */
export function foldRecord(state: JournalState, record: StoredRecord): JournalState {
  switch (record.type) {
    case 'started':
      foldStarted(state, record.intent);
      break;
    case 'finished':
      foldFinished(state, record.result);
      break;
    case 'target': {
      const { repo, commit, remote, track } = record;
      // An acceptance is for one move. If it outlived the move, the way back to that commit would stay open for ever.
      if (state.targets.get(repo)?.commit !== commit) state.accepted.delete(repo);
      state.targets.set(repo, { commit, remote, ...(typeof track === 'string' ? { track } : {}) });
      break;
    }
    case 'accepted':
      state.accepted.set(record.repo, record.commit);
      break;
    case 'applied':
      state.applied.set(record.repo, record.commit);
      break;
    case 'paused':
      state.pause = { reason: record.reason, since: record.since, until: record.until };
      break;
    case 'resumed':
      state.pause = null;
      break;
    case 'redo': {
      const memory = memoryOf(state, record.repo, record.action);
      remember(state, { ...memory, redo: true });
      break;
    }
    case 'seen': {
      const known = state.memory.get(actionKey(record.repo, record.action));
      if (known === undefined || known.seenAt === 0) {
        remember(state, { ...memoryOf(state, record.repo, record.action), seenAt: record.at });
      }
      break;
    }
    case 'memory':
      foldMemory(state, record);
      break;
  }
  return state;
}

function foldStarted(state: JournalState, intent: RunIntent): void {
  const run: Run = { intent, result: null };
  const before = memoryOf(state, intent.repo, intent.action);
  const newest = before.lastRun?.intent;
  const sameSeries = newest?.fingerprint === intent.fingerprint && newest.purpose === intent.purpose;
  state.runs.set(intent.id, run);
  state.open.set(intent.id, intent);
  const memory: ActionMemory = {
    ...before,
    lastRun: run,
    attempts: (sameSeries ? before.attempts : 0) + 1,
    failures: sameSeries ? before.failures : 0,
    reboots: sameSeries ? before.reboots : 0,
    seenAt: before.seenAt === 0 ? intent.startedAt : before.seenAt,
    redo: false,
  };
  remember(state, countOnce(memory, intent, null));
}

/** The first result of a run counts. A result of a run that is not open changes nothing. */
function foldFinished(state: JournalState, result: RunResult): void {
  const intent = state.open.get(result.id);
  if (intent === undefined) return;
  const run: Run = { intent, result };
  state.open.delete(result.id);
  state.runs.set(result.id, run);

  const before = memoryOf(state, intent.repo, intent.action);
  const isNewest = before.lastRun?.intent.id === result.id;
  const isOk = result.outcome === 'ok';
  const isWork = intent.purpose === 'work';
  const { attempts, failures, reboots, redo } = isNewest ? countEnd(before, intent, result) : before;
  const memory: ActionMemory = {
    ...before,
    lastRun: isNewest ? run : before.lastRun,
    lastSuccess: isOk && isWork ? run : before.lastSuccess,
    applied: isOk ? isWork : before.applied,
    attempts,
    failures,
    reboots,
    redo,
  };
  remember(state, countOnce(memory, intent, result));
  forgetOldRuns(state);
}

type Counts = Pick<ActionMemory, 'attempts' | 'failures' | 'reboots' | 'redo'>;

function countEnd(memory: ActionMemory, intent: RunIntent, result: RunResult): Counts {
  const { attempts, failures, reboots, redo } = memory;
  if (result.outcome === 'ok') return { attempts: 0, failures: 0, reboots: 0, redo };
  if (result.interruption === 'never-began') {
    // As if it had not been started: no attempt, and what the operator asked for is still to be done.
    return { attempts: Math.max(0, attempts - 1), failures, reboots, redo: redo || intent.reason === 'redo' };
  }
  return {
    attempts,
    failures: failures + (countsTowardsParking(result) ? 1 : 0),
    reboots: result.interruption === 'reboot' ? reboots + 1 : 0,
    redo,
  };
}

function countsTowardsParking(result: RunResult): boolean {
  switch (result.outcome) {
    case 'failed':
      return result.exitCode !== EXIT_TRY_AGAIN;
    case 'timed-out':
    case 'refused':
      return true;
    default:
      return false;
  }
}

function countOnce(memory: ActionMemory, intent: RunIntent, result: RunResult | null): ActionMemory {
  if (intent.kind !== 'once' || intent.purpose !== 'work') return memory;
  const starts = new Map<string, Outcome | null>(memory.onceStarts);
  if (result?.interruption === 'never-began') starts.delete(intent.fingerprint);
  else starts.set(intent.fingerprint, result?.outcome ?? null);
  return { ...memory, onceStarts: starts };
}

/** Compaction wrote it after the runs that it names; whatever the fold counted from those alone is replaced. */
function foldMemory(state: JournalState, record: MemoryRecord): void {
  const counted = memoryOf(state, record.repo, record.action);
  // A run that left `state.runs` because there are so many is still held by what was counted from it.
  const runOf = (id: RunId | null) =>
    id === null
      ? null
      : (state.runs.get(id) ??
        [counted.lastSuccess, counted.lastRun].find((run) => run?.intent.id === id) ??
        null);
  remember(state, {
    repo: record.repo,
    action: record.action,
    lastSuccess: runOf(record.lastSuccess),
    lastRun: runOf(record.lastRun),
    attempts: record.attempts,
    failures: record.failures,
    reboots: record.reboots,
    seenAt: record.seenAt,
    redo: record.redo,
    applied: record.applied,
    ...(record.onceStarts === undefined ? {} : { onceStarts: new Map(record.onceStarts) }),
  });
}

function memoryOf(state: JournalState, repo: string, action: string): ActionMemory {
  return (
    state.memory.get(actionKey(repo, action)) ?? {
      repo,
      action,
      lastSuccess: null,
      lastRun: null,
      attempts: 0,
      failures: 0,
      reboots: 0,
      seenAt: 0,
      redo: false,
      applied: false,
    }
  );
}

function remember(state: JournalState, memory: ActionMemory): void {
  state.memory.set(actionKey(memory.repo, memory.action), memory);
}

/** Many at once: looking for the oldest in a map that is short of its oldest takes as long as it was. */
function forgetOldRuns(state: JournalState): void {
  let tooMany = state.runs.size - state.open.size - RUNS_IN_MEMORY;
  if (tooMany <= FORGOTTEN_AT_ONCE) return;
  for (const [id, run] of state.runs) {
    if (run.result === null) continue;
    state.runs.delete(id);
    if (--tooMany === 0) return;
  }
}
