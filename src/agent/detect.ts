/** What `pullyu detect` answers: the commit to act upon, or null. For scripts that want to decide by themselves. */
import { realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { PullyuError } from '../errors.ts';
import { TroubleError } from '../git/stderr.ts';
import {
  missingPaths,
  openWorkingCopy,
  pathsDiffer,
  readUpstream,
  type WorkingCopy,
} from '../git/working-copy.ts';
import { type CommitId, commitId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import type { Result, Trouble } from '../model/trouble.ts';
import { changedBelow, newOnRemote, notActedUpon } from '../plan/acted-upon.ts';
import { resolveTracking } from '../plan/tracking.ts';
import type { Clock } from '../system/clock.ts';
import type { Paths } from '../system/paths.ts';
import { actionFiles, readActedUpon } from './action-files.ts';
import type { HostView } from './context.ts';
import { readHostView } from './host-view.ts';
import { readIdentity } from './identity.ts';
import { probeOnce } from './probe-once.ts';
import { readState } from './state-file.ts';

export interface DetectContext {
  readonly paths: Paths;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** @throws PullyuError when it could not be decided; so do the others. */
export async function detectFetch(
  o: { readonly branch: string | null; readonly fetch: boolean },
  context: DetectContext,
): Promise<CommitId | null> {
  const copy = await openCopy(context);
  const repo = repoOfTree(context.paths, copy.top);
  if (repo === null || o.branch !== null) {
    return newOnRemote(must(await readUpstream(copy, o)), copy.head);
  }
  const seen = o.fetch ? await probeRepo(repo, context) : lastSeen(repo, context.paths);
  return seen === null ? null : newOnRemote(seen, copy.head);
}

export async function detectLastAction(
  action: string | null,
  context: DetectContext,
): Promise<CommitId | null> {
  const copy = await openCopy(context);
  return notActedUpon(copy.head, readActedUpon(actionFiles(copy.notes, action).last));
}

/** @returns also the paths that the checked-out commit does not have: nothing to act upon, and perhaps a slip of the pen. */
export async function detectPath(
  paths: readonly string[],
  action: string | null,
  context: DetectContext,
): Promise<{ commit: CommitId | null; missing: readonly string[] }> {
  const copy = await openCopy(context);
  const acted = readActedUpon(actionFiles(copy.notes, action).last);
  if (acted === copy.head) return { commit: null, missing: [] };
  const differs = acted === null ? null : must(await pathsDiffer(copy, acted, paths));
  const missing = differs === true ? [] : must(await missingPaths(copy, paths));
  const isNowhere = differs === null && missing.length === paths.length;
  return { commit: isNowhere ? null : changedBelow(copy.head, acted, differs), missing };
}

async function openCopy(context: DetectContext): Promise<WorkingCopy> {
  const { cwd, env, signal } = context;
  const copy = await openWorkingCopy({ cwd, env, signal });
  if (copy.ok) return copy.value;
  throw new PullyuError(
    copy.trouble.code === 'git-missing' ? 'program-missing' : 'usage',
    copy.trouble.message,
    copy.trouble.hint === null ? {} : { hint: copy.trouble.hint },
  );
}

/** The repo of this host whose tree the folder is; null for any other checkout. */
function repoOfTree(paths: Paths, top: string): string | null {
  let repos: string;
  try {
    repos = realpathSync(join(paths.state, 'repos'));
  } catch {
    return null;
  }
  return /^([^/]+)\/trees\/[abc]$/.exec(relative(repos, top))?.[1] ?? null;
}

/** A tree of ours has no branch and is no place to fetch into: its remotes are asked, as the agent asks them. */
async function probeRepo(name: string, context: DetectContext): Promise<CommitId> {
  const { paths, env, clock, signal } = context;
  const id = readIdentity(paths.state);
  if (id === null)
    throw new PullyuError('not-bootstrapped', `expected this host in ${paths.state}, found none`);
  const view = await readHostView(paths, id, null);
  const repo = findRepo(view, name);
  const tracking = must(resolveTracking(repo.track, view.host.labels));
  const answer = await probeOnce(repo, tracking, {
    paths,
    view,
    env,
    clock,
    signal,
    hint: '--no-fetch compares with what the agent saw last',
  });
  return answer.commit;
}

function findRepo(view: HostView, name: string): RepoConfig {
  const repo = view.config.repos.find((one) => one.name === name);
  if (repo) return repo;
  throw new PullyuError('unknown-repo', `expected ${name} among the repos of this host, found it no more`);
}

function lastSeen(repo: string, paths: Paths): CommitId | null {
  const seen = readState(paths.state).repos[repo]?.seen ?? null;
  return seen === null ? null : commitId(seen);
}

function must<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  const { code, message, hint } = result.trouble;
  if (code === 'config') throw new PullyuError('usage', message, hint === null ? {} : { hint });
  throw REMOTE.has(code)
    ? new PullyuError('unreachable', message, hint === null ? {} : { hint })
    : new TroubleError(result.trouble);
}

const REMOTE: ReadonlySet<Trouble['code']> = new Set([
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
]);
