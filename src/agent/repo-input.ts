/** What the planner has to know of one repo, read from its clone: only what the selected actions declare, whatever the tree's size. */
import type { Clone } from '../git/clone.ts';
import type { JournalView } from '../journal/read.ts';
import { type Action, type ActionKey, actionKey } from '../model/action.ts';
import type { CommitId } from '../model/ids.ts';
import { type Labels, matchesSelector } from '../model/labels.ts';
import type { RepoInput } from '../model/plan.ts';
import { contentGlobs } from '../plan/globs.ts';

/** @throws TroubleError when the clone cannot be read. */
export async function readRepoInput(
  clone: Pick<Clone, 'contents' | 'has' | 'commitsTouching'>,
  journal: JournalView,
  actions: readonly Action[],
  at: { readonly repo: string; readonly commit: CommitId; readonly labels: Labels },
): Promise<RepoInput> {
  const selected = actions.filter((action) => matchesSelector(action.hosts, at.labels));
  const contents = await clone.contents(at.commit, [...new Set(selected.flatMap(contentGlobs))]);
  const histories = new Map<ActionKey, readonly CommitId[]>();
  for (const action of selected) {
    if (action.catchUp !== 'each') continue;
    const key = actionKey(at.repo, action.name);
    const success = journal.memory().get(key)?.lastSuccess?.intent.commit;
    if (success === undefined || success === at.commit) continue;
    const known = await clone.has(success);
    histories.set(key, known ? await clone.commitsTouching(success, at.commit, contentGlobs(action)) : []);
  }
  return { name: at.repo, target: at.commit, actions, contents, histories };
}
