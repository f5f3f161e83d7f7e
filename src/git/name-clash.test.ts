import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findProgram } from '../../tests/support/needs.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { findClash, foldsNames } from './name-clash.ts';

test.each([
  [
    ['A', 'a'],
    ['A', 'a'],
  ],
  [
    ['x/Makefile', 'y', 'x/makefile'],
    ['x/Makefile', 'x/makefile'],
  ],
  [
    ['caf\u00e9', 'cafe\u0301'],
    ['caf\u00e9', 'cafe\u0301'],
  ],
  [
    ['A/x', 'a'],
    ['a', 'A/x'],
  ],
  [
    ['lib', 'LIB/deep/x'],
    ['lib', 'LIB/deep/x'],
  ],
])('of %j only one can be there', (paths, clash) => {
  expect(findClash(paths)).toEqual(clash);
});

test('folders that differ in case, and names that differ, do not clash', () => {
  expect(findClash(['A/x', 'a/y', 'b', 'b.txt', '.b', 'c/b'])).toBeNull();
});

test('an ordinary file system of Linux folds nothing', () => {
  using temp = tempFolder('fold');
  const folder = join(temp.path, 'clone.git');
  mkdirSync(folder);
  expect(foldsNames(folder)).toBe(false);
  mkdirSync(join(temp.path, 'CLONE.GIT'));
  expect(foldsNames(folder)).toBe(false);
});

// Not every kernel has it, so it is no part of what a complete test machine has.
const canFold =
  process.getuid?.() === 0 &&
  findProgram('mkfs.ext4') !== null &&
  readdirSync('/sys/fs', { encoding: 'utf8' }).includes('ext4') &&
  readdirSync('/sys/fs/ext4/features').includes('casefold');
test.skipIf(!canFold)('a file system that folds is recognised', () => {
  using temp = tempFolder('fold');
  const [image, mounted] = [join(temp.path, 'image'), join(temp.path, 'mounted')];
  writeFileSync(image, '');
  truncateSync(image, 32 * 1024 * 1024);
  mkdirSync(mounted);
  execFileSync('mkfs.ext4', ['-q', '-O', 'casefold', '-E', 'encoding=utf8', image]);
  execFileSync('mount', ['-o', 'loop', image, mounted]);
  try {
    const folding = join(mounted, 'folding');
    mkdirSync(folding);
    execFileSync('chattr', ['+F', folding]);
    mkdirSync(join(folding, 'clone.git'));
    expect(foldsNames(join(folding, 'clone.git'))).toBe(true);
  } finally {
    execFileSync('umount', [mounted]);
  }
});
