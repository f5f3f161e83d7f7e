/** A bare repository and a clone to work in, with the verbs of somebody who pushes. */
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type CommitId, commitId } from '../../src/model/ids.ts';
import { git } from './git.ts';
import { tempFolder } from './temp.ts';

export interface Change {
  /** Path to content. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** The same, made executable. */
  readonly scripts?: Readonly<Record<string, string>>;
  /** Paths that are to be executable. */
  readonly executable?: readonly string[];
  readonly delete?: readonly string[];
  /** Path to the link's text. */
  readonly symlink?: Readonly<Record<string, string>>;
  readonly message?: string;
  /** Author's and committer's date as git takes it (`2024-05-01T00:00:00Z`); default now. */
  readonly date?: string;
}

export interface Remote extends Disposable {
  /** Holds the bare repository and nothing else: what a git server may be pointed at. */
  readonly folder: string;
  /** `it.git`: its path below `folder` and below every server's URL. */
  readonly path: string;
  readonly bare: string;
  /** `file://` URL of the bare repository. */
  readonly url: string;
  /** The clone that commits are made in. */
  readonly work: string;
  git(...args: string[]): Promise<string>;
  /** Commits on the current branch, without pushing it. An empty change makes an empty commit. */
  commit(change: Change): Promise<CommitId>;
  /** Pushes refs (default: the current branch). */
  push(...refs: string[]): Promise<void>;
  /** Commit and push. */
  publish(change: Change): Promise<CommitId>;
  /** Creates the branch (or goes to it), at `from` when given. */
  branch(name: string, from?: string): Promise<void>;
  tag(name: string, options?: { at?: string; annotated?: boolean; push?: boolean }): Promise<void>;
  /** Sets the current branch to a commit (`HEAD~1`) and pushes that over whatever the remote has. */
  forcePush(to?: string): Promise<CommitId>;
  /** `git revert` of a commit (default the newest) and a push. */
  revert(commit?: string): Promise<CommitId>;
  head(ref?: string): Promise<CommitId>;
}

/** The bare repository is empty at first; `main` is the branch. Everything is removed with it. */
export async function createRemote(name = 'it'): Promise<Remote> {
  const temp = tempFolder('remote');
  const folder = join(temp.path, 'served');
  const path = `${name}.git`;
  const bare = join(folder, path);
  const work = join(temp.path, 'work');
  mkdirSync(folder);
  await git(['init', '--quiet', '--bare', '--initial-branch=main', bare]);
  await git(['-C', bare, 'config', 'http.receivepack', 'true']);
  // So that a host may also ask for a commit id, and clone without blobs.
  await git(['-C', bare, 'config', 'uploadpack.allowFilter', 'true']);
  await git(['-C', bare, 'config', 'uploadpack.allowAnySHA1InWant', 'true']);
  await git(['init', '--quiet', '--initial-branch=main', work]);
  await git(['-C', work, 'remote', 'add', 'origin', bare]);
  const here = (...args: string[]) => git(args, { cwd: work });
  const head = async (ref = 'HEAD') => commitId(await here('rev-parse', `${ref}^{commit}`));
  const push = async (...refs: string[]) => {
    await here('push', '--quiet', 'origin', ...(refs.length > 0 ? refs : ['HEAD']));
  };
  const commit = async (change: Change) => {
    await applyChange(work, change, here);
    const date = change.date ? { GIT_AUTHOR_DATE: change.date, GIT_COMMITTER_DATE: change.date } : {};
    await git(['commit', '--quiet', '--allow-empty', '-m', change.message ?? 'a change'], {
      cwd: work,
      env: date,
    });
    return head();
  };
  return {
    folder,
    path,
    bare,
    url: pathToFileURL(bare).href,
    work,
    git: here,
    commit,
    push,
    head,
    publish: async (change) => {
      const id = await commit(change);
      await push();
      return id;
    },
    branch: async (branch, from) => {
      const known = await here('rev-parse', '--verify', '--quiet', `refs/heads/${branch}`).catch(() => '');
      if (known && from === undefined) await here('checkout', '--quiet', branch);
      else await here('checkout', '--quiet', '-B', branch, ...(from === undefined ? [] : [from]));
    },
    tag: async (tag, options = {}) => {
      const kind = options.annotated ? ['-a', '-m', tag] : [];
      await here('tag', '--force', ...kind, tag, options.at ?? 'HEAD');
      if (options.push !== false) await push(`+refs/tags/${tag}`);
    },
    forcePush: async (to) => {
      if (to !== undefined) await here('reset', '--quiet', '--hard', to);
      await push('+HEAD');
      return head();
    },
    revert: async (which = 'HEAD') => {
      await here('revert', '--no-edit', which);
      await push();
      return head();
    },
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

async function applyChange(
  work: string,
  change: Change,
  here: (...args: string[]) => Promise<string>,
): Promise<void> {
  const at = (path: string) => {
    const file = join(work, path);
    mkdirSync(dirname(file), { recursive: true });
    return file;
  };
  for (const path of change.delete ?? []) rmSync(join(work, path), { recursive: true });
  for (const [path, content] of Object.entries(change.files ?? {})) writeFileSync(at(path), content);
  for (const [path, content] of Object.entries(change.scripts ?? {})) {
    writeFileSync(at(path), content);
    chmodSync(at(path), 0o755);
  }
  for (const path of change.executable ?? []) chmodSync(at(path), 0o755);
  for (const [path, target] of Object.entries(change.symlink ?? {})) {
    rmSync(at(path), { force: true });
    symlinkSync(target, at(path));
  }
  await here('add', '--all', '--force', '.');
}
