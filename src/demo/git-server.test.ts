import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { git } from '../../tests/support/git.ts';
import { createRemote } from '../../tests/support/repo.ts';
import { startGitServer } from './git-server.ts';

test('clones and pushes over http', async () => {
  using remote = await createRemote();
  const commit = await remote.publish({ files: { x: '1' } });
  await using server = await startGitServer({ folder: remote.folder });
  const folder = mkdtempSync(join(tmpdir(), 'pullyu-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const clone = join(folder, 'clone');
  await git(['clone', '--quiet', server.url(remote.path), clone]);
  expect(await git(['rev-parse', 'HEAD'], { cwd: clone })).toBe(commit);
  // Larger than git's post buffer: pushed in chunks, without a length.
  writeFileSync(join(clone, 'large'), randomBytes(1_000_000));
  await git(['add', '.'], { cwd: clone });
  await git(['commit', '-qm', 'a large file'], { cwd: clone });
  await git(['-c', 'http.postBuffer=65536', 'push', '--quiet'], { cwd: clone });
  expect(await git(['rev-parse', 'main'], { cwd: remote.bare })).toBe(
    await git(['rev-parse', 'HEAD'], { cwd: clone }),
  );
});

test('serves bare repositories of its folder and nothing else', async () => {
  using remote = await createRemote();
  await remote.publish({ files: { x: '1' } });
  await using server = await startGitServer({ folder: remote.folder });
  const status = async (path: string, method = 'GET') =>
    (await fetch(server.url() + path, { method })).status;
  expect(await status('it.git/info/refs?service=git-upload-pack')).toBe(200);
  expect(await status('it.git/HEAD')).toBe(404);
  expect(await status('it.git/objects/info/packs')).toBe(404);
  expect(await status('..%2fwork/info/refs')).toBe(404);
  expect(await status('none.git/info/refs?service=git-upload-pack')).toBe(404);
  expect(await status('it.git/info/refs', 'DELETE')).toBe(405);
});

test('refuses more requests than it is allowed to run at once', async () => {
  using remote = await createRemote();
  await remote.publish({ files: { x: '1' } });
  await using server = await startGitServer({ folder: remote.folder, requestsMax: 0 });
  const response = await fetch(server.url('it.git/info/refs?service=git-upload-pack'));
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
});
