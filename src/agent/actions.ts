/** Which actions a commit holds for this host: those of its pullyu.yaml, or without one those of the convention. */
import { conventionActions, conventionPaths } from '../config/convention.ts';
import { PullyuError } from '../errors.ts';
import type { Clone } from '../git/clone.ts';
import type { Action } from '../model/action.ts';
import type { CommitId } from '../model/ids.ts';
import type { Labels } from '../model/labels.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import type { ActionsCache } from './actions-cache.ts';

export const REPO_FILE = 'pullyu.yaml';

/** Where the files of a commit are looked up: the clone, or for `plan --tree` a working directory. */
export interface CommitFiles {
  readFile(path: string): Promise<Buffer | null>;
  existing(paths: readonly string[]): Promise<ReadonlySet<string>>;
}

export function filesOfCommit(clone: Pick<Clone, 'readFile' | 'listPaths'>, commit: CommitId): CommitFiles {
  return {
    readFile: (path) => clone.readFile(commit, path),
    async existing(paths) {
      const found = await clone.listPaths(commit, [...paths]);
      return new Set(
        [...found]
          .filter(([, entry]) => entry.type === 'file' || entry.type === 'link')
          .map(([path]) => path),
      );
    },
  };
}

/** @returns trouble `config` when pullyu.yaml is broken: the caller keeps what was valid before. */
export async function readActions(
  repo: Pick<RepoConfig, 'name' | 'convention'>,
  files: CommitFiles,
  labels: Labels,
  cache: ActionsCache | null = null,
): Promise<Result<Action[]>> {
  const bytes = await files.readFile(REPO_FILE);
  if (bytes === null) {
    const { init, work } = conventionPaths(repo.convention, labels);
    return ok(
      conventionActions(repo.name, repo.convention, labels, await files.existing([...init, ...work])),
    );
  }
  const known = cache?.get(bytes);
  if (known) return ok(known);
  try {
    const { parseRepoConfig } = await import('../config/repo-config.ts');
    const actions = parseRepoConfig(bytes, { repo: repo.name, file: REPO_FILE });
    cache?.set(bytes, actions);
    return ok(actions);
  } catch (error) {
    if (!(error instanceof PullyuError)) throw error;
    return fail(
      trouble('config', describeProblems(error), {
        hint: `correct ${REPO_FILE} and push; until then the last valid commit stays in force (\`pullyu lint\` finds this before a push)`,
      }),
    );
  }
}

const PROBLEMS_SHOWN = 3;

/** The first problems, each with its file, line and column. */
function describeProblems(error: PullyuError): string {
  if (error.lines.length === 0) return error.message;
  const more = error.lines.length - PROBLEMS_SHOWN;
  return error.lines.slice(0, PROBLEMS_SHOWN).join('; ') + (more > 0 ? `; and ${more} more` : '');
}
