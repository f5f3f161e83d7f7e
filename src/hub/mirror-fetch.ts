/**
 * One pass of a mirror: asks the forge for its list of refs, and fetches when it is another one than before, all refs or none. A list
 * without a single ref is never believed: a forge that lost its disk must not empty the fleet's mirror.
 */
import { existsSync } from 'node:fs';
import { PullyuError } from '../errors.ts';
import { readAccess } from '../git/access.ts';
import { runGit } from '../git/run.ts';
import { troubleFromGit } from '../git/stderr.ts';
import { NO_ACCESS } from '../model/repo.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { type Listing, parseListing } from './listing.ts';
import type { MirrorSettings } from './mirror.ts';

/** Which repository is a mirror of what: nobody's own branches are ever replaced. */
const MARK = 'pullyu.mirrorOf';
const LIST_TIMEOUT_MS = 60_000;
const FETCH_TIMEOUT_MS = 30 * 60_000;
const STALL_MS = 120_000;
const REFSPECS = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];

export interface MirrorFetch {
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the last good pass of this process saw. */
  readonly seen: Listing | null;
  readonly signal: AbortSignal;
}

/** @returns what the repository has now; null: the forge has nothing else than what was seen. */
export async function fetchMirror(s: MirrorSettings, o: MirrorFetch): Promise<Result<Listing | null>> {
  const access = await readAccess(
    { remotes: [s.url], access: { ...NO_ACCESS, credentialsFile: s.credentials } },
    s.url,
    { env: o.env },
  );
  if (!access.ok) return access;
  const git = async (args: readonly string[], timeoutMs: number): Promise<Result<string>> => {
    const { folder: gitDir, signal } = o;
    const result = await runGit(args, { gitDir, access: access.value, timeoutMs, stallMs: STALL_MS, signal });
    const isGood = result.ended === 'exited' && result.exitCode === 0;
    return isGood
      ? ok(result.stdout.toString())
      : fail(troubleFromGit(result, { doing: 'mirror', remote: s.url }));
  };
  const listed = await git(['ls-remote', '--symref', '--', s.url], LIST_TIMEOUT_MS);
  if (!listed.ok) return listed;
  const listing = parseListing(listed.value);
  if (listing.count === 0) {
    const found = 'expected branches or tags at the forge, found none; the mirror stays as it is';
    return fail(trouble('empty-answer', found, { remote: s.url }));
  }
  if (o.seen?.refs === listing.refs && o.seen.head === listing.head) return ok(null);
  const quiet = ['--quiet', '--atomic', '--prune', '--no-tags', '--no-write-fetch-head'];
  const fetched = await git(['fetch', ...quiet, '--', s.url, ...REFSPECS], FETCH_TIMEOUT_MS);
  if (!fetched.ok) return fetched;
  if (listing.head !== null) {
    const moved = await git(['symbolic-ref', 'HEAD', listing.head], LIST_TIMEOUT_MS);
    if (!moved.ok) return moved;
  }
  return ok(listing);
}

/**
 * Makes the repository of a mirror, or finds its own.
 * @returns true when there is no ref in it yet. @throws PullyuError `refused` when it is not a mirror of this URL.
 */
export async function claimMirrorFolder(url: string, folder: string): Promise<boolean> {
  const git = async (...args: string[]) => {
    const result = await runGit(args, { timeoutMs: 30_000 });
    return {
      isGood: result.exitCode === 0,
      text: result.stdout.toString().trim(),
      stderr: result.stderr.trim(),
    };
  };
  if (!existsSync(folder)) {
    const made = await git('init', '--quiet', '--bare', '--initial-branch=main', folder);
    const marked = made.isGood ? await git(`--git-dir=${folder}`, 'config', MARK, url) : made;
    if (marked.isGood) return true;
    throw new PullyuError('failed', `expected to make ${folder}, found: ${marked.stderr}`);
  }
  const { text } = await git(`--git-dir=${folder}`, 'config', '--get', MARK);
  if (text === url) return (await git(`--git-dir=${folder}`, 'for-each-ref', '--count=1')).text === '';
  const found = text === '' ? 'an ordinary repository' : 'a mirror of another URL';
  throw new PullyuError('refused', `expected ${folder} to be a mirror of ${url}, found ${found}`, {
    hint: `a mirror replaces all branches and tags: take another NAME, or call git --git-dir=${folder} config ${MARK} ${url}`,
  });
}
