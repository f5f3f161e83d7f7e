/** Where the commits and the tree of a repo are, for those who only look at them: the agent's clone, or the repository that pulls itself. */
import { openClone } from '../git/clone.ts';
import type { CloneGit } from '../git/clone-git.ts';
import { type CommitReader, createCommitReader } from '../git/commit-reader.ts';
import { selfRepository } from '../git/self-repository.ts';
import { openTrees } from '../git/trees.ts';
import type { Limits } from '../model/host.ts';
import type { CommitId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import type { Clock } from '../system/clock.ts';
import type { Paths } from '../system/paths.ts';

export interface Source {
  readonly git: CloneGit;
  readonly reader: CommitReader;
  /** null when nothing was published yet. */
  current(): Promise<{ commit: CommitId; path: string } | null>;
  close(): void;
}

export function openSource(
  paths: Paths,
  repo: RepoConfig,
  o: {
    readonly limits: Limits;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly clock: Clock;
  },
): Source {
  if (repo.pull === 'self') {
    const self = selfRepository(paths, repo.name, o.env);
    return {
      git: self.git,
      reader: createCommitReader(self.git),
      current: async () => {
        const head = await self.readHead();
        return head.ok && head.value !== null ? { commit: head.value, path: self.path } : null;
      },
      close() {},
    };
  }
  const clone = openClone(paths, repo, { limits: o.limits, env: o.env, emit: () => {}, clock: o.clock });
  const trees = openTrees(paths, repo, clone, { clock: o.clock });
  return {
    git: clone.git,
    reader: clone,
    current: async () => trees.current(),
    close: () => clone.close(),
  };
}
