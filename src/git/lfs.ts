/** Large files, for repos whose configuration asks for them. */
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import type { CloneGit } from './clone-git.ts';

/** `git -c` that lets git-lfs, and no other filter, work at checkout. */
export const LFS_CONFIG: readonly string[] = [
  'filter.lfs.process=git-lfs filter-process',
  'filter.lfs.smudge=git-lfs smudge -- %f',
  'filter.lfs.clean=git-lfs clean -- %f',
  'filter.lfs.required=true',
];

/** The same in the `config` of a repository that others use: what they check out and commit goes through it as well. */
export const LFS_FILTER: readonly string[] = [
  '[filter "lfs"]',
  ...LFS_CONFIG.map((setting) => `\t${setting.slice('filter.lfs.'.length).replace('=', ' = ')}`),
];

/** Asked before the checkout: git's own complaint about a filter that is missing could be anything. */
export async function findLfs(git: CloneGit): Promise<Result<null>> {
  const version = await git.read(['lfs', 'version'], { doing: 'ask git-lfs for its version' });
  if (version.ok) return ok(null);
  return fail(
    trouble('git-missing', 'expected git-lfs for a repo with `lfs: true`, found none', {
      hint: 'install git-lfs, or take `lfs: true` out of host.yaml',
    }),
  );
}
