/**
 * A repository of a forge, kept beside it: fetched at its own interval and when a webhook says so, served as it was last seen when
 * the forge is away.
 *
 * Each pass asks for the list of refs and fetches only when it is another one, all refs or none. A list without a single ref is never
 * believed: a forge that lost its disk must not empty the fleet's mirror.
 */
import { existsSync } from 'node:fs';
import { PullyuError } from '../errors.ts';
import { readAccess } from '../git/access.ts';
import { runGit } from '../git/run.ts';
import { troubleFromError, troubleFromGit } from '../git/stderr.ts';
import type { AccessSettings } from '../model/repo.ts';
import { fail, ok, type Result, type Trouble, trouble } from '../model/trouble.ts';
import { type Clock, delay } from '../system/clock.ts';
import { type Listing, parseListing } from './listing.ts';

export interface MirrorSettings {
  /** As of a repository. */
  readonly name: string;
  readonly url: string;
  readonly intervalMs: number;
  /** What the forge asks for; null: nothing. */
  readonly credentials: string | null;
}

export interface MirrorState {
  readonly name: string;
  readonly url: string;
  /** When the forge last answered, milliseconds since 1970; null: not yet since the hub was started. */
  readonly contactAt: number | null;
  /** When the refs here last changed since the hub was started. */
  readonly changedAt: number | null;
  readonly trouble: Trouble | null;
  /** Nothing was ever fetched: there is nothing to serve. */
  readonly isEmpty: boolean;
}

export interface Mirror {
  state(): MirrorState;
  /** Somebody says that there is news. However often that is said while a pass is running, one more follows it. */
  poke(): void;
  /** Ends the pass that is running; the next start goes on. */
  close(): Promise<void>;
}

export interface MirrorOptions {
  /** The bare repository. Made when it is not there. */
  readonly folder: string;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The refs were changed. */
  readonly onChanged: () => void;
  /** A trouble began, changed its kind, or ended (null). */
  readonly onTrouble: (trouble: Trouble | null) => void;
  /** From the end of one pass to the begin of the next, however fast hooks come; default 500 ms. */
  readonly gapMs?: number;
}

const NO_ACCESS: AccessSettings = {
  credentialsFile: null,
  credentialHelper: null,
  sshKey: null,
  sshKnownHosts: null,
  tlsCa: null,
  tlsCert: null,
  tlsKey: null,
  proxy: null,
};

/** Which repository is a mirror of what: nobody's own branches are ever replaced. */
const MARK = 'pullyu.mirrorOf';
const LIST_TIMEOUT_MS = 60_000;
const FETCH_TIMEOUT_MS = 30 * 60_000;
const STALL_MS = 120_000;
const GAP_MS = 500;

/** @throws PullyuError `refused` when the folder holds a repository that is not a mirror of this URL. */
export async function startMirror(s: MirrorSettings, o: MirrorOptions): Promise<Mirror> {
  const isEmpty = await claimFolder(s, o.folder);
  const ending = new AbortController();
  let state: MirrorState = {
    name: s.name,
    url: s.url,
    contactAt: null,
    changedAt: null,
    trouble: null,
    isEmpty,
  };
  let seen: Listing | null = null;
  let pokes = 0;
  let wake = new AbortController();

  async function look(): Promise<Result<boolean>> {
    const access = await readAccess(
      { remotes: [s.url], access: { ...NO_ACCESS, credentialsFile: s.credentials } },
      s.url,
      { env: o.env },
    );
    if (!access.ok) return access;
    const git = async (args: readonly string[], timeoutMs: number): Promise<Result<string>> => {
      const result = await runGit(args, {
        gitDir: o.folder,
        access: access.value,
        timeoutMs,
        stallMs: STALL_MS,
        signal: ending.signal,
      });
      const isGood = result.ended === 'exited' && result.exitCode === 0;
      return isGood
        ? ok(result.stdout.toString())
        : fail(troubleFromGit(result, { doing: 'mirror', remote: s.url }));
    };
    const listed = await git(['ls-remote', '--symref', '--', s.url], LIST_TIMEOUT_MS);
    if (!listed.ok) return listed;
    const listing = parseListing(listed.value);
    if (listing.count === 0 && (seen === null || seen.count > 0)) {
      return fail(
        trouble(
          'empty-answer',
          'expected branches or tags at the forge, found none; the mirror stays as it is',
          {
            remote: s.url,
          },
        ),
      );
    }
    if (seen !== null && seen.refs === listing.refs && seen.head === listing.head) return ok(false);
    const refspecs = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];
    const fetched = await git(
      [
        'fetch',
        '--quiet',
        '--atomic',
        '--prune',
        '--no-tags',
        '--no-write-fetch-head',
        '--',
        s.url,
        ...refspecs,
      ],
      FETCH_TIMEOUT_MS,
    );
    if (!fetched.ok) return fetched;
    if (listing.head !== null) {
      const moved = await git(['symbolic-ref', 'HEAD', listing.head], LIST_TIMEOUT_MS);
      if (!moved.ok) return moved;
    }
    seen = listing;
    return ok(true);
  }

  async function pass(): Promise<void> {
    const result = await look().catch((error: unknown): Result<boolean> => {
      const problem = troubleFromError(error, { doing: 'mirror', remote: s.url });
      return fail(problem ?? trouble('git-failed', `the mirror failed: ${(error as Error).message}`));
    });
    if (ending.signal.aborted) return;
    const now = o.clock.now();
    const before = state.trouble?.code ?? null;
    if (!result.ok) state = { ...state, trouble: result.trouble };
    else {
      const changedAt = result.value ? now : state.changedAt;
      state = { ...state, trouble: null, contactAt: now, changedAt, isEmpty: false };
      if (result.value) o.onChanged();
    }
    const after = state.trouble?.code ?? null;
    if (before !== after) o.onTrouble(state.trouble);
  }

  async function run(): Promise<void> {
    while (!ending.signal.aborted) {
      pokes = 0;
      await pass();
      await delay(o.gapMs ?? GAP_MS, ending.signal);
      // A poke that came during the pass may be about something newer than what the pass saw.
      if (pokes > 0 || ending.signal.aborted) continue;
      wake = new AbortController();
      await delay(s.intervalMs, wake.signal);
    }
  }
  const running = run();

  return {
    state: () => state,
    poke() {
      pokes += 1;
      wake.abort();
    },
    async close() {
      ending.abort();
      wake.abort();
      await running;
    },
  };
}

/** @returns true when there is no ref in it yet. */
async function claimFolder(s: MirrorSettings, folder: string): Promise<boolean> {
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
    const marked = made.isGood ? await git(`--git-dir=${folder}`, 'config', MARK, s.url) : made;
    if (marked.isGood) return true;
    throw new PullyuError('failed', `expected to make ${folder}, found: ${marked.stderr}`);
  }
  const { text } = await git(`--git-dir=${folder}`, 'config', '--get', MARK);
  if (text === s.url) return (await git(`--git-dir=${folder}`, 'for-each-ref', '--count=1')).text === '';
  const found = text === '' ? 'an ordinary repository' : 'a mirror of another URL';
  throw new PullyuError('refused', `expected ${folder} to be a mirror of ${s.url}, found ${found}`, {
    hint: `a mirror replaces all branches and tags: take another NAME, or call git --git-dir=${folder} config ${MARK} ${s.url}`,
  });
}
