/** What every step of a try needs: the world, the notes, and nobody else at the same checkout. */
import { PullyuError } from '../errors.ts';
import { openScratch, type Scratch } from '../git/scratch.ts';
import { decideSshFolder } from '../git/ssh.ts';
import { TroubleError } from '../git/stderr.ts';
import type { EventSink } from '../model/event.ts';
import type { RepoConfig } from '../model/repo.ts';
import type { Result } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import { makeFolder, namedWriteError } from '../system/files.ts';
import { tryLock } from '../system/lock.ts';
import type { Paths } from '../system/paths.ts';
import type { HostPicture } from './status.ts';
import { type OpenTry, readTry, type TryNotes, tryPaths } from './try-file.ts';

export interface TryContext {
  readonly paths: Paths;
  readonly picture: HostPicture;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly emit: EventSink;
}

export interface TryView extends OpenTry {
  readonly repo: string;
  readonly path: string;
}

export function requireOpen(repo: string, c: TryContext): OpenTry {
  const { open } = readTry(c.paths, repo);
  if (open !== null) return open;
  throw new PullyuError('usage', `expected an open try of ${repo}, found none`, {
    hint: `pullyu try ${repo}`,
  });
}

export function viewOf(repo: string, open: OpenTry, c: TryContext): TryView {
  return { ...open, repo, path: tryPaths(c.paths, repo).checkout };
}

/** Two people on one host: the second one is told. */
export async function guarded<T>(
  repo: string,
  c: TryContext,
  work: (notes: TryNotes) => Promise<T>,
): Promise<T> {
  const at = tryPaths(c.paths, repo);
  try {
    makeFolder(at.folder);
    const lock = tryLock(at.lock, 'try');
    if (lock === null) {
      throw new PullyuError('busy', `another pullyu try of ${repo} is at work`, {
        hint: 'try again when it is done',
      });
    }
    try {
      return await work(readTry(c.paths, repo));
    } finally {
      lock.release();
    }
  } catch (error) {
    throw namedWriteError(error, at.folder) ?? error;
  }
}

export function scratchOf(repo: RepoConfig, open: OpenTry, c: TryContext): Scratch {
  return openScratch({
    paths: c.paths,
    repo,
    folder: tryPaths(c.paths, repo.name).checkout,
    url: open.url,
    limits: c.picture.view.config.limits,
    env: c.env,
    clock: c.clock,
    sshFolder: sshFolderOf(c),
    signal: c.signal,
  });
}

export function sshFolderOf(c: TryContext): string {
  return decideSshFolder(c.paths.state, process.getuid?.() ?? 0);
}

export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

export function must<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  const { code, message, hint } = result.trouble;
  if (code === 'forbidden') throw new PullyuError('refused', message, hint === null ? {} : { hint });
  throw new TroubleError(result.trouble);
}
