import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { needsRoot } from './needs.ts';
import { mountTmpfs } from './tmpfs.ts';

const test = needsRoot('mount', 'umount');

test('a small disk runs full, is freed, turns read-only and back', () => {
  let path: string;
  {
    using disk = mountTmpfs({ megabytes: 4 });
    path = disk.path;
    const file = join(path, 'file');
    disk.fill(64 * 1024);
    expect(statfsSync(path).bavail * statfsSync(path).bsize).toBeLessThanOrEqual(64 * 1024);
    disk.fill();
    expect(() => writeFileSync(file, 'x'.repeat(10_000))).toThrow(/ENOSPC/);
    disk.free();
    writeFileSync(file, 'good');
    disk.setReadOnly(true);
    expect(() => rmSync(file)).toThrow(/EROFS/);
    disk.setReadOnly(false);
    rmSync(file);
  }
  expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(path);
});
