/** What a commit holds under each glob, as a digest: equal digests mean equal content and equal permissions. */
import { createHash } from 'node:crypto';
import picomatch from 'picomatch';
import type { CommitId } from '../model/ids.ts';
import { ok, type Result } from '../model/trouble.ts';
import type { CloneGit } from './clone-git.ts';
import { parseTree, type TreeEntry } from './tree-listing.ts';

export interface GlobShape {
  /**
   * `whole`: everything. `path`: one file, or a folder with all that it holds. `pattern`: has to be matched.
   * `nothing`: no path of a tree can be meant.
   */
  readonly kind: 'whole' | 'path' | 'pattern' | 'nothing';
  /** For `path` the path; for `pattern` the folder (or '') below which it can match. */
  readonly base: string;
}

/** Most globs of real configurations name one file or one folder: those cost nothing like the size of the repository. */
export function shapeOfGlob(glob: string): GlobShape {
  const text = glob.replace(/^(?:\.?\/)+/, '').replace(/\/+$/, '');
  if (text === '' || text === '.' || text === '**' || text === '**/*') return { kind: 'whole', base: '' };
  if (/(?:^|\/)\.{0,2}(?:\/|$)/.test(text)) return { kind: 'nothing', base: '' };
  const folder = text.replace(/\/\*\*(?:\/\*)?$/, '');
  const literal = withoutEscapes(folder);
  if (literal !== null) return { kind: 'path', base: literal };
  const { base } = picomatch.scan(text, { nonegate: true });
  return { kind: 'pattern', base: base === '.' || isMagic(base) ? '' : base };
}

/** Paths of the repository that a glob means. Dot files are files. */
export function createMatcher(glob: string): (path: string) => boolean {
  const shape = shapeOfGlob(glob);
  if (shape.kind === 'whole') return () => true;
  if (shape.kind === 'nothing') return () => false;
  if (shape.kind === 'path') return (path) => path === shape.base || path.startsWith(`${shape.base}/`);
  return picomatch(glob.replace(/^(?:\.?\/)+/, ''), { dot: true, nonegate: true });
}

/** The one path that a glob means, its escapes taken out; null when it has to be matched. */
function withoutEscapes(glob: string): string | null {
  const bare = glob.replace(/\\./g, '');
  return isMagic(bare) ? null : glob.replace(/\\(.)/g, '$1');
}

function isMagic(text: string): boolean {
  return /[*?[\]{}\\]|[?*+@!]\(/.test(text);
}

/** Digest per glob; null when nothing matches. Any read error is a trouble: never "nothing there". */
export async function readContents(
  git: CloneGit,
  commit: CommitId,
  globs: readonly string[],
): Promise<Result<Map<string, string | null>>> {
  const shaped = globs.map((glob) => ({ glob, shape: shapeOfGlob(glob) }));
  const paths = shaped.filter((g) => g.shape.kind === 'path').map((g) => g.shape.base);
  const found = await readPaths(git, commit, paths);
  if (!found.ok) return found;
  const patterns = shaped.filter((g) => g.shape.kind === 'pattern');
  const listed = await listBelow(git, commit, new Set(patterns.map((g) => g.shape.base)));
  if (!listed.ok) return listed;
  const root = shaped.some((g) => g.shape.kind === 'whole') ? await readRoot(git, commit) : ok('');
  if (!root.ok) return root;

  return ok(
    new Map(
      shaped.map(({ glob, shape }) => {
        if (shape.kind === 'nothing') return [glob, null];
        if (shape.kind === 'whole') return [glob, root.value];
        if (shape.kind === 'pattern') return [glob, digestOfMatches(glob, listed.value)];
        const entry = found.value.get(shape.base);
        return [glob, entry ? `${entry.mode} ${entry.oid}` : null];
      }),
    ),
  );
}

/** The entry at each of these exact paths; paths without an entry are left out. One process for all of them. */
export async function readPaths(
  git: CloneGit,
  commit: CommitId,
  paths: readonly string[],
): Promise<Result<Map<string, TreeEntry>>> {
  const wanted = new Set(paths);
  const found = new Map<string, TreeEntry>();
  for (const some of chunks(byFolder(wanted))) {
    // -t: a folder is shown also when another path lies below it.
    const output = await git.read(['ls-tree', '-z', '-t', '--full-tree', commit, '--', ...some], {
      doing: 'read entries of the tree',
      env: { GIT_LITERAL_PATHSPECS: '1' },
    });
    if (!output.ok) return output;
    for (const entry of parseTree(output.value)) {
      const path = entry.path.toString();
      if (wanted.has(path)) found.set(path, entry);
    }
  }
  return ok(found);
}

/** git compares each path with each entry of a tree: of a folder of which many entries are wanted, all are listed instead. */
function byFolder(paths: ReadonlySet<string>): string[] {
  const folders = new Map<string, string[]>();
  for (const path of paths) {
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    const inside = folders.get(folder);
    if (inside) inside.push(path);
    else folders.set(folder, [path]);
  }
  return [...folders].flatMap(([folder, inside]) =>
    folder === '' || inside.length < LIST_FROM ? inside : [folder],
  );
}

const LIST_FROM = 16;

async function listBelow(
  git: CloneGit,
  commit: CommitId,
  bases: ReadonlySet<string>,
): Promise<Result<TreeEntry[]>> {
  if (bases.size === 0) return ok([]);
  const entries: TreeEntry[] = [];
  const whole = bases.has('');
  for (const some of whole ? [[]] : chunks(withoutNested([...bases]))) {
    const output = await git.read(['ls-tree', '-r', '-z', '--full-tree', commit, '--', ...some], {
      doing: 'list a part of the tree',
      env: { GIT_LITERAL_PATHSPECS: '1' },
      maxOutputBytes: 512 * 1024 ** 2,
    });
    if (!output.ok) return output;
    entries.push(...parseTree(output.value));
  }
  return ok(entries);
}

async function readRoot(git: CloneGit, commit: CommitId): Promise<Result<string>> {
  const output = await git.read(['rev-parse', '--verify', `${commit}^{tree}`], { doing: 'read a commit' });
  return output.ok ? ok(`040000 ${output.value.toString('latin1').trim()}`) : output;
}

function digestOfMatches(glob: string, entries: readonly TreeEntry[]): string | null {
  const matches = createMatcher(glob);
  const hash = createHash('sha256');
  let any = false;
  // git lists in the order of bytes, so the same tree gives the same digest.
  for (const entry of entries) {
    if (!matches(entry.path.toString())) continue;
    any = true;
    hash.update(`${entry.mode} ${entry.oid} `).update(entry.path).update('\0');
  }
  return any ? hash.digest('hex') : null;
}

function withoutNested(folders: readonly string[]): string[] {
  const kept: string[] = [];
  for (const folder of [...folders].sort()) {
    if (!kept.some((k) => folder.startsWith(`${k}/`))) kept.push(folder);
  }
  return kept;
}

/** Below what one argument list may hold. */
function* chunks(paths: readonly string[]): Generator<string[]> {
  let chunk: string[] = [];
  let bytes = 0;
  for (const path of paths) {
    bytes += Buffer.byteLength(path) + 9;
    if (bytes > 512 * 1024 && chunk.length > 0) {
      yield chunk;
      chunk = [];
      bytes = Buffer.byteLength(path) + 9;
    }
    chunk.push(path);
  }
  if (chunk.length > 0) yield chunk;
}
