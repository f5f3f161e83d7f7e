/**
 * One repo of the host: probes its remotes, brings it to its target, publishes the tree, and knows its actions.
 * Every method leaves the repo usable whatever happens: a trouble is noted, what was valid before stays.
 */

import { isProgramGone, PullyuError } from '../errors.ts';
import { type Clone, openClone } from '../git/clone.ts';
import type { ProbeAnswer } from '../git/probe.ts';
import { TroubleError, troubleFromError } from '../git/stderr.ts';
import { openTrees, type Trees } from '../git/trees.ts';
import type { Action } from '../model/action.ts';
import type { CommitId } from '../model/ids.ts';
import type { Labels } from '../model/labels.ts';
import type { RepoInput } from '../model/plan.ts';
import { printable } from '../model/printable.ts';
import type { RepoConfig, Tracking } from '../model/repo.ts';
import { fail, ok, type Result, type Trouble, trouble } from '../model/trouble.ts';
import { chooseTarget, type Relation } from '../plan/target.ts';
import { resolveTracking } from '../plan/tracking.ts';
import { repoPaths } from '../system/paths.ts';
import { filesOfCommit, readActions } from './actions.ts';
import { createActionsCache } from './actions-cache.ts';
import type { AgentContext, HostView } from './context.ts';
import { readRepoInput } from './repo-input.ts';
import type { RepoState } from './state-file.ts';
import { areaOf, createTroubles, type Troubles } from './troubles.ts';

export interface Follower {
  readonly repo: RepoConfig;
  readonly clone: Pick<Clone, 'has' | 'changedFiles' | 'maintain'>;
  readonly trees: Pick<Trees, 'current' | 'heal' | 'checkout' | 'tidy'>;
  readonly troubles: Troubles;
  /** Since it was opened: set whenever a new tree was published. */
  freshTree: boolean;
  /** Asks the remotes in their order; notes contact and trouble. */
  probe(): Promise<Result<ProbeAnswer>>;
  /**
   * Makes the answer's commit the target and its tree current, as far as that is allowed.
   * @returns the commit that was dealt with (what was fetched may be newer than the answer): asked again with this answer, nothing would
   * change. null when more is to be done.
   */
  bring(answer: ProbeAnswer, view: HostView): Promise<CommitId | null>;
  /**
   * Makes sure that the tree of the known target is there, also when no remote can be reached.
   * @returns false when it could not be written now. Where only a fetch could bring it, there is nothing to do.
   */
  restore(view: HostView): Promise<boolean>;
  /** What the planner has to know; null when there is no tree yet. */
  planInput(view: HostView): Promise<RepoInput | null>;
  /** Somebody's edits of the tree were put back. */
  noteHealed(files: readonly string[]): void;
  /** For state.json. */
  state(): RepoState;
  close(): void;
}

export function createFollower(
  context: AgentContext,
  repo: RepoConfig,
  known: RepoState,
  labelsOf: () => HostView,
): Follower {
  const { journal, clock, emit, signal } = context;
  const clone = openClone(context.paths, repo, {
    limits: labelsOf().config.limits,
    env: context.env,
    emit,
    clock,
    sshFolder: context.sshFolder,
  });
  const trees = openTrees(context.paths, repo, clone, { clock });
  const troubles = createTroubles({ repo: repo.name, known: known.trouble, now: clock.now, emit, signal });
  const state: RepoState = { ...known };
  const cache = createActionsCache(repoPaths(context.paths.state, repo.name).base, repo.name, {
    write: true,
  });
  let actions: { key: string; list: Action[] } | null = null;
  /** The remote that answered last in this process: where `bring` goes on when it lags behind. */
  let answeredBy = 0;
  /** What `moveTo` had to do with last. */
  let dealtWith: CommitId | null = null;

  const guarded = async <T>(work: () => Promise<Result<T>>): Promise<Result<T>> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof TroubleError) return fail(error.trouble);
      if (error instanceof PullyuError || isProgramGone(error)) throw error;
      const named = troubleFromError(error, { doing: 'bring the tree up to date' });
      if (named === null) emit({ type: 'warning', text: describe(error) });
      return fail(named ?? surprise(error));
    }
  };

  let resolved: { labels: Labels; tracking: Result<Tracking> } | null = null;
  const tracking = (): Result<Tracking> => {
    const { labels } = labelsOf().host;
    if (resolved?.labels !== labels) resolved = { labels, tracking: resolveTracking(repo.track, labels) };
    return resolved.tracking;
  };

  /** From the n-th remote on, the first that answers. */
  const probeFrom = async (first: number): Promise<Result<ProbeAnswer>> => {
    const wanted = tracking();
    if (!wanted.ok) return wanted;
    let problem: Trouble | null = null;
    for (let n = first; n < repo.remotes.length; n += 1) {
      const answer = await context.prober.probe(repo, repo.remotes[n]!, wanted.value, signal);
      if (answer.ok) {
        answeredBy = n;
        return answer;
      }
      problem ??= answer.trouble;
    }
    return fail(problem!);
  };

  const relationOf = async (commit: CommitId, target: CommitId | null): Promise<Result<Relation>> => {
    if (target === null || commit === target) return ok('same');
    if (!(await clone.has(target))) return ok('unrelated');
    const newer = await clone.isAncestor(target, commit);
    if (!newer.ok || newer.value) return newer.ok ? ok('descendant') : newer;
    const older = await clone.isAncestor(commit, target);
    if (!older.ok) return older;
    return ok(older.value ? 'older' : 'unrelated');
  };

  const actionsOf = async (commit: CommitId, view: HostView): Promise<Result<Action[]>> => {
    const key = `${commit} ${view.stamp}`;
    if (actions?.key === key) return ok(actions.list);
    const read = await readActions(repo, filesOfCommit(clone, commit), view.host.labels, cache);
    if (read.ok) actions = { key, list: read.value };
    return read;
  };

  const publish = async (commit: CommitId): Promise<Result<null>> => {
    if (trees.current()?.commit === commit) return ok(null);
    const published = await trees.publish(commit);
    if (!published.ok) return published;
    follower.freshTree = true;
    emit({ type: 'tree-published', repo: repo.name, commit });
    return ok(null);
  };

  const moveTo = async (answer: ProbeAnswer, view: HostView): Promise<Result<null>> => {
    const target = journal.target(repo.name);
    let commit = answer.commit;
    dealtWith = commit;
    if (!(await clone.has(commit))) {
      const fetched = await clone.fetch(answer, { signal });
      if (!fetched.ok) return fetched;
      commit = fetched.value;
      dealtWith = commit;
    }
    const wanted = tracking();
    if (!wanted.ok) return wanted;
    const relation = await relationOf(commit, target);
    if (!relation.ok) return relation;
    const accepted = retracked(wanted.value) ? commit : journal.accepted(repo.name);
    const descends =
      accepted !== null && (await clone.has(accepted)) ? await clone.isAncestor(accepted, commit) : null;
    const choice = chooseTarget({
      answer: commit,
      remote: answer.url,
      tracking: wanted.value,
      previous: target,
      relation: relation.value,
      accepted,
      descendsFromAccepted: descends?.ok === true && descends.value,
    });
    if (choice.kind === 'trouble') {
      // The commit must be known for the answer to count as settled; the tree of the known target stays.
      await publish(choice.target);
      return fail(choice.trouble);
    }
    const track = describeTracking(wanted.value);
    if (choice.kind === 'move') {
      const scanned = await clone.scan(target !== null && (await clone.has(target)) ? target : null, commit);
      if (!scanned.ok) return scanned;
      const valid = await actionsOf(commit, view);
      if (!valid.ok) return valid;
      journal.append({ type: 'target', repo: repo.name, commit, remote: answer.url, track });
      clone.setTarget(commit);
      emit({
        type: 'target-moved',
        repo: repo.name,
        from: target,
        to: commit,
        remote: answer.url,
        subject: await clone.subject(commit),
      });
    }
    // Durable, since the next move hangs on it: a `track` that was changed may lead anywhere, one that was not only onwards.
    if (choice.kind === 'stay' && journal.targetTrack(repo.name) !== track)
      journal.append({ type: 'target', repo: repo.name, commit: choice.target, remote: answer.url, track });
    return publish(choice.target);
  };

  /** The operator changed `track` (or a label in it) on this host: that is his word for the move, which need not be a descent. */
  const retracked = (wanted: Tracking): boolean => {
    const before = journal.targetTrack(repo.name);
    return before !== null && before !== describeTracking(wanted);
  };

  const follower: Follower = {
    repo,
    clone,
    trees,
    troubles,
    freshTree: false,

    async probe() {
      const answer = await probeFrom(0);
      if (signal.aborted) return answer;
      if (answer.ok) {
        state.remote = repo.remotes[answeredBy]!;
        state.seen = answer.value.commit;
        state.lastContactAt = clock.now();
        state.failures = 0;
        troubles.set('contact', null);
      } else {
        state.failures += 1;
        troubles.set(areaOf(answer.trouble.code) === 'content' ? 'content' : 'contact', answer.trouble);
      }
      return answer;
    },

    async bring(answer, view) {
      let moved = await guarded(() => moveTo(answer, view));
      // Another remote may be ahead of one that lags. Then the answer of the first says nothing about the next time.
      const isBehind = (): boolean =>
        repo.remotes.length > 1 && !moved.ok && moved.trouble.code === 'lagging';
      let asksAnew = isBehind();
      while (isBehind() && answeredBy + 1 < repo.remotes.length) {
        const next = await probeFrom(answeredBy + 1);
        if (!next.ok) break;
        moved = await guarded(() => moveTo(next.value, view));
      }
      if (signal.aborted) return null;
      if (moved.ok) {
        state.fetchFailures = 0;
        troubles.set('content', null);
        troubles.set('contact', null);
        return asksAnew ? null : dealtWith;
      }
      const area = areaOf(moved.trouble.code);
      const settled = SETTLED.has(moved.trouble.code);
      state.fetchFailures = settled ? 0 : state.fetchFailures + 1;
      troubles.set(area, moved.trouble);
      // The known target stays in force, so its tree has to be there.
      if (settled && !(await follower.restore(view))) asksAnew = true;
      return settled && !asksAnew ? dealtWith : null;
    },

    async restore() {
      const target = journal.target(repo.name);
      if (target === null || trees.current()?.commit === target || !(await clone.has(target))) return true;
      const published = await guarded(() => publish(target));
      if (!published.ok && !signal.aborted) troubles.set('content', published.trouble);
      return published.ok;
    },

    async planInput(view) {
      const current = trees.current();
      if (current === null) return null;
      const read = await guarded(async () => {
        const list = await actionsOf(current.commit, view);
        return list.ok
          ? ok(
              await readRepoInput(clone, journal, list.value, {
                repo: repo.name,
                commit: current.commit,
                labels: view.host.labels,
              }),
            )
          : list;
      });
      if (read.ok) return read.value;
      troubles.set(areaOf(read.trouble.code), read.trouble);
      return null;
    },

    noteHealed(files) {
      state.healed = { at: clock.now(), files: files.slice(0, 20) };
      emit({
        type: 'healed',
        repo: repo.name,
        what: `edited files of the tree were put back: ${files
          .slice(0, 5)
          .map((file) => printable(file))
          .join(', ')}`,
      });
    },

    state: () => ({ ...state, trouble: troubles.current() }),
    close: () => clone.close(),
  };

  return follower;
}

/** Troubles that the same answer would only meet again: no fetch, no scan, until something else changes. */
const SETTLED = new Set(['rewritten', 'lagging', 'hostile-tree', 'config', 'limit']);

function describeTracking(tracking: Tracking): string {
  return JSON.stringify(tracking);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * What nobody foresaw (a folder where a link belongs, a git that talks nonsense) is a trouble of this repo: it must not keep the
 * others, or the next look, from their work.
 */
function surprise(error: unknown): Trouble {
  const said = error instanceof Error ? error.message : String(error);
  return trouble('git-failed', `something unforeseen happened: ${printable(said, 300)}`, {
    hint: 'the next look tries again; if it lasts, this is a defect of pullyu: please report it',
  });
}
