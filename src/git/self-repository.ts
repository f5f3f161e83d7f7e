/** The repository of a repo with `pull: self`: an ordinary one, which its own script pulls. Here it is only read. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CommitId, isCommitId } from '../model/ids.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { readFileOrNull } from '../system/files.ts';
import { type Paths, repoPaths } from '../system/paths.ts';
import { type CloneGit, createCloneGit } from './clone-git.ts';
import { stampOfFile } from './file-stamp.ts';
import { ownerMark } from './run.ts';

export interface SelfRepository {
  /** The working directory. */
  readonly path: string;
  readonly git: CloneGit;
  /**
   * HEAD as it is now. As long as its files are untouched that costs three stats and no process.
   * null: there is no repository yet.
   */
  readHead(): Promise<Result<CommitId | null>>;
}

export function selfRepository(
  paths: Paths,
  repo: string,
  env: Readonly<Record<string, string | undefined>>,
): SelfRepository {
  const path = repoPaths(paths.state, repo).self;
  const gitDir = join(path, '.git');
  const git = createCloneGit(gitDir, async () =>
    ok({ env: { ...ownerMark(paths.state), ...(env.PATH ? { PATH: env.PATH } : {}) } }),
  );
  let known: { stamp: string; head: CommitId } | null = null;

  /** Differs when HEAD may lead elsewhere: a commit, a pull, a reset, another branch, packed references. */
  const stampOfHead = (): string => {
    const head = readFileOrNull(join(gitDir, 'HEAD')) ?? '';
    const ref = /^ref: (refs\/[^\0\n]+)\n$/.exec(head)?.[1];
    const target = ref === undefined || ref.includes('..') ? '-' : stampOfFile(join(gitDir, ref));
    return `${head} ${target} ${stampOfFile(join(gitDir, 'packed-refs'))} ${stampOfFile(join(gitDir, 'reftable/tables.list'))}`;
  };

  return {
    path,
    git,
    async readHead() {
      if (!existsSync(path)) return ok(null);
      // Before it is read: what changes meanwhile is seen the next time.
      const stamp = stampOfHead();
      if (known?.stamp === stamp) return ok(known.head);
      const read = await git.read(['rev-parse', '--verify', 'HEAD^{commit}'], { doing: 'read HEAD' });
      const head = read.ok ? read.value.toString('latin1').trim() : '';
      if (isCommitId(head)) {
        known = { stamp, head };
        return ok(head);
      }
      return fail(
        trouble(
          'clone-broken',
          `expected a commit at HEAD of ${path}, found none${read.ok ? '' : `: ${read.trouble.message}`}`,
          {
            hint: 'its own script pulls it, so nobody else mends it: mend it there, or move it away and the next look clones it anew',
          },
        ),
      );
    },
  };
}
