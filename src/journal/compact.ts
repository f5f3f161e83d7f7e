/** The same memory in fewer records. Old runs are dropped; nothing that a decision needs is. */
import type { ActionKey } from '../model/action.ts';
import { actionKey } from '../model/action.ts';
import type { RunId } from '../model/ids.ts';
import type { ActionMemory } from '../model/plan.ts';
import type { Run } from '../model/run.ts';
import type { JournalState } from './fold.ts';
import { formatRecord, JOURNAL_VERSION, type MemoryRecord, type StoredRecord } from './record.ts';

/** Kept per action, beside open runs, the last success and the last run. */
export const RUNS_KEPT = 20;

/** Records that fold to the same memory, targets and open runs, and to the newest runs. */
export function compactRecords(state: JournalState): StoredRecord[] {
  const records: StoredRecord[] = [];
  for (const run of keptRuns(state)) {
    records.push({ type: 'started', intent: run.intent });
    if (run.result !== null) records.push({ type: 'finished', result: run.result });
  }
  for (const memory of state.memory.values()) records.push(memoryRecord(memory));
  for (const [repo, target] of state.targets) records.push({ type: 'target', repo, ...target });
  // After the targets: a target ends an acceptance.
  for (const [repo, commit] of state.accepted) records.push({ type: 'accepted', repo, commit });
  for (const [repo, commit] of state.applied) records.push({ type: 'applied', repo, commit });
  if (state.pause !== null) records.push({ type: 'paused', ...state.pause });
  return records;
}

/** A whole journal file. */
export function formatJournal(records: readonly StoredRecord[], now: number): string {
  const body = records.map((record) => formatRecord(record, now)).join('');
  const header = { type: 'journal', version: JOURNAL_VERSION, baseBytes: Buffer.byteLength(body) } as const;
  return formatRecord(header, now) + body;
}

/** In the order in which they were started. */
function keptRuns(state: JournalState): Run[] {
  const kept = new Map<RunId, Run>();
  // Those that memory alone still holds are older than every other.
  for (const memory of state.memory.values()) {
    for (const run of [memory.lastSuccess, memory.lastRun]) {
      if (run !== null && !state.runs.has(run.intent.id)) kept.set(run.intent.id, run);
    }
  }
  const needed = new Set<RunId>(state.open.keys());
  for (const memory of state.memory.values()) {
    if (memory.lastSuccess !== null) needed.add(memory.lastSuccess.intent.id);
    if (memory.lastRun !== null) needed.add(memory.lastRun.intent.id);
  }
  const counts = new Map<ActionKey, number>();
  for (const run of [...state.runs.values()].reverse()) {
    const key = actionKey(run.intent.repo, run.intent.action);
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    if (count <= RUNS_KEPT) needed.add(run.intent.id);
  }
  for (const [id, run] of state.runs) {
    if (needed.has(id)) kept.set(id, run);
  }
  return [...kept.values()];
}

function memoryRecord(memory: ActionMemory): MemoryRecord {
  const { lastSuccess, lastRun, onceStarts, ...rest } = memory;
  return {
    type: 'memory',
    ...rest,
    lastSuccess: lastSuccess?.intent.id ?? null,
    lastRun: lastRun?.intent.id ?? null,
    ...(onceStarts === undefined ? {} : { onceStarts: [...onceStarts] }),
  };
}
