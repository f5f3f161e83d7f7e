/** trees.json: which slot holds which commit. Written before and after each change, so that a crash is seen. */
import { type CommitId, isCommitId } from '../model/ids.ts';
import { readFileOrNull, writeFileAtomic } from '../system/files.ts';
import type { SlotName } from './slot.ts';

export interface SlotRecord {
  /** `building`: files of `from` and of `commit`, mixed. `complete`: exactly `commit`. */
  readonly state: 'building' | 'complete';
  readonly commit: CommitId;
}

export type TreesRecord = Readonly<Partial<Record<SlotName, SlotRecord>>>;

/** What is damaged or unknown counts as never made: such a slot is made anew. */
export function parseTrees(text: string | null): TreesRecord {
  let raw: unknown;
  try {
    raw = JSON.parse(text ?? '{}');
  } catch {
    return {};
  }
  if (typeof raw !== 'object' || raw === null) return {};
  const record: Partial<Record<SlotName, SlotRecord>> = {};
  for (const name of ['a', 'b', 'c'] as const) {
    const slot: unknown = (raw as Record<string, unknown>)[name];
    if (typeof slot !== 'object' || slot === null || !('state' in slot) || !('commit' in slot)) continue;
    const { state, commit } = slot;
    if (typeof commit !== 'string' || !isCommitId(commit)) continue;
    if (state === 'building' || state === 'complete') record[name] = { state, commit };
  }
  return record;
}

export function readTrees(file: string): TreesRecord {
  return parseTrees(readFileOrNull(file));
}

/** Durable when it returns. */
export function writeTrees(file: string, record: TreesRecord): void {
  writeFileAtomic(file, `${JSON.stringify(record, null, 2)}\n`);
}
