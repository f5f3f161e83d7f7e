/** Questions about commits of the clone. */
import { type CommitId, isCommitId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import type { CloneGit } from './clone-git.ts';
import { createMatcher, readPaths, shapeOfGlob } from './contents.ts';
import { troubleFromGit } from './stderr.ts';
import { parseNames } from './tree-listing.ts';

/** Commits that one catch-up may bring; the rest follows when these are done. */
const COMMITS_MAX = 1_000;
/** Names of changed files that a script is told. */
const CHANGED_MAX = 100_000;

/** Exit 0 is yes and 1 is no. Anything else (128: an object is missing) is neither. */
export async function isAncestor(git: CloneGit, a: CommitId, b: CommitId): Promise<Result<boolean>> {
  if (a === b) return ok(true);
  const doing = 'compare two commits';
  const result = await git.run(['merge-base', '--is-ancestor', a, b], { doing });
  if (!result.ok) return result;
  const { ended, exitCode } = result.value;
  if (ended === 'exited' && (exitCode === 0 || exitCode === 1)) return ok(exitCode === 0);
  const problem = troubleFromGit(result.value, { doing });
  return fail(problem.code === 'git-failed' ? trouble('clone-broken', problem.message) : problem);
}

/** The first line of the message, escaped. */
export async function readSubject(git: CloneGit, commit: CommitId): Promise<Result<string>> {
  const output = await git.read(['log', '-1', '--no-show-signature', '--format=%s', commit], {
    doing: 'read a commit',
  });
  return output.ok ? ok(printable(output.value.toString().trimEnd())) : output;
}

/** A file of a commit; null only when the tree has no such path. */
export async function readFileAt(
  git: CloneGit,
  commit: CommitId,
  path: string,
  maxBytes: number,
): Promise<Result<Buffer | null>> {
  const doing = `read ${printable(path)}`;
  const result = await git.run(['cat-file', 'blob', `${commit}:${path}`], {
    doing,
    maxOutputBytes: maxBytes,
  });
  if (!result.ok) return result;
  if (result.value.ended === 'exited' && result.value.exitCode === 0) return ok(result.value.stdout);
  // The one complaint that means "not there"; a missing object sounds different.
  const absent = `fatal: path '${path}' does not exist in '${commit}'`;
  if (result.value.stderr.split('\n').includes(absent)) return ok(null);
  // A folder of that name is no such file either; its complaint is that of a missing object.
  const entry = await readPaths(git, commit, [path]);
  if (!entry.ok) return entry;
  const mode = entry.value.get(path)?.mode;
  return mode === '040000' || mode === '160000' ? ok(null) : fail(troubleFromGit(result.value, { doing }));
}

/** Paths that differ, at most 100,000. Names that are not UTF-8 come with replacement characters. */
export async function listChangedFiles(
  git: CloneGit,
  from: CommitId | null,
  to: CommitId,
): Promise<Result<string[]>> {
  const args =
    from === null
      ? ['ls-tree', '-r', '-z', '--name-only', '--full-tree', to]
      : ['diff-tree', '-r', '-z', '--name-only', '--no-renames', from, to];
  const output = await git.read(args, { doing: 'list changed files', maxOutputBytes: 512 * 1024 ** 2 });
  if (!output.ok) return output;
  return ok(
    parseNames(output.value)
      .slice(0, CHANGED_MAX)
      .map((name) => name.toString()),
  );
}

/**
 * Commits after `from` up to `to`, along first parents, that changed something which a glob means; oldest first,
 * at most 1,000. A merge counts as what it brought to its first parent.
 */
export async function listCommitsTouching(
  git: CloneGit,
  from: CommitId | null,
  to: CommitId,
  globs: readonly string[],
): Promise<Result<CommitId[]>> {
  const shapes = globs.map(shapeOfGlob).filter((shape) => shape.kind !== 'nothing');
  if (shapes.length === 0) return ok([]);
  const everywhere = shapes.some((shape) => shape.base === '');
  const paths = everywhere ? [] : ['--', ...new Set(shapes.map((shape) => shape.base))];
  const range = from === null ? to : `${from}..${to}`;
  const listed = await git.read(['rev-list', '--first-parent', '--reverse', '--parents', range, ...paths], {
    doing: 'list commits',
    env: { GIT_LITERAL_PATHSPECS: '1' },
  });
  if (!listed.ok) return listed;
  const lines = listed.value.toString('latin1').split('\n').filter(Boolean);
  if (shapes.every((shape) => shape.kind === 'path')) {
    return ok(lines.slice(0, COMMITS_MAX).flatMap((line) => line.split(' ').slice(0, 1).filter(isCommitId)));
  }
  return matchCommits(git, lines.slice(0, 20 * COMMITS_MAX), globs);
}

/** Of `commit [first parent]` lines those that changed a path which one of the globs matches. */
async function matchCommits(
  git: CloneGit,
  lines: readonly string[],
  globs: readonly string[],
): Promise<Result<CommitId[]>> {
  if (lines.length === 0) return ok([]);
  // Named parents are the only ones that diff-tree looks at: the first.
  const input = lines.map((line) => `${line.split(' ').slice(0, 2).join(' ')}\n`).join('');
  const output = await git.read(
    ['diff-tree', '--stdin', '--root', '-m', '-r', '-z', '--raw', '--no-renames'],
    {
      doing: 'list what commits changed',
      input,
      maxOutputBytes: 512 * 1024 ** 2,
    },
  );
  if (!output.ok) return output;
  const matchers = globs.map(createMatcher);
  const touching: CommitId[] = [];
  let commit: string | undefined;
  let nextIsPath = false;
  for (const field of parseNames(output.value)) {
    const text = field.toString();
    if (nextIsPath) {
      nextIsPath = false;
      if (commit !== undefined && isCommitId(commit) && matchers.some((matches) => matches(text))) {
        touching.push(commit);
        commit = undefined;
      }
    } else if (text.startsWith(':')) nextIsPath = true;
    else commit = text.split(' ')[0];
  }
  return ok(touching.slice(0, COMMITS_MAX));
}
