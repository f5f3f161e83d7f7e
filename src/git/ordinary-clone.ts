/** Makes an ordinary, writable clone with a branch checked out: for a script that pulls by itself, or a person who tries something. */
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { EventSink } from '../model/event.ts';
import type { Limits } from '../model/host.ts';
import type { CommitId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import { freeBytes, syncFolder } from '../system/files.ts';
import type { Paths } from '../system/paths.ts';
import { readAccess } from './access.ts';
import { ACCESS_FILE, writeAccessFile } from './access-file.ts';
import { syncSlot } from './checkout.ts';
import { createCloneGit } from './clone-git.ts';
import { fetchInto, INCOMING } from './fetch.ts';
import { findLfs, LFS_CONFIG, LFS_FILTER } from './lfs.ts';
import type { ProbeAnswer } from './probe.ts';
import { ownerMark } from './run.ts';
import { scanTree } from './scan.ts';
import { TEMP_NAME } from './scan-path.ts';
import { troubleFromError } from './stderr.ts';
import { updateSubmodules } from './submodules.ts';
import { readGitVersion } from './version.ts';

export interface OrdinaryCloneOptions {
  readonly paths: Paths;
  readonly repo: RepoConfig;
  /** Of the remote: of a branch. */
  readonly answer: ProbeAnswer;
  /** The branch of the remote that is followed; null when it is no branch. */
  readonly follows: string | null;
  /** Name of the local branch. */
  readonly branch: string;
  readonly limits: Limits;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly emit: EventSink;
  readonly sshFolder: string | null;
  readonly signal: AbortSignal;
}

/**
 * Makes `folder`, which must not exist, complete or not at all. A crash leaves `FOLDER.new`, which the next call removes.
 * @returns the commit that is checked out.
 */
export async function makeOrdinaryClone(folder: string, o: OrdinaryCloneOptions): Promise<Result<CommitId>> {
  const fresh = `${folder}.new`;
  try {
    const made = await make(fresh, o);
    if (!made.ok) {
      rmSync(fresh, { recursive: true, force: true });
      return made;
    }
    renameSync(fresh, folder);
    syncFolder(dirname(folder));
    return made;
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    const problem = troubleFromError(error, { doing: 'make a clone', remote: o.answer.url });
    if (problem === null) throw error;
    return fail(problem);
  }
}

async function make(fresh: string, o: OrdinaryCloneOptions): Promise<Result<CommitId>> {
  const { repo, answer, limits, signal } = o;
  const env = { ...ownerMark(o.paths.state), ...(o.env.PATH ? { PATH: o.env.PATH } : {}) };
  const version = await readGitVersion(env);
  if (!version.ok) return version;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(dirname(fresh), { recursive: true, mode: 0o755 });
  if (freeBytes(dirname(fresh)) < limits.freeSpaceMinBytes) {
    return fail(
      trouble(
        'disk-full',
        `expected ${limits.freeSpaceMinBytes} bytes of free space for a clone, found less`,
        {
          hint: 'free some space, or lower limits.freeSpaceMin in host.yaml',
        },
      ),
    );
  }
  const gitDir = join(fresh, '.git');
  writeSkeleton(gitDir, o);
  const written = writeAccessFile(gitDir, repo, answer.url, o.env);
  if (!written.ok) return written;
  const blobless = repo.clone === 'blobless';
  const access = await readAccess(repo, answer.url, { env: o.env, sshFolder: o.sshFolder });
  if (!access.ok) return access;
  const git = createCloneGit(gitDir, async () => {
    const again = await readAccess(repo, answer.url, { env: o.env, sshFolder: o.sshFolder });
    return again.ok ? ok({ env, access: again.value, lazyFetch: blobless }) : again;
  });
  if (repo.lfs) {
    const found = await findLfs(git);
    if (!found.ok) return found;
  }
  o.emit({ type: 'cloning', repo: repo.name, remote: answer.url });
  const fetched = await fetchInto(gitDir, answer, {
    repo: repo.name,
    limits,
    emit: o.emit,
    clock: o.clock,
    first: true,
    blobless,
    git: { access: access.value, env, signal },
  });
  if (!fetched.ok) return fetched;
  const commit = fetched.value;

  const scanned = await scanTree(git, null, commit, { submodules: repo.submodules, blobless, limits });
  if (!scanned.ok) return scanned;
  const steps = [
    ...(o.follows === null ? [] : [['update-ref', `refs/remotes/origin/${o.follows}`, commit]]),
    ['update-ref', `refs/heads/${o.branch}`, commit],
    ['update-ref', '-d', INCOMING],
    [`--work-tree=${fresh}`, 'read-tree', '-m', '-u', 'HEAD'],
  ];
  for (const step of steps) {
    const done = await git.read(step, {
      doing: 'check out the branch',
      timeoutMs: 60 * 60_000,
      ...(repo.lfs ? { config: LFS_CONFIG } : {}),
    });
    if (!done.ok) return done;
  }
  if (repo.submodules) {
    const remote = { url: answer.url, access: access.value, env, lazyFetch: blobless };
    const updated = await updateSubmodules(fresh, remote);
    if (!updated.ok) return updated;
  }
  // Nobody mends this clone: what is renamed into place must also be there after a power cut.
  const synced = await syncSlot({ path: fresh });
  return synced.ok ? ok(commit) : synced;
}

/** By hand and not by `git init`: no template of this machine, and a branch name that old gits cannot be given. */
function writeSkeleton(gitDir: string, o: OrdinaryCloneOptions): void {
  for (const folder of ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags', 'info'])
    mkdirSync(join(gitDir, folder), { recursive: true, mode: 0o755 });
  // Scripts of other users run here, whatever umask we have.
  for (const folder of [dirname(gitDir), gitDir]) chmodSync(folder, 0o755);
  const blobless = o.repo.clone === 'blobless';
  const sha256 = o.answer.commit.length === 64;
  writeFileSync(join(gitDir, 'HEAD'), `ref: refs/heads/${o.branch}\n`);
  writeFileSync(join(gitDir, 'info/exclude'), `/${TEMP_NAME}\n`);
  writeFileSync(
    join(gitDir, 'config'),
    [
      '[core]',
      `\trepositoryformatversion = ${blobless || sha256 ? 1 : 0}`,
      '\tfilemode = true',
      '\tbare = false',
      '\tlogallrefupdates = true',
      ...(blobless || sha256 ? ['[extensions]'] : []),
      ...(sha256 ? ['\tobjectformat = sha256'] : []),
      ...(blobless ? ['\tpartialclone = origin'] : []),
      '[remote "origin"]',
      `\turl = ${quote(o.answer.url)}`,
      '\tfetch = +refs/heads/*:refs/remotes/origin/*',
      ...(blobless ? ['\tpromisor = true', '\tpartialclonefilter = blob:none'] : []),
      ...(o.follows === null
        ? []
        : [
            `[branch ${quote(o.branch)}]`,
            '\tremote = origin',
            `\tmerge = ${quote(`refs/heads/${o.follows}`)}`,
          ]),
      // From now on git follows them by itself: at pull, checkout and rebase.
      ...(o.repo.submodules ? ['[submodule]', '\trecurse = true', '\tactive = .'] : []),
      ...(o.repo.lfs ? LFS_FILTER : []),
      '[pull]',
      '\tff = only',
      '[include]',
      `\tpath = ${ACCESS_FILE}`,
      '',
    ].join('\n'),
  );
}

function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}
