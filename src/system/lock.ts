/** The kernel-held lock: it dies with its holder, whatever the holder dies of. Closed on exec, so no script inherits it. */
import { closeSync, constants, ftruncateSync, openSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { namedWriteError, readFileOrNull } from './files.ts';
import { type ProcessIdentity, processIdentity } from './processes.ts';

export interface Lock {
  /** The holder that died without releasing, when there was one: something may have been left behind. */
  readonly unclean: LockHolder | null;
  release(): void;
}

export interface LockHolder extends ProcessIdentity {
  /** What it was doing: `agent`, `look`, ... */
  readonly command: string;
}

interface NativeLocks {
  tryLock(fd: number, offset: number, length: number, exclusive: boolean): void;
}

let native: NativeLocks | undefined;

/**
 * Takes an exclusive lock on the file, or returns null when another process holds it.
 * The file stays; while it is not empty its text names the holder (for messages: only the kernel decides who holds).
 */
export function tryLock(path: string, command: string): Lock | null {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    loadNative().tryLock(fd, 0, 0, true);
  } catch (error) {
    closeSync(fd);
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return null;
    throw error;
  }
  const found = readFileOrNull(path) ?? '';
  try {
    nameHolder(fd, command);
  } catch (error) {
    closeSync(fd);
    throw namedWriteError(error, path) ?? error;
  }
  return {
    unclean: found === '' ? null : (parseHolder(found) ?? UNKNOWN),
    release() {
      ftruncateSync(fd, 0);
      closeSync(fd);
    },
  };
}

function nameHolder(fd: number, command: string): void {
  const self: LockHolder = { ...processIdentity(process.pid)!, command };
  const line = `${JSON.stringify(self)}\n`;
  // Never empty in between: a death here must not look like a release.
  writeSync(fd, line, 0);
  ftruncateSync(fd, Buffer.byteLength(line));
}

/** Who says to hold the lock; null when nobody does. */
export function readLockHolder(path: string): LockHolder | null {
  return parseHolder(readFileOrNull(path) ?? '');
}

/** Of a file that does not name it. */
const UNKNOWN: LockHolder = { pid: 0, startTime: '0', command: 'unknown' };

/** What follows the first line is left of a longer one. */
function parseHolder(text: string): LockHolder | null {
  try {
    const holder = JSON.parse(text.split('\n')[0] || 'null') as LockHolder | null;
    return typeof holder?.pid === 'number' ? holder : null;
  } catch {
    return null;
  }
}

/** The library's own loader costs 15 ms of CPU at each start; the binary itself half a millisecond. */
function loadNative(): NativeLocks {
  if (native === undefined) {
    const require = createRequire(import.meta.url);
    const folder = require.resolve('fs-native-extensions/package.json').replace(/package\.json$/, '');
    try {
      native = require(
        `${folder}prebuilds/${process.platform}-${process.arch}/fs-native-extensions.node`,
      ) as NativeLocks;
    } catch {
      native = require('fs-native-extensions/binding.js') as NativeLocks;
    }
  }
  return native;
}
