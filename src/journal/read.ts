/** Reading a journal, without any lock: by `status`, `history`, `why`, while the agent may be writing. */
import { existsSync, readFileSync } from 'node:fs';
import { errnoOf, PullyuError } from '../errors.ts';
import type { ActionKey } from '../model/action.ts';
import type { CommitId } from '../model/ids.ts';
import type { ActionMemory, Pause } from '../model/plan.ts';
import type { Run, RunIntent } from '../model/run.ts';
import { emptyState, type JournalState } from './fold.ts';
import { type ParsedJournal, parseJournal } from './parse.ts';

/** "History according to this machine." */
export interface JournalView {
  /** Newest first; some 2,000 at most. */
  runs(): Run[];
  /** Without a result, oldest first: running now, or cut off. */
  openRuns(): RunIntent[];
  memory(): ReadonlyMap<ActionKey, ActionMemory>;
  target(repo: string): CommitId | null;
  /** The tracking under which the target was chosen, resolved; null when that is not known. */
  targetTrack(repo: string): string | null;
  /** A commit to which the operator allowed a move that is no descent; ended by the next target. */
  accepted(repo: string): CommitId | null;
  applied(repo: string): CommitId | null;
  /** @param now Milliseconds since 1970: a pause that is over is none. */
  pause(now: number): Pause | null;
}

/** @param state Asked again at each call: the writer's changes with each record. */
export function viewOf(state: () => JournalState): JournalView {
  return {
    runs: () => [...state().runs.values()].reverse(),
    openRuns: () => [...state().open.values()],
    memory: () => state().memory,
    target: (repo) => state().targets.get(repo)?.commit ?? null,
    targetTrack: (repo) => state().targets.get(repo)?.track ?? null,
    accepted: (repo) => state().accepted.get(repo) ?? null,
    applied: (repo) => state().applied.get(repo) ?? null,
    pause(now) {
      const { pause } = state();
      return pause !== null && pause.until > now ? pause : null;
    },
  };
}

/**
 * For anybody; needs no lock and changes nothing. A record that is being written at this moment is not seen yet.
 * No file where there never was one: an empty view.
 * @throws PullyuError `journal-damaged`, `journal-newer`.
 */
export function readJournal(file: string): JournalView {
  const state = parseFile(file)?.state ?? emptyState();
  return viewOf(() => state);
}

/**
 * Beside the journal, made once the first header is durable. A journal is born whole, by one rename; so while this marker
 * exists, a journal that is missing or empty was lost, and is not taken for a new one.
 */
export function markerOf(file: string): string {
  return `${file}.exists`;
}

/** @returns null when there is no journal and there never was one. */
export function parseFile(file: string): ParsedJournal | null {
  let bytes: Buffer | null = null;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error;
  }
  const parsed = bytes === null ? null : parseJournal(bytes, file);
  if (parsed !== null && parsed.goodBytes > 0) return parsed;
  if (!existsSync(markerOf(file))) return null;
  const found = bytes === null ? 'none' : bytes.length === 0 ? 'an empty file' : 'no whole record';
  throw new PullyuError('journal-damaged', `expected the journal of this host in ${file}, found ${found}`, {
    hint: `restore it from a backup; removing ${file} and ${markerOf(file)} makes this host new: everything runs again, also what runs only once`,
  });
}
