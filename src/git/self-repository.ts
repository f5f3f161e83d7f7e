/** The repository of a repo with `pull: self`: an ordinary one, which its own script pulls. Here it is only read. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type CommitId, isCommitId } from '../model/ids.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { stampOfFile } from '../system/file-stamp.ts';
import { readFileOrNull } from '../system/files.ts';
import { type Paths, repoPaths } from '../system/paths.ts';
import { type CloneGit, createCloneGit } from './clone-git.ts';
import { ownerMark } from './run.ts';

export interface SelfRepository {
  /** The working directory. */
  readonly path: string;
  readonly git: CloneGit;
  /**
   * HEAD as it is now; where its references are files, no process is started for that.
   * null: there is no repository yet.
   */
  readHead(): Promise<Result<CommitId | null>>;
}

export function selfRepository(
  paths: Paths,
  repo: string,
  env: Readonly<Record<string, string | undefined>>,
  signal?: AbortSignal,
): SelfRepository {
  const path = repoPaths(paths.state, repo).self;
  const gitDir = join(path, '.git');
  const git = createCloneGit(gitDir, async () =>
    ok({
      env: { ...ownerMark(paths.state), ...(env.PATH ? { PATH: env.PATH } : {}) },
      ...(signal === undefined ? {} : { signal }),
    }),
  );
  /** Kept for what only git can read (another way to store references). */
  let known: { stamp: string; head: CommitId } | null = null;

  return {
    path,
    git,
    async readHead() {
      if (!existsSync(path)) return ok(null);
      const plain = readPlainHead(gitDir);
      if (plain !== null) return ok(plain);
      // Before it is read: what changes meanwhile is seen the next time.
      const stamp = ['HEAD', 'packed-refs', 'reftable/tables.list']
        .map((name) => stampOfFile(join(gitDir, name)))
        .join(' ');
      if (known?.stamp === stamp) return ok(known.head);
      const read = await git.read(['rev-parse', '--verify', 'HEAD^{commit}'], { doing: 'read HEAD' });
      const head = read.ok ? read.value.toString('latin1').trim() : '';
      if (isCommitId(head)) {
        // Files that were not there cannot tell that they changed.
        known = existsSync(join(gitDir, 'reftable/tables.list')) ? { stamp, head } : null;
        return ok(head);
      }
      if (!read.ok && read.trouble.code === 'git-missing') return read;
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

/** HEAD as its files say, without a process: a commit, or a branch that is a file or stands in packed-refs. null: ask git. */
function readPlainHead(gitDir: string): CommitId | null {
  const head = readFileOrNull(join(gitDir, 'HEAD'))?.trim() ?? '';
  if (isCommitId(head)) return head;
  const ref = /^ref: (refs\/heads\/\S+)$/.exec(head)?.[1];
  if (ref === undefined || ref.includes('..')) return null;
  if (statSync(join(gitDir, ref), { throwIfNoEntry: false })?.isDirectory()) return null;
  const loose = readFileOrNull(join(gitDir, ref))?.trim();
  if (loose !== undefined) return isCommitId(loose) ? loose : null;
  const packed = readFileOrNull(join(gitDir, 'packed-refs')) ?? '';
  const line = packed.split('\n').find((one) => one.endsWith(` ${ref}`));
  const id = line?.slice(0, line.indexOf(' ')) ?? '';
  return isCommitId(id) ? id : null;
}
