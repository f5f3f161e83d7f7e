/** Paths inside a repository, as configuration writes them. */

const MAX = 1024;

/** What is wrong with the path of a script; null when nothing is. `./x` is `x`. */
export function whatIsWrongWithPath(text: string): string | null {
  return wrong(text, 'a path inside the repository');
}

/** What is wrong with a glob; null when nothing is. */
export function whatIsWrongWithGlob(text: string): string | null {
  if (/^!(?!\()/.test(text))
    return 'expected a glob of paths that are relevant, found one that begins with "!"';
  return wrong(text, 'a glob inside the repository');
}

function wrong(text: string, expected: string): string | null {
  const found = whatItIs(withoutDot(text));
  return found === null ? null : `expected ${expected}, found ${found}`;
}

function whatItIs(path: string): string | null {
  if (path === '') return 'an empty one';
  if (path.length > MAX) return `one of more than ${MAX} characters`;
  if (/\p{Cc}/u.test(path)) return 'one with control characters';
  if (path.startsWith('/')) return 'an absolute one';
  if (path.startsWith('~/')) return 'one that begins in a home folder';
  const parts = path.split('/');
  if (parts.includes('..')) return 'one with ".."';
  if (parts.some((part, index) => part === '.' || (part === '' && index < parts.length - 1)))
    return 'one with an empty part or "."';
  return parts[0] === '.git' ? 'one inside .git' : null;
}

export function withoutDot(path: string): string {
  return path.replace(/^(?:\.\/+)+/, '');
}

/** The folder of a script as a glob: `apps/shop/deploy.sh` is `apps/shop/**`; in the root, everything. */
export function folderGlob(path: string): string {
  const end = path.lastIndexOf('/');
  return end <= 0 ? '**' : `${escapeGlob(path.slice(0, end))}/**`;
}

function escapeGlob(path: string): string {
  return /[*?[\]{}\\]|[?*+@!]\(/.test(path) ? path.replace(/[\\*?[\]{}()!|+@]/g, '\\$&') : path;
}
