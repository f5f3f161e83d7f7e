/** What a try changes: each action of its checkout, against a commit and against the last try. */
import { PullyuError } from '../errors.ts';
import { type CommitReader, createCommitReader } from '../git/commit-reader.ts';
import { takeSnapshot } from '../git/snapshot.ts';
import type { Action } from '../model/action.ts';
import type { CommitId } from '../model/ids.ts';
import { matchesSelector } from '../model/labels.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fingerprintOf } from '../plan/fingerprint.ts';
import { contentGlobs } from '../plan/globs.ts';
import { objectionTo, type TriedAction, verdictOf } from '../plan/try-verdict.ts';
import { filesOfCommit, readActions } from './actions.ts';
import { must, type TryContext } from './try-context.ts';
import { type OpenTry, readTry, tryPaths } from './try-file.ts';

/** Each action as it is in the checkout now, against a commit and against its last try. Those that nothing is to be said about are left out. */
export async function compareTry(
  repo: RepoConfig,
  open: OpenTry,
  base: CommitId,
  c: TryContext,
): Promise<TriedAction[]> {
  const folder = tryPaths(c.paths, repo.name).checkout;
  const taken = must(await takeSnapshot(folder, { env: c.env, signal: c.signal }));
  try {
    const reader = createCommitReader(taken.git);
    const now = await printsAt(repo, reader, taken.commit, c);
    // A commit whose own pullyu.yaml is broken has no actions to compare with: everything counts as changed.
    const then = await printsAt(repo, reader, base, c).catch(() => null);
    const { runs } = readTry(c.paths, repo.name).open ?? open;
    return [...now].flatMap(([name, { action, fingerprint }]) => {
      const one: TriedAction = {
        name,
        fingerprint,
        before: then?.get(name)?.fingerprint ?? null,
        here: matchesSelector(action.hosts, c.picture.view.host.labels),
        run: runs[name] ?? null,
      };
      return verdictOf(one) === 'unchanged' ? [] : [one];
    });
  } finally {
    taken.close();
  }
}

/** The fingerprint of each action, as this host would have it at a commit. @throws PullyuError `repo-config` */
export async function printsAt(
  repo: RepoConfig,
  reader: CommitReader,
  commit: CommitId,
  c: TryContext,
): Promise<Map<string, { action: Action; fingerprint: string }>> {
  const { labels } = c.picture.view.host;
  const read = await readActions(repo, filesOfCommit(reader, commit), labels);
  if (!read.ok) {
    throw new PullyuError('repo-config', read.trouble.message, {
      hint: '`pullyu lint` shows everything that is wrong with it',
    });
  }
  const globs = [...new Set(read.value.flatMap(contentGlobs))];
  const contents = await reader.contents(commit, globs);
  return new Map(
    read.value.map((action) => [
      action.name,
      { action, fingerprint: fingerprintOf(action, labels, contents).fingerprint },
    ]),
  );
}

export function objectionsTo(actions: readonly TriedAction[]): string[] {
  return actions.flatMap((action) => objectionTo(action) ?? []);
}
