/** Which names of a tree are refused, and why. Pure: bytes in, reason out. */

/** The name of the folder that survives updates; a tree may hold it only as a folder. */
export const TEMP_NAME = '.temp';

const COMPONENT_MAX_BYTES = 255;
/** Leaves room for the path of the tree itself below the kernel's 4096. */
const PATH_MAX_BYTES = 3_500;

/** Zero-width and direction characters that HFS+ leaves out when it compares names. */
const HFS_IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
/** `git~1` is the short name that Windows gives to `.git`; trailing dots, spaces and `::$...` are ignored by NTFS. */
const NTFS_DOT_GIT = /^(?:\.git|git~\d+)[. ]*(?::.*)?$/;

/**
 * Why a path must not be written, or null.
 * @param path As git gives it: bytes, `/` between components. Names that are no UTF-8 are fine: a name is bytes.
 */
export function refusePath(path: Buffer): string | null {
  if (path.length === 0) return 'an empty name';
  if (path.length > PATH_MAX_BYTES) return `a path of more than ${PATH_MAX_BYTES} bytes`;
  for (const byte of path) {
    if (byte < 0x20 || byte === 0x7f) return 'a control character in its name';
  }
  for (const name of path.toString('utf8').split('/')) {
    const reason = refuseComponent(name);
    if (reason !== null) return reason;
  }
  return null;
}

function refuseComponent(name: string): string | null {
  if (name === '') return 'an empty name in its path';
  if (name === '.' || name === '..') return `"${name}" in its path`;
  if (Buffer.byteLength(name) > COMPONENT_MAX_BYTES)
    return `a name of more than ${COMPONENT_MAX_BYTES} bytes`;
  // A backslash is a separator elsewhere, and git looks behind it too.
  return name.split('\\').some(isDotGit) ? 'a name that can stand for ".git"' : null;
}

/** `.git` as some file system or other would read it. */
export function isDotGit(name: string): boolean {
  return NTFS_DOT_GIT.test(name.replace(HFS_IGNORED, '').toLowerCase());
}

/**
 * Why a symbolic link must not be written, or null. Judged by its text alone: every link of the tree obeys the same rule,
 * so that following several of them cannot leave the tree either.
 * @param path Of the link, in the tree.
 */
export function refuseLink(path: string, target: Buffer): string | null {
  if (target.length === 0) return 'a symbolic link to nothing';
  if (target.includes(0)) return 'a symbolic link with a null byte';
  const text = target.toString('utf8');
  if (text.startsWith('/')) return 'a symbolic link to an absolute path';
  let depth = path.split('/').length - 1;
  let named = false;
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      // After a name it could turn around inside another link's target.
      if (named) return 'a symbolic link with ".." after a name';
      depth -= 1;
      if (depth < 0) return 'a symbolic link that leaves the tree';
    } else {
      named = true;
      if (isDotGit(part)) return 'a symbolic link into ".git"';
    }
  }
  return null;
}
