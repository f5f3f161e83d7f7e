/** Files: everything durable is written here, so that what a crash leaves is decided in one place. */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf, PullyuError } from '../errors.ts';

/**
 * Replaces a file by one rename. A crash leaves the old content or the new, never a part; at worst a `*.tmp` beside it.
 * `durable` (default true) also syncs file and folder, so that a power cut keeps the new content.
 */
export function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: { mode?: number; durable?: boolean } = {},
): void {
  const temporary = `${path}.${randomSuffix()}.tmp`;
  const fd = openSync(temporary, 'wx', options.mode ?? 0o644);
  try {
    try {
      writeAll(fd, content);
      if (options.durable !== false) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  if (options.durable !== false) syncFolder(dirname(path));
}

/** No secret: `wx` refuses a name that is taken. node:crypto would cost an idle look two milliseconds. */
function randomSuffix(): string {
  return Math.floor(Math.random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0');
}

const TEMPORARY = /\.[0-9a-f]{8}\.tmp$/;

/**
 * Removes what a process that died in `writeFileAtomic` left directly in this folder. No folder: nothing to do.
 * @param mayGo Asked for each, with its age. Default: every one; then nobody else may be writing there.
 */
export function sweepTemporaries(
  folder: string,
  mayGo: (name: string, ageMs: number) => boolean = () => true,
): void {
  for (const name of namesIn(folder)) {
    if (!TEMPORARY.test(name)) continue;
    const path = join(folder, name);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats && mayGo(name, Date.now() - stats.mtimeMs)) rmSync(path, { force: true });
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}

/** Writes every byte, over as many system calls as it takes. */
export function writeAll(fd: number, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  let written = 0;
  while (written < bytes.length) written += writeSync(fd, bytes, written);
}

/** Makes renames and new names in a folder durable. */
export function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The text of a file, or null when there is none. Other errors are thrown. */
export function readFileOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}

/** With its parents. One by one: Node's own recursion never ends where the kernel makes no folders, as below /proc. */
export function makeFolder(path: string, mode = 0o755): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && statSync(path).isDirectory()) return;
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    makeFolder(dirname(path), mode);
    makeLast(path, mode);
  }
}

/** Somebody else may have been faster. */
function makeLast(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
  }
}

/** Bytes that we may still write on the file system of `path`. */
export function freeBytes(path: string): number {
  const stats = statfsSync(path);
  return stats.bavail * stats.bsize;
}

/**
 * Gives a system error of writing its name among our errors (`disk-full`, `read-only`, `no-permission`). The last one is that of reading too.
 * @returns null for anything else: rethrow that.
 */
export function namedWriteError(error: unknown, path: string): PullyuError | null {
  switch (errnoOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new PullyuError('disk-full', `no space is left to write ${path}`, {
        hint: 'free some space; nothing was lost, and the next look goes on by itself',
        cause: error,
      });
    case 'EROFS':
      return new PullyuError('read-only', `the file system of ${path} is read-only`, {
        hint: 'remount it read-write; a disk that turned read-only by itself is often failing',
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return new PullyuError('no-permission', `no permission to read or write ${path}`, {
        hint: 'run as the user that owns it (root for a system-wide installation)',
        cause: error,
      });
    case 'EIO':
      return new PullyuError('failed', `the disk that holds ${path} reports an error (EIO)`, {
        hint: 'a failing disk, or a network disk that is away: dmesg names it; the next look tries again',
        cause: error,
      });
    default:
      return null;
  }
}
