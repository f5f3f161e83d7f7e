/**
 * `pullyu rollback`: going back is one more commit. It is made in the checkout of `pullyu try`, shown with what this host would then do, and
 * pushed; every host takes it as any other commit. A crash leaves at most the checkout, which `pullyu try end` removes.
 */
import { PullyuError } from '../errors.ts';
import { createCommitReader } from '../git/commit-reader.ts';
import type { LineCommit, Scratch } from '../git/scratch.ts';
import { takeSnapshot } from '../git/snapshot.ts';
import { type CommitId, shortId } from '../model/ids.ts';
import { matchesSelector } from '../model/labels.ts';
import type { RepoConfig } from '../model/repo.ts';
import { standingCommits } from '../plan/undone.ts';
import { planTree, type TreePlan } from './plan-tree.ts';
import { beginTry } from './try.ts';
import { printsAt } from './try-compare.ts';
import { count, guarded, must, scratchOf, type TryContext } from './try-context.ts';
import { endTry } from './try-end.ts';
import { type OpenTry, tryPaths } from './try-file.ts';
import { requireBranchName } from './try-push.ts';

export interface RollbackOptions {
  /** Everything after this commit, full or short; null: the last commit that concerned this host. */
  readonly to: string | null;
  /** A branch for review, instead of the tracked one. */
  readonly branch: string | null;
  readonly dryRun: boolean;
  /** What is about to be pushed. */
  readonly onPlan: (found: RollbackPlan) => void;
}

export interface RollbackPlan {
  readonly repo: string;
  readonly branch: string;
  /** What is taken back, newest first. */
  readonly reverted: readonly LineCommit[];
  readonly plan: TreePlan['plan'];
}

export interface RollbackReport extends RollbackPlan {
  /** The head of what was pushed; null: nothing was. */
  readonly pushed: CommitId | null;
}

/** How far back a commit that concerned this host is looked for. */
const SEARCH_MAX = 200;
const REVERTS_MAX = 200;

/** @throws PullyuError, TroubleError; the checkout is left only in the middle of a conflict. */
export async function rollBack(repo: RepoConfig, o: RollbackOptions, c: TryContext): Promise<RollbackReport> {
  if (o.branch !== null) requireBranchName(o.branch);
  const { view, isNew } = await beginTry(repo, c);
  let keep = !isNew;
  try {
    return await guarded(repo.name, c, async () => {
      const scratch = scratchOf(repo, view, c);
      if (!isNew) await requireUntouched(repo, scratch);
      const { branch, tip } = await goToTip(repo, view, scratch);
      const reverted = await chooseCommits(repo, tip, o.to, { branch, scratch, c });
      try {
        for (const commit of reverted) await revertOne(repo, commit, scratch, c);
        const { plan } = await planTree(c.paths, view.path, { ...c, repo: repo.name, labels: {} });
        const found = { repo: repo.name, branch: o.branch ?? branch, reverted, plan };
        o.onPlan(found);
        if (o.dryRun) return { ...found, pushed: null };
        const { head } = must(await scratch.state());
        await pushReverts(found, scratch, branch);
        return { ...found, pushed: head };
      } catch (error) {
        keep ||= error instanceof Conflict;
        throw error;
      } finally {
        // A checkout that somebody had open stays, as it was found.
        if (!isNew) await scratch.moveTo(tip);
      }
    });
  } finally {
    if (!keep) await endTry(repo, true, c);
  }
}

class Conflict extends PullyuError {}

async function requireUntouched(repo: RepoConfig, scratch: Scratch): Promise<void> {
  const { edited, ahead } = must(await scratch.state());
  if (edited + ahead === 0) return;
  throw new PullyuError(
    'refused',
    `expected no work in the open try of ${repo.name}, found ${count(edited, 'edited path')} and ${count(ahead, 'commit')} to push`,
    { hint: 'push it with `pullyu try push`, or throw it away with `pullyu try end --force`' },
  );
}

async function goToTip(
  repo: RepoConfig,
  open: OpenTry,
  scratch: Scratch,
): Promise<{ branch: string; tip: CommitId }> {
  if (open.follows === null) {
    throw new PullyuError('usage', `expected ${repo.name} to track a branch, found that it tracks none`, {
      hint: 'a tag or a commit id is gone back from where it is named: in host.yaml, or with an older tag as a new one',
    });
  }
  const tip = must(await scratch.fetch(open.follows));
  must(await scratch.moveTo(tip));
  return { branch: open.follows, tip };
}

interface Where {
  readonly branch: string;
  readonly scratch: Scratch;
  readonly c: TryContext;
}

async function chooseCommits(
  repo: RepoConfig,
  tip: CommitId,
  to: string | null,
  w: Where,
): Promise<LineCommit[]> {
  if (to === null) return [await lastThatConcerned(repo, tip, w)];
  const line = must(await w.scratch.line(tip, { max: REVERTS_MAX + 1 }));
  const matches = line.filter(({ id }) => id === to || (to.length >= 7 && id.startsWith(to)));
  if (matches.length !== 1) {
    throw new PullyuError(
      'usage',
      `expected a commit of the last ${REVERTS_MAX} of ${w.branch}, found ${matches.length === 0 ? 'none' : 'several'} that ${matches.length === 0 ? 'is' : 'are'} ${JSON.stringify(to)}`,
      { hint: `--to takes a commit of the branch's own line: git log --first-parent ${w.branch}` },
    );
  }
  const after = line.slice(0, line.indexOf(matches[0]!));
  if (after.length > 0) return after;
  throw new PullyuError('usage', `nothing to revert: ${w.branch} is at ${shortId(tip)}`, {
    hint: '--to takes the commit to which everything goes back, not the one that is reverted',
  });
}

/** The newest one that still stands and changes what this host would do. */
async function lastThatConcerned(
  repo: RepoConfig,
  tip: CommitId,
  { scratch, c }: Where,
): Promise<LineCommit> {
  const line = standingCommits(must(await scratch.line(tip, { max: SEARCH_MAX })));
  const taken = must(
    await takeSnapshot(tryPaths(c.paths, repo.name).checkout, { env: c.env, signal: c.signal }),
  );
  try {
    const reader = createCommitReader(taken.git);
    const { labels } = c.picture.view.host;
    /** What this host would do at a commit; null: nobody can say, its pullyu.yaml is broken. */
    const workAt = async (commit: CommitId): Promise<string | null> => {
      try {
        const all = [...(await printsAt(repo, reader, commit, c))];
        const here = all.filter(([, { action }]) => matchesSelector(action.hosts, labels));
        return JSON.stringify(here.map(([name, { fingerprint }]) => [name, fingerprint]).sort());
      } catch (error) {
        if (error instanceof PullyuError && error.code === 'repo-config') return null;
        throw error;
      }
    };
    for (const commit of line) {
      const [parent] = commit.parents;
      if (parent === undefined) continue;
      const after = await workAt(commit.id);
      if (after === null || after !== (await workAt(parent))) return commit;
    }
  } finally {
    taken.close();
  }
  throw new PullyuError(
    'usage',
    `nothing to revert: none of the last ${SEARCH_MAX} commits changed what this host does, apart from the first one and what was reverted already`,
    { hint: 'pullyu rollback --to COMMIT takes back everything after COMMIT' },
  );
}

async function revertOne(
  repo: RepoConfig,
  commit: LineCommit,
  scratch: Scratch,
  c: TryContext,
): Promise<void> {
  const done = must(await scratch.revert(commit));
  if (done === 'reverted') return;
  const { checkout } = tryPaths(c.paths, repo.name);
  if (done === 'empty') {
    throw new PullyuError(
      'failed',
      `nothing to revert: what ${shortId(commit.id)} changed was changed back since`,
      { hint: 'pullyu rollback --to COMMIT takes back everything after COMMIT' },
    );
  }
  throw new Conflict(
    'failed',
    `${shortId(commit.id)} cannot be reverted by itself: later commits changed the same lines`,
    {
      hint: `mend the files in ${checkout} (git status names them), git revert --continue there, then pullyu try run ACTION, pullyu try push; or give it up: pullyu try end --force`,
    },
  );
}

async function pushReverts(found: RollbackPlan, scratch: Scratch, tracked: string): Promise<void> {
  const { branch, reverted } = found;
  const pushed = await scratch.push(branch);
  if (!pushed.ok && pushed.trouble.code === 'forbidden') {
    const self = selfCommands(reverted, branch, tracked);
    throw new PullyuError('refused', pushed.trouble.message, {
      hint: `a host needs only to read; on your own machine, in a checkout: ${self}`,
    });
  }
  if (must(pushed) === 'pushed') return;
  throw new PullyuError('refused', `expected ${branch} to be as it was fetched, found other commits on it`, {
    hint: branch === tracked ? 'call it again: it looks at them first' : 'take another name for --branch',
  });
}

/** What a person types who may push. */
function selfCommands(reverted: readonly LineCommit[], branch: string, tracked: string): string {
  const reverts = reverted.map(
    ({ id, parents }) => `git revert --no-edit ${parents.length > 1 ? '-m 1 ' : ''}${id}`,
  );
  return [`git switch ${tracked}`, 'git pull', ...reverts, `git push origin HEAD:${branch}`].join(' && ');
}
