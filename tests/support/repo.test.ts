import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { git } from './git.ts';
import { createRemote } from './repo.ts';
import { tempFolder } from './temp.ts';

test('a remote takes commits with files, modes, links and deletions, and gives their ids', async () => {
  using remote = await createRemote();
  const first = await remote.publish({
    files: { 'a.txt': 'a\n', 'b.txt': 'b\n' },
    scripts: { 'bin/run.sh': '#!/bin/sh\necho hi\n' },
    symlink: { link: 'a.txt' },
  });
  const second = await remote.publish({ delete: ['b.txt'], message: 'b is gone' });
  using folder = tempFolder();
  const clone = join(folder.path, 'clone');
  await git(['clone', '--quiet', remote.url, clone]);
  expect(await git(['rev-parse', 'HEAD', 'HEAD~1'], { cwd: clone })).toBe(`${second}\n${first}`);
  expect(readFileSync(join(clone, 'link'), 'utf8')).toBe('a\n');
  expect(lstatSync(join(clone, 'bin/run.sh')).mode & 0o111).toBe(0o111);
  expect(await git(['ls-files'], { cwd: clone })).toBe('a.txt\nbin/run.sh\nlink');
});

test('branches, tags, reverts and forced pushes reach the bare repository', async () => {
  using remote = await createRemote();
  const first = await remote.publish({ files: { x: '1' } });
  await remote.tag('v1.0.0', { annotated: true });
  const second = await remote.publish({ files: { x: '2' } });
  const reverted = await remote.revert();
  expect(await git(['show', `${reverted}:x`], { cwd: remote.bare })).toBe('1');
  await remote.branch('deploy/prod', second);
  await remote.push();
  expect(await git(['rev-parse', 'deploy/prod', 'v1.0.0^{}'], { cwd: remote.bare })).toBe(
    `${second}\n${first}`,
  );
  await remote.branch('main');
  expect(await remote.forcePush('HEAD~2')).toBe(first);
  expect(await git(['rev-parse', 'main'], { cwd: remote.bare })).toBe(first);
});

test('fixed dates give the same commit id every time', async () => {
  using a = await createRemote();
  using b = await createRemote();
  const change = { files: { x: '1' }, date: '2024-05-01T00:00:00Z' };
  expect(await a.commit(change)).toBe(await b.commit(change));
});
