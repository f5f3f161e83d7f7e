import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startGitDaemon } from '../../tests/support/git-daemon.ts';
import { createAsker } from '../../tests/support/probe.ts';
import { createRemote } from '../../tests/support/repo.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { parseLsRemote } from './probe-git.ts';

const ENV = { env: { PATH: process.env.PATH } };

test('a path, a file URL and git daemon answer what the branch is', async () => {
  using remote = await createRemote();
  const head = await remote.publish({ files: { a: '1' } });
  await remote.push('HEAD:refs/heads/main2', 'HEAD:refs/heads/x/refs/heads/main');
  await remote.tag('v1.9.0', { annotated: true });
  await remote.tag('v1.10.0', { annotated: true });
  await using daemon = await startGitDaemon({ folder: remote.folder });
  for (const url of [remote.bare, remote.url, daemon.url(remote.path)]) {
    using asker = createAsker(url, {}, ENV);
    expect(await asker.ask()).toEqual({ ok: true, value: { commit: head, ref: 'refs/heads/main', url } });
    expect(await asker.ask({ kind: 'tag', pattern: 'v*' })).toMatchObject({
      value: { commit: head, ref: 'refs/tags/v1.10.0' },
    });
    expect(await asker.outcome({ kind: 'exact-tag', name: 'v1.9.0' })).toBe(head);
    const missing = await asker.ask({ kind: 'branch', name: 'mai' });
    expect(missing).toMatchObject({
      trouble: { code: 'ref-missing', hint: expect.stringContaining('main') },
    });
  }
});

test('an empty repository, an emptied one and none at all are told apart', async () => {
  using remote = await createRemote();
  using asker = createAsker(remote.url, {}, ENV);
  expect(await asker.outcome()).toBe('empty-answer');
  const head = await remote.publish({ files: { a: '1' } });
  expect(await asker.outcome()).toBe(head);
  await remote.git('-C', remote.bare, 'update-ref', '-d', 'refs/heads/main');
  expect(await asker.ask()).toMatchObject({
    trouble: { code: 'empty-answer', message: expect.stringContaining('emptied') },
  });
  using folder = tempFolder('none');
  using nothing = createAsker(join(folder.path, 'none.git'), {}, ENV);
  expect(await nothing.outcome()).toBe('not-found');
});

test('a git server that accepts and says nothing is silent', async () => {
  const { createServer } = await import('node:net');
  const silent = createServer((socket) => void socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  using asker = createAsker(
    `git://127.0.0.1:${port}/it.git`,
    {},
    { ...ENV, limits: { probeTimeoutMs: 300 } },
  );
  expect(await asker.outcome()).toBe('silent');
  await new Promise((resolve) => silent.close(resolve));
  expect(await asker.outcome()).toBe('unreachable');
});

test('lines that git does not write are no answer', () => {
  expect(parseLsRemote('<html>\n', 'x')).toMatchObject({ ok: false, trouble: { code: 'not-git' } });
  const id = 'a'.repeat(40);
  expect(
    parseLsRemote(
      `ref: refs/heads/main\tHEAD\n${id}\tHEAD\n${id}\trefs/tags/v1\n${id}\trefs/tags/v1^{}\n`,
      'x',
    ),
  ).toEqual({
    ok: true,
    value: [
      { id, name: 'HEAD', peeled: null, symref: 'refs/heads/main' },
      { id, name: 'refs/tags/v1', peeled: id, symref: null },
    ],
  });
});
