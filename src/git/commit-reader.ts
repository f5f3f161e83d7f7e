/** Reads commits of any repository: of a snapshot, or of one that the agent does not keep itself. */
import type { Result } from '../model/trouble.ts';
import { type Clone, typeOfMode } from './clone.ts';
import type { CloneGit } from './clone-git.ts';
import { readContents, readPaths } from './contents.ts';
import { isAncestor, listChangedFiles, listCommitsTouching, readFileAt, readSubject } from './history.ts';
import { TroubleError } from './stderr.ts';

export type CommitReader = Pick<
  Clone,
  | 'has'
  | 'isAncestor'
  | 'subject'
  | 'readFile'
  | 'listPaths'
  | 'contents'
  | 'changedFiles'
  | 'commitsTouching'
>;

const FILE_MAX_BYTES = 4 * 1024 ** 2;

/** As the clone's own: what cannot be read is thrown as TroubleError. */
export function createCommitReader(git: CloneGit): CommitReader {
  return {
    async has(commit) {
      const result = await git.run(['cat-file', '-e', `${commit}^{commit}`], { doing: 'look for a commit' });
      return result.ok && result.value.ended === 'exited' && result.value.exitCode === 0;
    },
    isAncestor: (a, b) => isAncestor(git, a, b),
    subject: async (commit) => value(await readSubject(git, commit)),
    readFile: async (commit, path) => value(await readFileAt(git, commit, path, FILE_MAX_BYTES)),
    async listPaths(commit, paths) {
      const found = value(await readPaths(git, commit, paths));
      return new Map([...found].map(([path, { mode }]) => [path, { mode, type: typeOfMode(mode) }] as const));
    },
    contents: async (commit, globs) => value(await readContents(git, commit, [...new Set(globs)])),
    changedFiles: async (from, to) => value(await listChangedFiles(git, from, to)),
    commitsTouching: async (from, to, globs) => value(await listCommitsTouching(git, from, to, globs)),
  };
}

function value<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new TroubleError(result.trouble);
}
