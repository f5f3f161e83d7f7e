/** What is done in a scratch checkout: look at its edits, commit, rebase, push. It is the person's: their name, their git configuration. */
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { EventSink } from '../model/event.ts';
import type { Limits } from '../model/host.ts';
import { type CommitId, isCommitId, shortId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fail, ok, type Result, type Trouble, trouble } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import type { ExecResult } from '../system/exec.ts';
import type { Paths } from '../system/paths.ts';
import { readAccess } from './access.ts';
import { fetchInto, INCOMING } from './fetch.ts';
import { ownerMark, runGit } from './run.ts';
import { readable, troubleFromGit } from './stderr.ts';
import { updateSubmodules } from './submodules.ts';
import { readUserGit, runUserGit } from './user-git.ts';

export interface ScratchOptions {
  readonly paths: Paths;
  readonly repo: RepoConfig;
  /** The checkout. */
  readonly folder: string;
  /** `origin`. */
  readonly url: string;
  readonly limits: Limits;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly sshFolder: string | null;
  readonly signal: AbortSignal;
}

export interface ScratchState {
  readonly head: CommitId;
  /** Paths that differ from HEAD, untracked ones included. */
  readonly edited: number;
  /** Commits that no branch of the remote has, as far as it was fetched. */
  readonly ahead: number;
}

export interface Scratch {
  state(): Promise<Result<ScratchState>>;
  commitAll(message: string): Promise<Result<null>>;
  /** Brings `origin/BRANCH` up to date. */
  fetch(branch: string): Promise<Result<CommitId>>;
  isAncestor(a: string, b: string): Promise<boolean>;
  /** On conflict everything is as before. */
  rebase(onto: string): Promise<Result<null>>;
  /** The commits of a branch's own line, newest first, at most `max`; those after `after` when it is given. */
  line(tip: CommitId, o: { readonly after?: CommitId; readonly max: number }): Promise<Result<LineCommit[]>>;
  /**
   * Commits the reverse of a commit; of a merge against its first parent.
   * @returns `conflict`: git stands in the middle of it. `empty`: that changes nothing, and everything is as before.
   */
  revert(commit: LineCommit): Promise<Result<'reverted' | 'conflict' | 'empty'>>;
  /** Moves the branch of the checkout; edits are kept, or it fails. */
  moveTo(commit: CommitId): Promise<Result<null>>;
  /** `moved`: somebody else was faster. */
  push(branch: string): Promise<Result<'pushed' | 'moved'>>;
}

export interface LineCommit {
  readonly id: CommitId;
  readonly parents: readonly CommitId[];
  readonly subject: string;
  /** What it says to revert, in git's own words; null: no revert. */
  readonly reverts: CommitId | null;
}

const STEP_TIMEOUT_MS = 10 * 60_000;

export function openScratch(o: ScratchOptions): Scratch {
  const { folder, env, signal, repo, url } = o;
  const gitDir = join(folder, '.git');
  const git = (args: readonly string[], doing: string, more: Readonly<Record<string, string>> = {}) =>
    readUserGit(args, { cwd: folder, env, more, doing, signal, timeoutMs: STEP_TIMEOUT_MS });
  const ours = { ...ownerMark(o.paths.state), ...(env.PATH ? { PATH: env.PATH } : {}) };
  const access = () => readAccess(repo, url, { env, sshFolder: o.sshFolder });

  const followSubmodules = async () => {
    const allowed = await access();
    if (!allowed.ok) return allowed;
    const lazyFetch = repo.clone === 'blobless';
    const remote = { url, access: allowed.value, env: ours, lazyFetch };
    return updateSubmodules(folder, remote, { keepEdits: true });
  };

  return {
    async state() {
      const doing = 'read the checkout';
      const head = await git(['rev-parse', '--verify', 'HEAD^{commit}'], doing);
      if (!head.ok) return head;
      const edits = await git(
        ['status', '--porcelain', '-z', '--untracked-files=all', '--no-renames'],
        doing,
      );
      if (!edits.ok) return edits;
      const ahead = await git(['rev-list', '--count', 'HEAD', '--not', '--remotes=origin'], doing);
      if (!ahead.ok) return ahead;
      return ok({
        head: head.value as CommitId,
        edited: edits.value.split('\0').filter((entry) => entry !== '').length,
        ahead: Number(ahead.value),
      });
    },

    async commitAll(message) {
      const added = await git(['add', '--all'], 'commit the edits');
      if (!added.ok) return added;
      const identity = await identityOf(folder, env);
      const done = await git([...identity, 'commit', '--quiet', '-m', message], 'commit the edits');
      return done.ok ? ok(null) : done;
    },

    async fetch(branch) {
      const allowed = await access();
      if (!allowed.ok) return allowed;
      const base = { commit: '' as CommitId, ref: `refs/heads/${branch}`, url };
      const fetched = await fetchInto(gitDir, base, {
        repo: repo.name,
        limits: o.limits,
        emit: (() => {}) as EventSink,
        clock: o.clock,
        first: false,
        blobless: repo.clone === 'blobless',
        git: { access: allowed.value, env: ours, signal },
      });
      if (!fetched.ok) return fetched;
      const kept = await git(
        ['update-ref', `refs/remotes/origin/${branch}`, fetched.value],
        'keep what it fetched',
      );
      await git(['update-ref', '-d', INCOMING], 'keep what it fetched');
      return kept.ok ? fetched : kept;
    },

    async isAncestor(a, b) {
      const result = await runUserGit(['merge-base', '--is-ancestor', a, b], { cwd: folder, env, signal });
      return result.exitCode === 0;
    },

    async rebase(onto) {
      const identity = await identityOf(folder, env);
      const before = await git(['rev-parse', '--verify', 'HEAD^{commit}'], 'read the checkout');
      if (!before.ok) return before;
      const done = await git([...identity, 'rebase', '--quiet', onto], `rebase onto ${onto}`, NO_EDITOR);
      if (!done.ok) {
        await git(['rebase', '--abort'], 'undo the rebase');
        return done;
      }
      // Git's rebase leaves them as they were, and the next commit of everything would take them back.
      const followed = repo.submodules ? await followSubmodules() : ok(null);
      if (!followed.ok) await git(['reset', '--quiet', '--keep', before.value], 'undo the rebase');
      return followed;
    },

    async line(tip, { after, max }) {
      const range = after === undefined ? [tip] : [tip, `^${after}`];
      const format = '--format=%H%x00%P%x00%s%x00%b%x00';
      const read = await git(
        ['log', '--first-parent', `--max-count=${max}`, format, ...range, '--'],
        'read the commits',
      );
      if (!read.ok) return read;
      return ok(parseLine(read.value));
    },

    async revert({ id, parents }) {
      const identity = await identityOf(folder, env);
      const mainline = parents.length > 1 ? ['--mainline', '1'] : [];
      const done = await git(
        [...identity, 'revert', '--no-edit', ...mainline, id],
        `revert ${shortId(id)}`,
        NO_EDITOR,
      );
      if (done.ok) {
        const followed = repo.submodules ? await followSubmodules() : ok(null);
        return followed.ok ? ok('reverted') : followed;
      }
      const open = await git(['rev-parse', '--verify', '--quiet', 'REVERT_HEAD'], 'read the checkout');
      const edits = await git(['status', '--porcelain', '--untracked-files=no'], 'read the checkout');
      if (edits.ok && edits.value === '') {
        await git(['revert', '--abort'], 'undo the revert');
        return ok('empty');
      }
      return open.ok ? ok('conflict') : done;
    },

    async moveTo(commit) {
      const done = await git(['reset', '--quiet', '--keep', commit], `go to ${shortId(commit)}`);
      return done.ok ? ok(null) : done;
    },

    async push(branch) {
      const allowed = await access();
      if (!allowed.ok) return allowed;
      if (repo.lfs) {
        // Git itself would leave that to a hook: a commit must not arrive before its large files.
        const sent = await git(['lfs', 'push', 'origin', 'HEAD'], 'push the large files');
        if (!sent.ok) return sent;
      }
      const result = await runGit(['push', '--porcelain', 'origin', `HEAD:refs/heads/${branch}`], {
        gitDir,
        env: ours,
        access: allowed.value,
        lazyFetch: repo.clone === 'blobless',
        config: [`remote.origin.url=${url}`],
        timeoutMs: o.limits.fetchTimeoutMs,
        stallMs: o.limits.fetchStallMs,
        signal,
      });
      if (result.ended === 'exited' && result.exitCode === 0) {
        await git(['update-ref', `refs/remotes/origin/${branch}`, 'HEAD'], 'note the push');
        return ok('pushed');
      }
      return isRejectedAsOld(result) ? ok('moved') : fail(troubleFromPush(result, branch, url));
    },
  };
}

const NO_EDITOR = { GIT_EDITOR: 'true', GIT_SEQUENCE_EDITOR: 'true' };

/** Four fields a commit, each ended by NUL, which no message can hold. */
function parseLine(text: string): LineCommit[] {
  const fields = text.split('\0');
  const commits: LineCommit[] = [];
  for (let at = 0; at + 4 <= fields.length; at += 4) {
    const [head = '', parents = '', subject = '', body = ''] = fields.slice(at, at + 4);
    const id = head.trim();
    if (!isCommitId(id)) break;
    const reverts = /^This reverts commit ([0-9a-f]{40,64})/m.exec(body)?.[1] ?? '';
    commits.push({
      id,
      parents: parents.split(' ').filter(isCommitId),
      subject,
      reverts: isCommitId(reverts) ? reverts : null,
    });
  }
  return commits;
}

/** Who commits: as git knows the person, else the name that they are logged in with. */
async function identityOf(
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly string[]> {
  const known = await runUserGit(['config', 'user.email'], { cwd: folder, env });
  if (known.exitCode === 0 || env.GIT_COMMITTER_EMAIL || env.EMAIL) return [];
  const name = env.SUDO_USER || userInfo().username;
  return ['-c', `user.name=${name}`, '-c', `user.email=${name}@localhost`];
}

function isRejectedAsOld({ stdout, stderr }: ExecResult): boolean {
  return /\((?:fetch first|non-fast-forward|stale info)\)|cannot lock ref|failed to update ref/.test(
    `${stdout}${stderr}`,
  );
}

/** What servers say to somebody who may only read. */
const READ_ONLY =
  /read[- ]only|write access|not (?:granted|allowed|permitted|authorized) to (?:push|write|upload)|permission to \S+ denied|error: (?:401|403)\b|HTTP (?:401|403)\b|access denied|Authentication failed|could not read (?:Username|Password)|insufficient permission|Permission denied|service not enabled|receive-?pack|protocol error|unable to (?:create temporary|write)/i;

const RULES = /hook declined|protected branch|\[remote rejected\]|GH\d{3}:|denied by (?:rule|policy)/i;

/** @returns `forbidden` when the credential may not write, or the branch has rules; else what git's words mean everywhere. */
export function troubleFromPush(result: ExecResult, branch: string, url: string): Trouble {
  const said = `${result.stdout.toString('utf8')}\n${result.stderr}`;
  const lines = said.split(/[\r\n]+/).map((one) => one.replaceAll('\t', ' ').trim());
  const line = (pattern: RegExp) =>
    readable((lines.find((one) => pattern.test(one)) ?? '').replace(/^(?:fatal|error|remote): /, ''));
  /** The server's own words, when it has some. */
  const server = lines
    .filter((one) => one.startsWith('remote: '))
    .map((one) => one.slice('remote: '.length).trim())
    .filter((one) => one !== '');
  if (result.ended === 'exited' && RULES.test(said) && !/read[- ]only/i.test(said)) {
    return trouble(
      'forbidden',
      `expected to push to ${branch}, found that the server refuses it: ${server.length > 0 ? readable(server.slice(0, 3).join('; ')) : line(RULES)}`,
      {
        remote: url,
        hint: 'push to a branch for review: pullyu try push --branch NAME',
      },
    );
  }
  if (result.ended === 'exited' && READ_ONLY.test(said)) {
    return trouble(
      'forbidden',
      `expected a credential that may write to ${url}, found one that may not: ${line(READ_ONLY)}`,
      {
        remote: url,
        hint: 'a host needs only to read: fetch the branch from the checkout with a credential of your own, or give this repo one that may write',
      },
    );
  }
  return troubleFromGit(result, { doing: `push to ${branch}`, remote: url });
}
