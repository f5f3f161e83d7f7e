/**
 * The clone of one repo: a cache. What it holds came from a remote and can come again, so trouble with it has two
 * cures: its files are mended and the call repeated; if that does not help, it is replaced by a new clone. The journal
 * lives elsewhere and survives both.
 *
 * Folders: `clone.git` is always complete (or damaged by others). `clone.git.new` is being made; it takes its place by
 * a rename once it is complete. `clone.git.old` is on its way out.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { EventSink } from '../model/event.ts';
import type { Limits } from '../model/host.ts';
import type { CommitId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fail, ok, type Result, type Trouble } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import { readFileOrNull, writeFileAtomic } from '../system/files.ts';
import { type Paths, repoPaths } from '../system/paths.ts';
import { type Access, readAccess } from './access.ts';
import { createFetcher, REMOTE_FILE } from './clone-fetch.ts';
import { healCloneFiles, readLooseRef, readObjectFormat, sweepClone } from './clone-files.ts';
import { type CloneGit, createCloneGit } from './clone-git.ts';
import { readContents, readPaths } from './contents.ts';
import { INCOMING, TARGET } from './fetch.ts';
import { isAncestor, listChangedFiles, listCommitsTouching, readFileAt, readSubject } from './history.ts';
import { maintainClone } from './maintain.ts';
import type { ProbeAnswer } from './probe.ts';
import { type GitOptions, ownerMark } from './run.ts';
import { scanTree } from './scan.ts';
import { isCloneTrouble, TroubleError, troubleFromError } from './stderr.ts';

export interface CloneOptions {
  readonly limits: Limits;
  /** Our own environment: PATH, proxies, SSH_AUTH_SOCK. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly emit: EventSink;
  readonly clock: Clock;
  /** Folder of kept ssh connections. */
  readonly sshFolder?: string | null;
}

export interface Clone {
  /** clone.git, for those who check out of it. */
  readonly git: CloneGit;
  /**
   * Brings the commit of the answer here, healing or replacing the clone where that is needed. The value is the commit
   * of the tracked ref as it was fetched: it may be newer than the answer.
   */
  fetch(answer: ProbeAnswer, o?: { signal?: AbortSignal }): Promise<Result<CommitId>>;
  /** Is this commit here, in a clone that is not known to be damaged? No: fetch. */
  has(commit: CommitId): Promise<boolean>;
  isAncestor(a: CommitId, b: CommitId): Promise<Result<boolean>>;
  /** First line of its message, escaped. @throws TroubleError, as all that follow. */
  subject(commit: CommitId): Promise<string>;
  /** null only when the tree has no such file. Larger than 4 MiB is a trouble `limit`. */
  readFile(commit: CommitId, path: string): Promise<Buffer | null>;
  /** Exact paths; those that do not exist are left out. */
  listPaths(
    commit: CommitId,
    paths: readonly string[],
  ): Promise<Map<string, { mode: string; type: EntryType }>>;
  /** Digest per glob; null when nothing matches. */
  contents(commit: CommitId, globs: readonly string[]): Promise<Map<string, string | null>>;
  /** At most 100,000 paths; every path of `to` when `from` is null. */
  changedFiles(from: CommitId | null, to: CommitId): Promise<string[]>;
  /** First-parent commits after `from` that touched a path of the globs, oldest first, at most 1,000. */
  commitsTouching(from: CommitId | null, to: CommitId, globs: readonly string[]): Promise<CommitId[]>;
  /** Refuses a tree by name before anything of it is written. `from`: the last commit that was accepted. */
  scan(from: CommitId | null, to: CommitId): Promise<Result<null>>;
  /** Keeps the commit from ever being dropped. Durable. */
  setTarget(commit: CommitId): void;
  /** What a checkout needs: URL and access of the remote that answered last, environment. */
  remote(): Promise<Result<RemoteSettings>>;
  /** Damage was met: mend the files. After a second time without a success between, the next fetch replaces the clone. */
  reportDamage(problem: Trouble): void;
  /** Bounded housekeeping, for idle time. */
  maintain(): Promise<void>;
  close(): void;
}

export type EntryType = 'file' | 'link' | 'folder' | 'submodule';

export type RemoteSettings = Pick<GitOptions, 'config' | 'env' | 'lazyFetch'> & {
  readonly url: string;
  readonly access: Access;
};

const FILE_MAX_BYTES = 4 * 1024 ** 2;

/** Opens the clone of a repo; makes nothing yet. Only the holder of the host's lock may. */
export function openClone(paths: Paths, repo: RepoConfig, o: CloneOptions): Clone {
  const { base, clone: dir } = repoPaths(paths.state, repo.name);
  const blobless = repo.clone === 'blobless';
  const closing = new AbortController();
  /** Commits that were seen here since the clone was opened. */
  const known = new Set<CommitId>();
  let contentsOf: { commit: CommitId; digests: Map<string, string | null> } | null = null;
  let mended = false;

  const env = { ...ownerMark(paths.state), ...(o.env.PATH ? { PATH: o.env.PATH } : {}) };

  const access = (url: string) =>
    readAccess(repo, url, { env: o.env, ...(o.sshFolder === undefined ? {} : { sshFolder: o.sshFolder }) });

  const lastUrl = () => readFileOrNull(join(dir, REMOTE_FILE))?.trim() || repo.remotes[0] || '';

  const remote: Clone['remote'] = async () => {
    const url = lastUrl();
    const found = await access(url);
    if (!found.ok) return found;
    return ok({ url, access: found.value, env, lazyFetch: blobless, config: [`remote.origin.url=${url}`] });
  };

  const git = createCloneGit(dir, async () => {
    const common = { env, signal: closing.signal };
    if (!blobless && !repo.lfs) return ok(common);
    const settings = await remote();
    return settings.ok ? ok({ ...common, ...settings.value }) : settings;
  });

  const forget = () => {
    known.clear();
    contentsOf = null;
  };

  const hasObject = async (commit: CommitId): Promise<boolean> => {
    // Its word, and not only its exit code: a program that is no git also ends with 0.
    const result = await git.run(['cat-file', '-t', `${commit}^{commit}`], { doing: 'look for a commit' });
    return result.ok && result.value.ended === 'exited' && result.value.stdout.toString() === 'commit\n';
  };

  const fetcher = createFetcher({
    repo: repo.name,
    base,
    dir,
    blobless,
    lfs: repo.lfs,
    limits: o.limits,
    emit: o.emit,
    clock: o.clock,
    env,
    access,
    forget,
    // Git is to know the last target also when the branch has moved elsewhere.
    async keepTarget(target) {
      if (await hasObject(target)) clone.setTarget(target);
    },
  });

  /** Runs a read; when the clone turns out to be damaged, mends its files and reads once more. */
  const reading = async <T>(read: () => Promise<Result<T>>): Promise<Result<T>> => {
    const first = await guarded(read);
    if (first.ok) mended = false;
    if (first.ok || !isCloneTrouble(first.trouble) || closing.signal.aborted) return first;
    clone.reportDamage(first.trouble);
    const second = await guarded(read);
    if (second.ok) mended = false;
    else if (isCloneTrouble(second.trouble) && !closing.signal.aborted) clone.reportDamage(second.trouble);
    return second;
  };

  const value = async <T>(read: () => Promise<Result<T>>): Promise<T> => {
    const result = await reading(read);
    if (result.ok) return result.value;
    throw new TroubleError(result.trouble);
  };

  const clone: Clone = {
    git,
    remote,

    async fetch(answer, more = {}) {
      const signal = more.signal ? AbortSignal.any([more.signal, closing.signal]) : closing.signal;
      const fetched = await guarded(() => fetcher.fetch(answer, signal), answer.url);
      if (!fetched.ok) {
        // Now, and not at the next fetch: a partial pack may be what fills the disk.
        sweepClone(dir);
        return fetched;
      }
      known.add(fetched.value);
      mended = false;
      if (lastUrl() !== answer.url) {
        writeFileAtomic(join(dir, REMOTE_FILE), `${answer.url}\n`, { durable: false });
      }
      return fetched;
    },

    async has(commit) {
      if (!existsSync(join(dir, 'HEAD')) || fetcher.isSuspect()) return false;
      if (known.has(commit)) return true;
      const found = await hasObject(commit);
      if (found) known.add(commit);
      return found;
    },

    isAncestor: (a, b) => reading(() => isAncestor(git, a, b)),
    subject: (commit) => value(() => readSubject(git, commit)),
    readFile: (commit, path) => value(() => readFileAt(git, commit, path, FILE_MAX_BYTES)),

    async listPaths(commit, wanted) {
      const found = await value(() => readPaths(git, commit, wanted));
      return new Map(
        [...found].map(([path, entry]) => [path, { mode: entry.mode, type: typeOfMode(entry.mode) }]),
      );
    },

    async contents(commit, globs) {
      const digests = contentsOf?.commit === commit ? contentsOf.digests : new Map<string, string | null>();
      const wanted = [...new Set(globs)].filter((glob) => !digests.has(glob));
      if (wanted.length > 0) {
        for (const [glob, digest] of await value(() => readContents(git, commit, wanted)))
          digests.set(glob, digest);
        contentsOf = { commit, digests };
      }
      return new Map(globs.map((glob) => [glob, digests.get(glob) ?? null]));
    },

    changedFiles: (from, to) => value(() => listChangedFiles(git, from, to)),
    commitsTouching: (from, to, globs) => value(() => listCommitsTouching(git, from, to, globs)),

    scan: (from, to) =>
      reading(() => scanTree(git, from, to, { submodules: repo.submodules, blobless, limits: o.limits })),

    setTarget(commit) {
      if (readLooseRef(dir, TARGET) === commit) return;
      mkdirSync(join(dir, 'refs/pullyu'), { recursive: true });
      writeFileAtomic(join(dir, TARGET), `${commit}\n`);
    },

    reportDamage(problem) {
      if (!existsSync(dir)) return;
      if (mended) {
        fetcher.suspect(problem);
        return;
      }
      mended = true;
      forget();
      const format = readLooseRef(dir, TARGET) ?? readLooseRef(dir, INCOMING);
      const objectFormat = format === null ? readObjectFormat(dir) : format.length === 64 ? 'sha256' : 'sha1';
      const done = healCloneFiles(dir, { objectFormat, blobless, lfs: repo.lfs });
      if (done.length > 0) o.emit({ type: 'healed', repo: repo.name, what: `clone: ${done.join(', ')}` });
    },

    async maintain() {
      if (!existsSync(dir)) return;
      await maintainClone(git, { freeSpaceMinBytes: o.limits.freeSpaceMinBytes, blobless });
    },

    close: () => closing.abort(),
  };
  return clone;
}

/** Expected failures of our own files and of starting git become troubles. */
async function guarded<T>(work: () => Promise<Result<T>>, url: string | null = null): Promise<Result<T>> {
  try {
    return await work();
  } catch (error) {
    const problem = troubleFromError(error, {
      doing: url === null ? 'read the clone' : 'fetch',
      remote: url,
    });
    if (problem) return fail(problem);
    throw error;
  }
}

export function typeOfMode(mode: string): EntryType {
  switch (mode) {
    case '040000':
      return 'folder';
    case '120000':
      return 'link';
    case '160000':
      return 'submodule';
    default:
      return 'file';
  }
}
