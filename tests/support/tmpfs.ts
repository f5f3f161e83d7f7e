/** A small file system in memory, for full and read-only disks. Needs root. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../src/errors.ts';
import { tempFolder } from './temp.ts';

export interface Tmpfs extends Disposable {
  readonly path: string;
  /** Writes one large file until only so many bytes are left (default none). */
  fill(leaveBytes?: number): void;
  /** Removes that file again. */
  free(): void;
  /** As when a failing disk is remounted by the kernel; `false` makes it writable again. */
  setReadOnly(readOnly: boolean): void;
}

export function mountTmpfs(options: { readonly megabytes?: number; readonly inodes?: number } = {}): Tmpfs {
  const temp = tempFolder('tmpfs');
  const inodes = options.inodes === undefined ? '' : `,nr_inodes=${options.inodes}`;
  run(
    'mount',
    '-t',
    'tmpfs',
    '-o',
    `size=${options.megabytes ?? 60}m,mode=0755${inodes}`,
    'pullyu-test',
    temp.path,
  );
  const filler = join(temp.path, 'filler');
  return {
    path: temp.path,
    fill: (leaveBytes = 0) => fillDisk(filler, temp.path, leaveBytes),
    free: () => rmSync(filler, { force: true }),
    setReadOnly: (readOnly) => run('mount', '-o', `remount,${readOnly ? 'ro' : 'rw'}`, temp.path),
    [Symbol.dispose]: () => {
      // Lazy: should something still be open in there, it vanishes with its last user.
      run('umount', '--lazy', temp.path);
      temp[Symbol.dispose]();
    },
  };
}

function fillDisk(filler: string, folder: string, leaveBytes: number): void {
  const fd = openSync(filler, 'a');
  try {
    for (;;) {
      const { bavail, bsize } = statfsSync(folder);
      const wanted = Math.min(bavail * bsize - leaveBytes, 1024 * 1024);
      if (wanted <= 0) return;
      writeSync(fd, Buffer.alloc(wanted));
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error;
  } finally {
    closeSync(fd);
  }
}

function run(...argv: [string, ...string[]]): void {
  const [file, ...args] = argv;
  execFileSync(file, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 20_000 });
}
