/**
 * A working directory as the commit that it would be: what `git add -A && git commit` would make of it now. Nothing is written into the
 * directory or its repository: index and new objects are in a temporary folder, which `close` removes.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type CommitId, isCommitId } from '../model/ids.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { type CloneGit, createCloneGit } from './clone-git.ts';
import { TEMP_NAME } from './scan-path.ts';
import { readUserGit } from './user-git.ts';

export interface Snapshot {
  readonly git: CloneGit;
  /** HEAD when nothing differs from it; else a commit on top of it that exists only here. */
  readonly commit: CommitId;
  readonly isCommitted: boolean;
  /** Id of the files alone: equal when the files are equal. */
  readonly tree: string;
  /** null in a directory that is no git checkout, and before the first commit. */
  readonly head: CommitId | null;
  close(): void;
}

export interface SnapshotOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

const ADD_TIMEOUT_MS = 10 * 60_000;

/** Only ours for a moment: not worth the time to pack them small. */
const SETTINGS = ['core.fsmonitor=false', 'core.safecrlf=false', 'core.looseCompression=0', 'gc.auto=0'];
const QUIET = [...SETTINGS, 'advice.addEmbeddedRepo=false'].flatMap((setting) => ['-c', setting]);

const NOBODY = {
  GIT_AUTHOR_NAME: 'pullyu',
  GIT_AUTHOR_EMAIL: 'pullyu@localhost',
  GIT_COMMITTER_NAME: 'pullyu',
  GIT_COMMITTER_EMAIL: 'pullyu@localhost',
};

/** @param folder The root of the checkout, or any folder with files. */
export async function takeSnapshot(folder: string, o: SnapshotOptions): Promise<Result<Snapshot>> {
  const temporary = mkdtempSync(join(tmpdir(), 'pullyu-snapshot-'));
  const close = () => rmSync(temporary, { recursive: true, force: true });
  try {
    const taken = await take(folder, temporary, o);
    if (!taken.ok) close();
    return taken.ok ? ok({ ...taken.value, close }) : taken;
  } catch (error) {
    close();
    throw error;
  }
}

async function take(
  folder: string,
  temporary: string,
  o: SnapshotOptions,
): Promise<Result<Omit<Snapshot, 'close'>>> {
  const place = existsSync(join(folder, '.git'))
    ? await borrow(folder, temporary, o)
    : await makeOwn(folder, temporary, o);
  if (!place.ok) return place;
  const { gitDir, more } = place.value;
  const git = async (args: readonly string[], doing: string, env: Readonly<Record<string, string>> = {}) =>
    readUserGit([...QUIET, `--git-dir=${gitDir}`, `--work-tree=${folder}`, ...args], {
      cwd: folder,
      env: o.env,
      more: { ...more, ...env },
      doing,
      timeoutMs: ADD_TIMEOUT_MS,
      ...(o.signal === undefined ? {} : { signal: o.signal }),
    });

  const added = await git(['add', '--all', '--', '.'], `read the files of ${folder}`);
  if (!added.ok) return added;
  const tree = await git(['write-tree'], `read the files of ${folder}`);
  if (!tree.ok) return tree;
  const head = await git(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], 'read HEAD');
  const headId = head.ok && isCommitId(head.value) ? head.value : null;
  const same = headId === null ? null : await git(['rev-parse', `${headId}^{tree}`], 'read HEAD');
  let commit = headId;
  if (commit === null || !same?.ok || same.value !== tree.value) {
    const parent = headId === null ? [] : ['-p', headId];
    const made = await git(['commit-tree', tree.value, ...parent, '-m', 'not committed'], 'snapshot', NOBODY);
    if (!made.ok) return made;
    if (!isCommitId(made.value))
      return fail(trouble('git-failed', 'expected a commit of git commit-tree, found none'));
    commit = made.value;
  }
  const path = o.env.PATH ? { PATH: o.env.PATH } : {};
  return ok({
    git: createCloneGit(gitDir, async () => ok({ env: { ...path, ...more } })),
    commit,
    isCommitted: commit === headId,
    tree: tree.value,
    head: headId,
  });
}

interface Place {
  readonly gitDir: string;
  readonly more: Readonly<Record<string, string>>;
}

/** The checkout's own repository, read only: its index is copied (it knows which files are unchanged), its objects are borrowed. */
async function borrow(folder: string, temporary: string, o: SnapshotOptions): Promise<Result<Place>> {
  const found = await readUserGit(
    ['rev-parse', '--absolute-git-dir', '--git-path', 'index', '--git-path', 'objects'],
    { cwd: folder, env: o.env, doing: `read the repository of ${folder}` },
  );
  if (!found.ok) return found;
  const [gitDir = '', index = '', objects = ''] = found.value.split('\n');
  const copy = join(temporary, 'index');
  const original = statSync(resolve(folder, index), { throwIfNoEntry: false });
  if (original !== undefined) {
    copyFileSync(resolve(folder, index), copy);
    // Git trusts an entry only when the file is older than the index: a copy that looks younger would hide edits of the same size that
    // were made in the moment in which the index was written. Whole seconds, rounded down: more is looked at, never less.
    const seconds = Math.floor(original.mtimeMs / 1000);
    utimesSync(copy, seconds, seconds);
  }
  const own = join(temporary, 'objects');
  for (const name of ['info', 'pack']) mkdirSync(join(own, name), { recursive: true });
  return ok({
    gitDir,
    more: {
      GIT_INDEX_FILE: copy,
      GIT_OBJECT_DIRECTORY: own,
      GIT_ALTERNATE_OBJECT_DIRECTORIES: quotePath(resolve(folder, objects)),
    },
  });
}

/** A folder without a repository gets one that knows nothing. */
async function makeOwn(folder: string, temporary: string, o: SnapshotOptions): Promise<Result<Place>> {
  const home = join(temporary, 'repository');
  const made = await readUserGit(['init', '--quiet', '--template=', home], {
    cwd: temporary,
    env: o.env,
    doing: `read the files of ${folder}`,
  });
  if (!made.ok) return made;
  const gitDir = join(home, '.git');
  mkdirSync(join(gitDir, 'info'), { recursive: true });
  writeFileSync(join(gitDir, 'info/exclude'), `/${TEMP_NAME}\n`);
  return ok({ gitDir, more: {} });
}

/** In git's list of paths a colon separates; a path in quotes is taken whole. */
function quotePath(path: string): string {
  return `"${path.replace(/[\\"]/g, '\\$&')}"`;
}
