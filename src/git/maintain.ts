/** Housekeeping of a clone, for idle time: bounded, never git's own gc. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { freeBytes } from '../system/files.ts';
import { sweepClone } from './clone-files.ts';
import type { CloneGit } from './clone-git.ts';
import { isAtLeast, readGitVersion } from './version.ts';

/** Each fetch brings a pack; reading slows down with their number. */
const PACKS_MAX = 50;
const REPACK_TIMEOUT_MS = 30 * 60_000;

export interface MaintainOptions {
  /** Joining needs the space of the packs once more. */
  readonly freeSpaceMinBytes: number;
  readonly blobless: boolean;
}

/**
 * Sweeps, and joins small packs when there are many. Nothing that is reachable, or was, is dropped: scripts may still
 * ask for old commits. A kill leaves a temporary pack for the next sweep. A failure is no trouble: packs stay as they are.
 */
export async function maintainClone(git: CloneGit, o: MaintainOptions): Promise<void> {
  sweepClone(git.dir);
  // git before 2.41 loses the mark of promisor packs when it joins them.
  if (o.blobless) return;
  const folder = join(git.dir, 'objects/pack');
  const packs = readdirSync(folder).filter((name) => name.endsWith('.pack'));
  if (packs.length <= PACKS_MAX || freeBytes(git.dir) < 2 * o.freeSpaceMinBytes) return;
  const version = await readGitVersion({});
  // The alternative without --geometric rewrites everything: not in the background of a small machine.
  if (!version.ok || !isAtLeast(version.value, [2, 32])) return;
  await git.run(['repack', '-d', '-q', '--geometric=2', '--no-write-bitmap-index'], {
    doing: 'join packs',
    timeoutMs: REPACK_TIMEOUT_MS,
    config: ['pack.threads=1', 'pack.windowMemory=64m'],
  });
  sweepClone(git.dir);
}
