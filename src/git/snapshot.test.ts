import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { git } from '../../tests/support/git.ts';
import { createRemote } from '../../tests/support/repo.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { createCommitReader } from './commit-reader.ts';
import { type Snapshot, takeSnapshot } from './snapshot.ts';

async function snapshot(folder: string, env: Record<string, string> = {}): Promise<Snapshot> {
  const taken = await takeSnapshot(folder, { env: { PATH: process.env.PATH, HOME: '/nonexistent', ...env } });
  if (!taken.ok) throw new Error(taken.trouble.message);
  return taken.value;
}

/** Where snapshots of this file are, and no others. */
const own = tempFolder('snapshots');
const before = process.env.TMPDIR;
beforeAll(() => {
  process.env.TMPDIR = own.path;
});
afterAll(() => {
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  own[Symbol.dispose]();
});

const leftovers = () => readdirSync(own.path).filter((name) => name.startsWith('pullyu-snapshot-'));

/** Every file of the repository with its content: what must not change. */
function everything(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => `${file} ${readFileSync(file).toString('base64')}`)
    .join('\n');
}

test('an untouched checkout is its own commit', async () => {
  using remote = await createRemote();
  const head = await remote.commit({ files: { a: '1', 'dir/b': '2' } });
  const taken = await snapshot(remote.work);
  expect(taken).toMatchObject({ commit: head, isCommitted: true, head });
  taken.close();
  expect(leftovers()).toEqual([]);
});

test('edits, new, deleted, renamed, executable and linked files give the digests that git gives after a commit', async () => {
  using remote = await createRemote();
  await remote.commit({ files: { a: '1', 'dir/b': '2', gone: 'x', '.gitignore': '*.o\n' } });
  writeFileSync(join(remote.work, 'a'), 'edited');
  mkdirSync(join(remote.work, 'new/deep'), { recursive: true });
  writeFileSync(join(remote.work, 'new/deep/ü "quoted"'), '3');
  writeFileSync(join(remote.work, 'ignored.o'), 'object');
  rmSync(join(remote.work, 'gone'));
  chmodSync(join(remote.work, 'dir/b'), 0o755);
  symlinkSync('a', join(remote.work, 'link'));
  const before = everything(remote.work);
  const globs = ['a', 'dir/**', '**/*.o', '**', 'new', 'link', 'gone'];
  const taken = await snapshot(remote.work);
  const found = await createCommitReader(taken.git).contents(taken.commit, globs);
  expect(taken.isCommitted).toBe(false);
  expect(everything(remote.work)).toBe(before);

  await remote.git('add', '--all');
  await remote.git('commit', '--quiet', '-m', 'the same');
  const committed = await snapshot(remote.work);
  expect(committed.isCommitted).toBe(true);
  expect(committed.tree).toBe(taken.tree);
  expect(await createCommitReader(committed.git).contents(committed.commit, globs)).toEqual(found);
  expect(found.get('**/*.o')).toBeNull();
  taken.close();
  committed.close();
});

test('a folder without a repository has the same digests as the commit of its files', async () => {
  using remote = await createRemote();
  await remote.commit({ files: { a: '1', 'dir/b': '2' }, scripts: { 'run.sh': '#!/bin/sh\n' } });
  using plain = tempFolder('plain');
  await git(['-C', remote.work, 'archive', '--format=tar', '-o', join(plain.path, 'x.tar'), 'HEAD']);
  await git(['init', '--quiet', join(plain.path, 'other')]);
  rmSync(join(plain.path, 'other'), { recursive: true });
  const { execFileSync } = await import('node:child_process');
  execFileSync('tar', ['-xf', 'x.tar'], { cwd: plain.path });
  rmSync(join(plain.path, 'x.tar'));
  mkdirSync(join(plain.path, '.temp'));
  writeFileSync(join(plain.path, '.temp/state'), 'of a script');
  const [one, two] = [await snapshot(plain.path), await snapshot(remote.work)];
  expect(one.tree).toBe(two.tree);
  expect(one).toMatchObject({ isCommitted: false, head: null });
  expect(existsSync(join(plain.path, '.git'))).toBe(false);
  one.close();
  two.close();
});

test('staged, unmerged and intended entries of the index are left as they are', async () => {
  using remote = await createRemote();
  await remote.commit({ files: { a: '1', b: '1' } });
  writeFileSync(join(remote.work, 'b'), 'staged');
  await remote.git('add', 'b');
  writeFileSync(join(remote.work, 'c'), 'intended');
  await remote.git('add', '--intent-to-add', 'c');
  const before = everything(join(remote.work, '.git'));
  const taken = await snapshot(remote.work);
  expect(await createCommitReader(taken.git).changedFiles(taken.head, taken.commit)).toEqual(['b', 'c']);
  taken.close();
  expect(everything(join(remote.work, '.git'))).toBe(before);
});

test('an edit of the same size in the moment in which the index was written is seen', async () => {
  using remote = await createRemote();
  const [file, index] = [join(remote.work, 'a'), join(remote.work, '.git/index')];
  await remote.commit({ files: { a: 'one' } });
  // Within one tick of the file system's clock: the file as it was added, the index, the edit.
  await remote.git('config', 'core.trustctime', 'false');
  await remote.git('config', 'core.checkStat', 'minimal');
  const tick = Math.floor(statSync(file).mtimeMs / 1000) - 60;
  utimesSync(file, tick, tick);
  await remote.git('add', '--all');
  writeFileSync(file, 'two');
  utimesSync(file, tick, tick);
  utimesSync(index, tick, tick);
  const taken = await snapshot(remote.work);
  expect(await createCommitReader(taken.git).changedFiles(taken.head, taken.commit)).toEqual(['a']);
  taken.close();
});

test('a linked worktree, and a path with a colon and quotes, are read like any other', async () => {
  using remote = await createRemote();
  using other = tempFolder('odd');
  const head = await remote.commit({ files: { a: '1' } });
  const odd = join(other.path, 'a:b "c"');
  await remote.git('worktree', 'add', '--quiet', '--detach', odd);
  const clone = join(other.path, 'x:y "z"');
  await git(['clone', '--quiet', remote.work, clone]);
  for (const folder of [odd, clone]) {
    writeFileSync(join(folder, 'new'), 'n');
    const taken = await snapshot(folder);
    expect(taken.head).toBe(head);
    expect(await createCommitReader(taken.git).changedFiles(head, taken.commit)).toEqual(['new']);
    taken.close();
  }
});

test('a hook that calls us does not lead us to its own repository', async () => {
  using remote = await createRemote();
  using plain = tempFolder('plain');
  await remote.commit({ files: { a: '1' } });
  writeFileSync(join(plain.path, 'only'), 'here');
  const taken = await snapshot(plain.path, {
    GIT_DIR: join(remote.work, '.git'),
    GIT_INDEX_FILE: join(remote.work, '.git/index'),
    GIT_WORK_TREE: remote.work,
  });
  expect(await createCommitReader(taken.git).changedFiles(null, taken.commit)).toEqual(['only']);
  taken.close();
});

test('what is no repository after all is a trouble, and leaves nothing', async () => {
  using plain = tempFolder('plain');
  mkdirSync(join(plain.path, '.git'));
  const taken = await takeSnapshot(plain.path, {
    env: { PATH: process.env.PATH, GIT_CEILING_DIRECTORIES: '/' },
  });
  expect(taken.ok).toBe(false);
  expect(leftovers()).toEqual([]);
});
