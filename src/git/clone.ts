/**
 * The clone of one repo: a cache. What it holds came from a remote and can come again, so trouble with it has two
 * cures: its files are mended and the call repeated; if that does not help, it is replaced by a new clone. The journal
 * lives elsewhere and survives both.
 *
 * Folders: `clone.git` is always complete (or damaged by others). `clone.git.new` is being made; it takes its place by
 * a rename once it is complete. `clone.git.old` is on its way out.
 */
import { existsSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { EventSink } from '../model/event.ts';
import type { Limits } from '../model/host.ts';
import { type CommitId, isCommitId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fail, ok, type Result, type Trouble, trouble } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import { freeBytes, readFileOrNull, syncFolder, writeFileAtomic } from '../system/files.ts';
import { type Paths, repoPaths } from '../system/paths.ts';
import { type Access, readAccess } from './access.ts';
import {
  type CloneKind,
  healCloneFiles,
  readLooseRef,
  readObjectFormat,
  sweepClone,
  writeSkeleton,
} from './clone-files.ts';
import { type CloneGit, createCloneGit } from './clone-git.ts';
import { readContents, readPaths } from './contents.ts';
import { fetchInto, INCOMING, TARGET } from './fetch.ts';
import { isAncestor, listChangedFiles, listCommitsTouching, readFileAt, readSubject } from './history.ts';
import { maintainClone } from './maintain.ts';
import type { ProbeAnswer } from './probe.ts';
import { type GitOptions, ownerMark } from './run.ts';
import { scanTree } from './scan.ts';
import { isCloneTrouble, TroubleError, troubleFromError } from './stderr.ts';
import { readGitVersion } from './version.ts';

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

const REPLACE_EVERY_MS = 10 * 60_000;
const FILE_MAX_BYTES = 4 * 1024 ** 2;
/** In the clone: the URL that was fetched from last. */
const REMOTE_FILE = 'pullyu-remote';
/** Beside the clone: damage was met that mending did not cure. */
const SUSPECT = 'clone.suspect';
/** Beside the clone: when it was replaced last. */
const REPLACED = 'clone.replaced';
/** In a new clone: it is complete. */
const COMPLETE = 'pullyu-complete';

/** Opens the clone of a repo; makes nothing yet. Only the holder of the host's lock may. */
export function openClone(paths: Paths, repo: RepoConfig, o: CloneOptions): Clone {
  const { base, clone: dir } = repoPaths(paths.state, repo.name);
  const fresh = `${dir}.new`;
  const old = `${dir}.old`;
  const suspectFile = join(base, SUSPECT);
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

  const kindOf = (commit: CommitId): CloneKind => ({
    objectFormat: commit.length === 64 ? 'sha256' : 'sha1',
    blobless,
    lfs: repo.lfs,
  });

  /** A crash between the renames of a replacement: finish it. */
  const recover = () => {
    if (lstatSync(dir, { throwIfNoEntry: false })?.isDirectory() === false) rmSync(dir);
    if (!existsSync(dir) && existsSync(join(fresh, COMPLETE))) renameSync(fresh, dir);
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  };

  const forget = () => {
    known.clear();
    contentsOf = null;
  };

  const fetchTo = async (
    target: string,
    answer: ProbeAnswer,
    first: boolean,
    signal: AbortSignal,
  ): Promise<Result<CommitId>> => {
    const allowed = await access(answer.url);
    if (!allowed.ok) return allowed;
    return fetchInto(target, answer, {
      repo: repo.name,
      limits: o.limits,
      emit: o.emit,
      clock: o.clock,
      first,
      blobless,
      git: { access: allowed.value, env, signal },
    });
  };

  /** A clone made beside, which takes the place of the old one when it is complete. A crash leaves the old one. */
  const cloneAnew = async (answer: ProbeAnswer, signal: AbortSignal): Promise<Result<CommitId>> => {
    rmSync(fresh, { recursive: true, force: true });
    writeSkeleton(fresh, kindOf(answer.commit));
    o.emit({ type: 'cloning', repo: repo.name, remote: answer.url });
    const fetched = await fetchTo(fresh, answer, true, signal);
    if (!fetched.ok) {
      rmSync(fresh, { recursive: true, force: true });
      return fetched;
    }
    const target = readLooseRef(dir, TARGET);
    writeFileAtomic(join(fresh, REMOTE_FILE), `${answer.url}\n`);
    writeFileAtomic(join(fresh, COMPLETE), '');
    if (existsSync(dir)) renameSync(dir, old);
    renameSync(fresh, dir);
    syncFolder(base);
    rmSync(suspectFile, { force: true });
    rmSync(old, { recursive: true, force: true });
    forget();
    // Keeps the last target known to git when the remote still has it.
    if (target !== null && isCommitId(target) && (await hasObject(target))) clone.setTarget(target);
    return fetched;
  };

  const replace = async (
    answer: ProbeAnswer,
    problem: Trouble,
    signal: AbortSignal,
  ): Promise<Result<CommitId>> => {
    const stamp = join(base, REPLACED);
    const last = Number(readFileOrNull(stamp) ?? '0');
    const age = o.clock.now() - last;
    // A clock that was set back must not forbid it for ever.
    if (age >= 0 && age < REPLACE_EVERY_MS) {
      const minutes = Math.ceil((REPLACE_EVERY_MS - age) / 60_000);
      return fail({
        ...problem,
        code: 'clone-broken',
        hint: `the clone was replaced a short time ago; it is replaced again in ${minutes} min if that is still needed`,
      });
    }
    writeFileAtomic(stamp, String(o.clock.now()));
    const fetched = await cloneAnew(answer, signal);
    if (fetched.ok) {
      o.emit({ type: 'healed', repo: repo.name, what: `the clone was replaced (${problem.message})` });
    }
    return fetched;
  };

  const fetchHere = async (answer: ProbeAnswer, signal: AbortSignal): Promise<Result<CommitId>> => {
    const version = await readGitVersion(env);
    if (!version.ok) return version;
    mkdirSync(base, { recursive: true, mode: 0o755 });
    recover();
    if (existsSync(dir)) sweepClone(dir);
    const free = freeBytes(base);
    if (free < o.limits.freeSpaceMinBytes) {
      return fail(
        trouble('disk-full', `expected ${o.limits.freeSpaceMinBytes} free bytes for a fetch, found ${free}`, {
          hint: 'free some space; the next look goes on by itself',
        }),
      );
    }
    if (!existsSync(dir)) return cloneAnew(answer, signal);
    const suspect = readFileOrNull(suspectFile);
    if (suspect !== null) return replace(answer, trouble('clone-broken', suspect.trim()), signal);

    const first = await fetchTo(dir, answer, false, signal);
    if (first.ok || signal.aborted || !isCloneTrouble(first.trouble)) return first;
    const done = healCloneFiles(dir, kindOf(answer.commit));
    const second = await fetchTo(dir, answer, false, signal);
    if (second.ok) {
      forget();
      if (done.length > 0) o.emit({ type: 'healed', repo: repo.name, what: `clone: ${done.join(', ')}` });
      return second;
    }
    if (signal.aborted || !isCloneTrouble(second.trouble)) return second;
    return replace(answer, second.trouble, signal);
  };

  const hasObject = async (commit: CommitId): Promise<boolean> => {
    const result = await git.run(['cat-file', '-e', `${commit}^{commit}`], { doing: 'look for a commit' });
    return result.ok && result.value.ended === 'exited' && result.value.exitCode === 0;
  };

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
      const fetched = await guarded(() => fetchHere(answer, signal), answer.url);
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
      if (!existsSync(join(dir, 'HEAD')) || existsSync(suspectFile)) return false;
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
        [...found].map(([path, entry]) => [path, { mode: entry.mode, type: typeOf(entry.mode) }]),
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
        writeFileAtomic(suspectFile, `${problem.message}\n`);
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

function typeOf(mode: string): EntryType {
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
