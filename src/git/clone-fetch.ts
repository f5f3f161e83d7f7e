/**
 * Bringing commits into the clone, whatever state it is in: made when there is none, mended when git complains about it,
 * replaced when that does not help.
 */
import { existsSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { formatBytes } from '../model/bytes.ts';
import type { EventSink } from '../model/event.ts';
import type { Limits } from '../model/host.ts';
import { type CommitId, isCommitId } from '../model/ids.ts';
import { fail, type Result, type Trouble, trouble } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import { freeBytes, readFileOrNull, syncFolder, writeFileAtomic } from '../system/files.ts';
import type { Access } from './access.ts';
import { type CloneKind, healCloneFiles, readLooseRef, sweepClone, writeSkeleton } from './clone-files.ts';
import { fetchInto, TARGET } from './fetch.ts';
import type { ProbeAnswer } from './probe.ts';
import { isCloneTrouble } from './stderr.ts';
import { readGitVersion } from './version.ts';

export interface FetcherOptions {
  readonly repo: string;
  /** Folder of the repo. */
  readonly base: string;
  /** clone.git */
  readonly dir: string;
  readonly blobless: boolean;
  readonly lfs: boolean;
  readonly limits: Limits;
  readonly emit: EventSink;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string>>;
  access(url: string): Promise<Result<Access>>;
  /** What was known about the objects of the clone is worth nothing any more. */
  forget(): void;
  /** A new clone took the place of one that had this target. */
  keepTarget(target: CommitId): Promise<void>;
}

export interface Fetcher {
  fetch(answer: ProbeAnswer, signal: AbortSignal): Promise<Result<CommitId>>;
  /** Damage that mending did not cure: the next fetch replaces the clone, also after a restart. */
  suspect(problem: Trouble): void;
  isSuspect(): boolean;
}

/** A clone that stays broken (a failing disk) must not fetch everything again and again. */
const REPLACE_EVERY_MS = 10 * 60_000;
/** Replacements in a row that were cut off half-way; more, and it may be they that bring the agent down. */
const CUT_OFF_MAX = 3;
/** In the clone: the URL that was fetched from last. */
export const REMOTE_FILE = 'pullyu-remote';
/** Beside the clone: damage was met that mending did not cure. */
const SUSPECT = 'clone.suspect';
/** Beside the clone: when it was replaced last, `TIME`; or that this was begun, the nth time in a row, `TIME begun N`. */
const REPLACED = 'clone.replaced';
/** In a new clone: it is complete. */
const COMPLETE = 'pullyu-complete';

/** A new clone that failed for one of these says nothing about whether the next would. */
const NOT_THE_CLONES_FAULT: ReadonlySet<Trouble['code']> = new Set([
  'dns',
  'unreachable',
  'silent',
  'tls',
  'auth-refused',
  'forbidden',
  'not-found',
  'slow-down',
  'server-error',
  'redirected',
  'not-git',
  'empty-answer',
  'host-key',
  'ref-missing',
  'disk-full',
  'read-only',
  'no-permission',
]);

export function createFetcher(o: FetcherOptions): Fetcher {
  const { base, dir } = o;
  const fresh = `${dir}.new`;
  const old = `${dir}.old`;
  const suspectFile = join(base, SUSPECT);

  const kindOf = (commit: CommitId): CloneKind => ({
    objectFormat: commit.length === 64 ? 'sha256' : 'sha1',
    blobless: o.blobless,
    lfs: o.lfs,
  });

  /** A crash between the renames of a replacement: finish it. */
  const recover = () => {
    if (lstatSync(dir, { throwIfNoEntry: false })?.isDirectory() === false) rmSync(dir);
    if (!existsSync(dir) && existsSync(join(fresh, COMPLETE))) renameSync(fresh, dir);
    if (existsSync(old) && existsSync(join(dir, COMPLETE))) rmSync(suspectFile, { force: true });
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  };

  const fetchTo = async (
    target: string,
    answer: ProbeAnswer,
    first: boolean,
    signal: AbortSignal,
  ): Promise<Result<CommitId>> => {
    const allowed = await o.access(answer.url);
    if (!allowed.ok) return allowed;
    return fetchInto(target, answer, {
      repo: o.repo,
      limits: o.limits,
      emit: o.emit,
      clock: o.clock,
      first,
      blobless: o.blobless,
      git: { access: allowed.value, env: o.env, signal },
    });
  };

  /** A clone made beside, which takes the place of the old one when it is complete. A crash leaves the old one. */
  const cloneAnew = async (answer: ProbeAnswer, signal: AbortSignal): Promise<Result<CommitId>> => {
    rmSync(fresh, { recursive: true, force: true });
    writeSkeleton(fresh, kindOf(answer.commit));
    o.emit({ type: 'cloning', repo: o.repo, remote: answer.url });
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
    o.forget();
    if (target !== null && isCommitId(target)) await o.keepTarget(target);
    return fetched;
  };

  const replace = async (
    answer: ProbeAnswer,
    problem: Trouble,
    signal: AbortSignal,
  ): Promise<Result<CommitId>> => {
    const stamp = join(base, REPLACED);
    const [at, begun, n] = (readFileOrNull(stamp) ?? '0').trim().split(' ');
    const age = o.clock.now() - Number(at);
    const cutOff = begun === 'begun' ? Number(n) || 0 : CUT_OFF_MAX;
    // A clock that was set back must not forbid it for ever.
    if (age >= 0 && age < REPLACE_EVERY_MS && cutOff >= CUT_OFF_MAX) {
      const minutes = Math.ceil((REPLACE_EVERY_MS - age) / 60_000);
      return fail({
        ...problem,
        code: 'clone-broken',
        hint: `the clone was replaced a short time ago; it is replaced again in ${minutes} min if that is still needed`,
      });
    }
    const times = begun === 'begun' && age < REPLACE_EVERY_MS ? cutOff + 1 : 1;
    writeFileAtomic(stamp, `${o.clock.now()} begun ${times}`);
    const fetched = await cloneAnew(answer, signal);
    if (fetched.ok) {
      writeFileAtomic(stamp, String(o.clock.now()));
      o.emit({ type: 'healed', repo: o.repo, what: `the clone was replaced (${problem.message})` });
    } else if (NOT_THE_CLONES_FAULT.has(fetched.trouble.code)) {
      // The loop is in no hurry with these by itself, and the clone must not wait longer than the remote does.
      rmSync(stamp, { force: true });
    }
    return fetched;
  };

  const fetchHere = async (answer: ProbeAnswer, signal: AbortSignal): Promise<Result<CommitId>> => {
    const version = await readGitVersion(o.env);
    if (!version.ok) return version;
    mkdirSync(base, { recursive: true, mode: 0o755 });
    recover();
    if (existsSync(dir)) sweepClone(dir);
    const free = freeBytes(base);
    if (free < o.limits.freeSpaceMinBytes) {
      return fail(
        trouble(
          'disk-full',
          `expected ${formatBytes(o.limits.freeSpaceMinBytes)} of free space for a fetch, found ${formatBytes(free)}`,
          {
            hint: 'free some space; the next look goes on by itself',
          },
        ),
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
      o.forget();
      if (done.length > 0) o.emit({ type: 'healed', repo: o.repo, what: `clone: ${done.join(', ')}` });
      return second;
    }
    if (signal.aborted || !isCloneTrouble(second.trouble)) return second;
    return replace(answer, second.trouble, signal);
  };

  return {
    fetch: fetchHere,
    suspect(problem) {
      writeFileAtomic(suspectFile, `${problem.message}\n`);
    },
    isSuspect: () => existsSync(suspectFile),
  };
}
