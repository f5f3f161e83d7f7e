/** Any checkout that a script or a person stands in: one of our trees, or a clone of their own. */
import { join, relative } from 'node:path';
import { type CommitId, isCommitId } from '../model/ids.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { TEMP_NAME } from './scan-path.ts';
import { troubleFromGit } from './stderr.ts';
import { readUserGit, runUserGit, type UserGitOptions } from './user-git.ts';

export interface WorkingCopy {
  /** Its root, without symbolic links. */
  readonly top: string;
  readonly head: CommitId;
  /** Where the notes about actions are: `.temp/nodeinfo`. */
  readonly notes: string;
  /** As git was asked: where the caller stands. */
  readonly at: UserGitOptions;
}

const FETCH_TIMEOUT_MS = 10 * 60_000;

export async function openWorkingCopy(at: UserGitOptions): Promise<Result<WorkingCopy>> {
  const found = await readUserGit(['rev-parse', '--show-toplevel', '--verify', 'HEAD^{commit}'], {
    ...at,
    doing: 'read the checkout',
  });
  if (!found.ok) {
    const message = `expected a git checkout with a commit in ${at.cwd}, found none: ${found.trouble.message}`;
    return fail(
      trouble(found.trouble.code, message, {
        hint: found.trouble.hint ?? 'call it in the checkout that your script works in',
      }),
    );
  }
  const [top = '', head = ''] = found.value.split('\n');
  if (!isCommitId(head))
    return fail(trouble('git-failed', `expected a commit at HEAD of ${top}, found none`));
  return ok({ top, head, notes: join(top, TEMP_NAME, 'nodeinfo'), at });
}

/** The remote's commit of the branch that this checkout follows. */
export async function readUpstream(
  copy: WorkingCopy,
  o: { readonly branch: string | null; readonly fetch: boolean },
): Promise<Result<CommitId>> {
  const followed = await findUpstream(copy, o.branch);
  if (!followed.ok) return followed;
  const { remote, ref } = followed.value;
  if (o.fetch) {
    const doing = `fetch from ${remote}`;
    const fetched = await readUserGit(['fetch', '--quiet', '--no-recurse-submodules', '--', remote], {
      ...copy.at,
      doing,
      timeoutMs: FETCH_TIMEOUT_MS,
    });
    if (!fetched.ok) return fetched;
  }
  const read = await readUserGit(['rev-parse', '--verify', '--quiet', `${ref}^{commit}`], {
    ...copy.at,
    doing: `read ${ref}`,
  });
  if (read.ok && isCommitId(read.value)) return ok(read.value);
  return fail(
    trouble('ref-missing', `expected ${ref} of the remote ${remote}, found none`, {
      hint: 'name the branch with --branch',
    }),
  );
}

async function findUpstream(
  copy: WorkingCopy,
  branch: string | null,
): Promise<Result<{ remote: string; ref: string }>> {
  const config = async (key: string) => {
    const read = await readUserGit(['config', '--get', key], { ...copy.at, doing: 'read the configuration' });
    return read.ok ? read.value : null;
  };
  if (branch !== null) return ok({ remote: 'origin', ref: `refs/remotes/origin/${branch}` });
  const current = await readUserGit(['symbolic-ref', '--quiet', '--short', 'HEAD'], {
    ...copy.at,
    doing: 'read HEAD',
  });
  const upstream = await readUserGit(['rev-parse', '--symbolic-full-name', '@{upstream}'], {
    ...copy.at,
    doing: 'read the branch that is followed',
  });
  if (current.ok && upstream.ok) {
    const remote = (await config(`branch.${current.value}.remote`)) ?? 'origin';
    return ok({ remote, ref: upstream.value });
  }
  return fail(
    trouble(
      'config',
      current.ok
        ? `expected the branch ${current.value} to follow one of a remote, found that it follows none`
        : `expected a branch in ${copy.top}, found a commit without one`,
      {
        hint: 'say which branch of origin is meant with --branch, or: git branch --set-upstream-to=origin/BRANCH',
      },
    ),
  );
}

/** Do these paths differ between the two commits? null when the old one is not known here (any more). */
export async function pathsDiffer(
  copy: WorkingCopy,
  from: CommitId,
  paths: readonly string[],
): Promise<Result<boolean | null>> {
  const doing = 'compare two commits';
  const known = await runUserGit(['cat-file', '-e', `${from}^{commit}`], copy.at);
  if (known.exitCode !== 0) return ok(null);
  const result = await runUserGit(
    [
      '--literal-pathspecs',
      'diff',
      '--quiet',
      '--no-ext-diff',
      '--no-textconv',
      from,
      copy.head,
      '--',
      ...paths,
    ],
    copy.at,
  );
  if (result.ended === 'exited' && (result.exitCode === 0 || result.exitCode === 1))
    return ok(result.exitCode === 1);
  return fail(troubleFromGit(result, { doing }));
}

/** Those that the checked-out commit does not have. */
export async function missingPaths(
  copy: WorkingCopy,
  paths: readonly string[],
): Promise<Result<readonly string[]>> {
  const missing: string[] = [];
  for (const path of paths) {
    const listed = await readUserGit(
      ['--literal-pathspecs', 'ls-tree', '--name-only', copy.head, '--', path],
      {
        ...copy.at,
        doing: 'read a path of the commit',
      },
    );
    if (!listed.ok) return listed;
    if (listed.value === '' && relative(copy.top, join(copy.at.cwd, path)) !== '') missing.push(path);
  }
  return ok(missing);
}
