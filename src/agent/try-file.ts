/** What `pullyu try` remembers of a repo: which checkout is open, and how its runs ended. Lost or damaged, only these notes are lost. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CommitId } from '../model/ids.ts';
import type { Outcome } from '../model/run.ts';
import { makeFolder, readFileOrNull, writeFileAtomic } from '../system/files.ts';
import { type Paths, repoPaths } from '../system/paths.ts';

export interface TryRun {
  readonly outcome: Outcome;
  readonly exitCode: number | null;
  /** Of what it ran: another one means that it was edited since. */
  readonly fingerprint: string;
  /** Milliseconds since 1970. */
  readonly endedAt: number;
}

export interface OpenTry {
  /** `try/HOST-N`, local. */
  readonly branch: string;
  /** The branch of the remote that it is to end on; null when the repo tracks a tag or a commit. */
  readonly follows: string | null;
  readonly url: string;
  /** The commit of the remote that the edits are based on. */
  readonly base: CommitId;
  readonly startedAt: number;
  /** The newest run of each action. */
  readonly runs: Readonly<Record<string, TryRun>>;
}

export interface TryNotes {
  readonly version: 1;
  /** How many there were so far. */
  readonly count: number;
  readonly open: OpenTry | null;
}

export function tryPaths(paths: Paths, repo: string) {
  const folder = repoPaths(paths.state, repo).try;
  return {
    folder,
    notes: join(folder, 'try.json'),
    lock: join(folder, 'lock'),
    checkout: join(folder, 'checkout'),
  };
}

/** A checkout that somebody removed is not open any more. */
export function readTry(paths: Paths, repo: string): TryNotes {
  const at = tryPaths(paths, repo);
  try {
    const notes = JSON.parse(readFileOrNull(at.notes) ?? 'null') as TryNotes | null;
    if (notes?.version === 1 && typeof notes.count === 'number')
      return existsSync(join(at.checkout, '.git')) ? notes : { ...notes, open: null };
  } catch {
    // A torn file: the next number may be one that was used before, and branches of tries are local.
  }
  return { version: 1, count: 0, open: null };
}

export function writeTry(paths: Paths, repo: string, notes: TryNotes): void {
  const at = tryPaths(paths, repo);
  makeFolder(at.folder);
  writeFileAtomic(at.notes, `${JSON.stringify(notes, null, 2)}\n`);
}
