/**
 * A repo with `pull: self`: its own work script pulls, the agent only calls it. First contact clones it, once; from then on the agent reads
 * its HEAD at each look and changes nothing in it. A HEAD that moved is the answer that a remote's commit is elsewhere.
 *
 * HEAD is read at the beginning of a pass and stands until the next: what a script pulls while the pass is under way is acted upon by
 * the next one. A pullyu.yaml that is broken at HEAD leaves the actions of the last valid commit in force, so that the script which
 * pulls the correction still runs.
 */
import { lstatSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { writeAccessFile } from '../git/access-file.ts';
import { createCommitReader } from '../git/commit-reader.ts';
import { makeOrdinaryClone } from '../git/ordinary-clone.ts';
import type { ProbeAnswer } from '../git/probe.ts';
import { selfRepository } from '../git/self-repository.ts';
import { linkTemp } from '../git/slot.ts';
import { TroubleError, troubleFromError } from '../git/stderr.ts';
import type { Action } from '../model/action.ts';
import type { CommitId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fail, ok, type Result, type Trouble, trouble } from '../model/trouble.ts';
import { resolveTracking } from '../plan/tracking.ts';
import { makeFolder } from '../system/files.ts';
import { repoPaths } from '../system/paths.ts';
import { filesOfCommit, readActions } from './actions.ts';
import type { AgentContext, HostView } from './context.ts';
import type { Follower } from './follower.ts';
import { readRepoInput } from './repo-input.ts';
import type { RepoState } from './state-file.ts';
import { areaOf, createTroubles } from './troubles.ts';

export function createSelfFollower(
  context: AgentContext,
  repo: RepoConfig,
  known: RepoState,
  viewOf: () => HostView,
): Follower {
  const { paths, journal, clock, emit, signal } = context;
  const at = repoPaths(paths.state, repo.name);
  const closing = new AbortController();
  const self = selfRepository(paths, repo.name, context.env, closing.signal);
  const reader = createCommitReader(self.git);
  const troubles = createTroubles({ repo: repo.name, known: known.trouble, now: clock.now, emit, signal });
  const state: RepoState = { ...known };
  let actions: { key: string; list: Action[] } | null = null;
  /** HEAD of this pass. */
  let head: CommitId | null = null;

  const isThere = () => lstatSync(self.path, { throwIfNoEntry: false })?.isDirectory() === true;

  const branch = (): Result<string> => {
    const tracking = resolveTracking(repo.track, viewOf().host.labels);
    if (!tracking.ok) return tracking;
    if (tracking.value.kind === 'branch') return ok(tracking.value.name);
    return fail(
      trouble(
        'config',
        `expected a branch to track for the repo ${repo.name} with \`pull: self\`, found none`,
        {
          hint: 'its script pulls, and only a branch can be pulled: write `track: BRANCH`, or `pull: agent`',
        },
      ),
    );
  };

  /** Only before the first contact. */
  const probeRemotes = async (): Promise<Result<ProbeAnswer>> => {
    const wanted = branch();
    if (!wanted.ok) return wanted;
    let problem: Trouble | null = null;
    for (const remote of repo.remotes) {
      const answer = await context.prober.probe(repo, remote, { kind: 'branch', name: wanted.value }, signal);
      if (answer.ok) {
        state.remote = remote;
        state.lastContactAt = clock.now();
        return answer;
      }
      problem ??= answer.trouble;
    }
    return fail(problem!);
  };

  /** HEAD in the words of a probe. The last contact was the script's: git notes each fetch in a file. */
  const probeSelf = async (): Promise<Result<ProbeAnswer>> => {
    const read = await self.readHead();
    if (!read.ok) return read;
    if (read.value === null) return probeRemotes();
    const fetched = lstatSync(join(self.path, '.git/FETCH_HEAD'), { throwIfNoEntry: false })?.mtimeMs;
    state.lastContactAt = Math.max(state.lastContactAt ?? 0, Math.floor(fetched ?? 0)) || clock.now();
    state.remote ??= repo.remotes[0]!;
    return ok({ commit: read.value, ref: 'HEAD', url: state.remote });
  };

  const cloneOnce = async (answer: ProbeAnswer): Promise<Result<null>> => {
    const wanted = branch();
    if (!wanted.ok) return wanted;
    makeFolder(at.base);
    const made = await makeOrdinaryClone(self.path, {
      paths,
      repo,
      answer,
      follows: wanted.value,
      branch: wanted.value,
      limits: viewOf().config.limits,
      env: context.env,
      clock,
      emit,
      sshFolder: context.sshFolder,
      signal,
    });
    return made.ok ? ok(null) : made;
  };

  /** `current` and `.temp`, as in every tree; and how its git reaches the remote, which host.yaml may have changed. */
  const link = (): Result<null> => {
    if (readLink(at.current) !== 'self') {
      const fresh = `${at.current}.new`;
      rmSync(fresh, { force: true });
      symlinkSync('self', fresh);
      renameSync(fresh, at.current);
    }
    const gitDir = join(self.path, '.git');
    linkTemp({ path: self.path, gitDir }, at.temp);
    return writeAccessFile(gitDir, repo, state.remote ?? repo.remotes[0]!, context.env);
  };

  const actionsOf = async (commit: CommitId, view: HostView): Promise<Result<Action[]>> => {
    const key = `${commit} ${view.stamp}`;
    if (actions?.key === key) return ok(actions.list);
    const read = await readActions(repo, filesOfCommit(reader, commit), view.host.labels);
    if (read.ok) actions = { key, list: read.value };
    return read;
  };

  const take = async (answer: ProbeAnswer, view: HostView): Promise<Result<null>> => {
    if (!isThere()) {
      const cloned = await cloneOnce(answer);
      if (!cloned.ok) return cloned;
    }
    const linked = link();
    if (!linked.ok) return linked;
    const read = await self.readHead();
    if (!read.ok) return read;
    head = read.value;
    if (head === null) return ok(null);
    state.seen = head;
    const before = journal.target(repo.name);
    if (before === head) return ok(null);
    const valid = await actionsOf(head, view);
    if (!valid.ok) return valid;
    journal.append({ type: 'target', repo: repo.name, commit: head, remote: answer.url });
    const subject = await reader.subject(head);
    emit({ type: 'target-moved', repo: repo.name, from: before, to: head, remote: answer.url, subject });
    return ok(null);
  };

  const note = (problem: Trouble) => {
    if (areaOf(problem.code) === 'contact') state.failures += 1;
    troubles.set(areaOf(problem.code), problem);
  };

  return {
    repo,
    clone: { has: reader.has, changedFiles: reader.changedFiles, maintain: async () => {} },
    trees: {
      current: () => (head !== null && isThere() ? { commit: head, path: self.path } : null),
      heal: async () => [],
      checkout: async () =>
        fail(
          trouble(
            'config',
            `expected only work at HEAD of ${repo.name} with \`pull: self\`, found work at another commit`,
            {
              hint: 'catchUp: each and the undo of an action that is gone need `pull: agent`',
            },
          ),
        ),
      tidy: async () => {},
    },
    troubles,
    freshTree: false,

    async probe() {
      const answer = await guarded(probeSelf);
      if (signal.aborted) return answer;
      if (answer.ok) {
        state.failures = 0;
        troubles.set('contact', null);
      } else note(answer.trouble);
      return answer;
    },

    async bring(answer, view) {
      const taken = await guarded(() => take(answer, view));
      if (signal.aborted) return null;
      if (taken.ok) {
        state.fetchFailures = 0;
        troubles.set('content', null);
        troubles.set('contact', null);
        // What was cloned may be newer than what was probed, and HEAD may have moved since: then the next look asks again.
        return head === answer.commit ? head : null;
      }
      note(taken.trouble);
      const settled = taken.trouble.code === 'config' && head === answer.commit;
      state.fetchFailures = settled ? 0 : state.fetchFailures + 1;
      return settled ? head : null;
    },

    async restore() {
      const read = await guarded(self.readHead);
      if (read.ok) head = read.value;
      return read.ok;
    },

    async planInput(view) {
      const commit = head;
      if (commit === null || !isThere()) return null;
      const read = await guarded(async () => {
        let list = await actionsOf(commit, view);
        const valid = journal.target(repo.name);
        if (!list.ok && list.trouble.code === 'config' && valid !== null) list = await actionsOf(valid, view);
        if (!list.ok) return list;
        const where = { repo: repo.name, commit, labels: view.host.labels };
        return ok(await readRepoInput(reader, journal, list.value, where));
      });
      if (read.ok) return read.value;
      troubles.set(areaOf(read.trouble.code), read.trouble);
      return null;
    },

    noteHealed() {},
    state: () => ({ ...state, trouble: troubles.current() }),
    close: () => closing.abort(),
  };
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

async function guarded<T>(work: () => Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TroubleError) return fail(error.trouble);
    const problem = troubleFromError(error, { doing: 'read the repository that pulls itself' });
    if (problem === null) throw error;
    return fail(problem);
  }
}
