/** Names that a file system takes for one: by their case, or by the form of their Unicode characters. */
import { lstatSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** As a folding file system compares names. It is not exactly that of any of them, and finds no less than they do in practice. */
function fold(path: string): string {
  return path.normalize('NFC').toLowerCase().normalize('NFC');
}

/**
 * Two paths of which only one can be there where names are folded: the same file, or a file and a folder. Folders that differ only in
 * case become one folder, which loses nothing.
 */
export function findClash(paths: readonly string[]): readonly [string, string] | null {
  const files = new Map<string, string>();
  for (const path of paths) {
    const other = files.get(fold(path));
    if (other !== undefined) return [other, path];
    files.set(fold(path), path);
  }
  for (const path of paths) {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const file = files.get(fold(path.slice(0, at)));
      if (file !== undefined) return [file, path];
    }
  }
  return null;
}

/** @param folder Exists, and has a letter in its name. */
export function foldsNames(folder: string): boolean {
  const name = basename(folder);
  const other = name.toUpperCase() === name ? name.toLowerCase() : name.toUpperCase();
  const found = lstatSync(join(dirname(folder), other), { throwIfNoEntry: false });
  return other !== name && found !== undefined && found.ino === lstatSync(folder).ino;
}
