/** Large files, for repos whose configuration asks for them. */
import type { RepoConfig } from '../model/repo.ts';

/** `git -c` that lets git-lfs, and no other filter, work at checkout. Without the program the checkout fails by name. */
export function lfsConfig(repo: Pick<RepoConfig, 'lfs' | 'remotes'>): string[] {
  if (!repo.lfs) return [];
  return [
    'filter.lfs.process=git-lfs filter-process',
    'filter.lfs.smudge=git-lfs smudge -- %f',
    'filter.lfs.clean=git-lfs clean -- %f',
    'filter.lfs.required=true',
    ...(repo.remotes[0] === undefined ? [] : [`remote.origin.url=${repo.remotes[0]}`]),
  ];
}
