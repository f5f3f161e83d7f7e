import type { Action, Argv } from '../model/action.ts';

/**
 * Everything in the tree that an action depends on: its paths, and the files that its `run` and `check` name (not those of
 * `undo`, which does not change what is done). Whether a word names a file is not known here, so every word that could be
 * a relative path is taken: one that names nothing has no content and changes nothing.
 * @returns Globs, unique and sorted; a file name is given with its glob characters escaped.
 */
export function contentGlobs(action: Action): readonly string[] {
  let globs = known.get(action);
  if (globs === undefined) {
    const folders = action.paths.flatMap(wholeFolder);
    const files = [...filesNamedBy(action.run), ...filesNamedBy(action.check ?? [])].filter(
      (file) => !folders.some((folder) => file.startsWith(folder)),
    );
    globs = [...new Set([...action.paths, ...files.map(escapeGlob)])].sort();
    known.set(action, globs);
  }
  return globs;
}

/** One look asks for those of each action several times, and there may be a thousand. */
const known = new WeakMap<Action, readonly string[]>();

/** `apps/shop/` for `apps/shop/**`: all that it holds is named already, the script as well. */
function wholeFolder(glob: string): string[] {
  return glob.endsWith('/**') && !MAGIC.test(glob.slice(0, -2)) ? [glob.slice(0, -2)] : [];
}

const MAGIC = /[*?[\]{}\\]|[?*+@!]\(/;

function filesNamedBy(argv: Argv): string[] {
  return argv.flatMap((word, index) => {
    const path = word.startsWith('./') ? word.slice(2) : word;
    return isRelativePath(path) && (index === 0 || looksLikeFile(path)) ? [path] : [];
  });
}

function isRelativePath(word: string): boolean {
  return !word.startsWith('-') && !NO_NAME.test(word);
}

/** A part of a path that is empty, `.` or `..`; an empty first one is what an absolute path begins with. */
const NO_NAME = /(?:^|\/)\.{0,2}(?:\/|$)/;

/** A later word of a command, such as the script in `[python3, apps/deploy.py]`: `restart` or `key=value` is none. */
function looksLikeFile(word: string): boolean {
  return /^[\w@+.,/-]+$/.test(word) && /[./]/.test(word);
}

/** A name without glob characters stays as it is: the clone answers for one path at the cost of one path. */
function escapeGlob(path: string): string {
  return MAGIC.test(path) ? path.replace(/[\\*?[\]{}()!|+@]/g, '\\$&') : path;
}
