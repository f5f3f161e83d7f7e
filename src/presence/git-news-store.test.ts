import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  createStatusRepository,
  type StatusRepository,
  storeOptions,
} from '../../tests/support/status-repository.ts';
import { createGitNewsStore } from './git-news-store.ts';

let status: StatusRepository;
beforeEach(async () => {
  status = await createStatusRepository();
});
afterEach(() => status[Symbol.dispose]());

const open = (host: string) =>
  createGitNewsStore(status.bare, { ...storeOptions('/nonexistent'), host, now: () => 0 });

test('what one host saves another one loads; there is no history', async () => {
  const a = open('control-1');
  const b = open('control-2');
  expect(await a.load()).toEqual({ ok: true, value: { text: null, token: null } });
  const first = await a.save('one', null);
  expect(first).toMatchObject({ ok: true, value: expect.stringMatching(/^[0-9a-f]{40}$/) });
  const loaded = await b.load();
  expect(loaded).toEqual({ ok: true, value: { text: 'one', token: first.ok ? first.value : '' } });
  await b.save('two', first.ok ? first.value : '');
  expect(await status.git('show', 'refs/heads/news/state:state.json')).toBe('two');
  expect(await status.git('rev-list', '--count', 'refs/heads/news/state')).toBe('1');
});

test('of two hosts that save at once one is told that the other was faster', async () => {
  const a = open('control-1');
  const b = open('control-2');
  const saved = await Promise.all([a.save('from a', null), b.save('from b', null)]);
  const values = saved.map((one) => (one.ok ? one.value : one.trouble));
  expect(values.filter((value) => value === null)).toHaveLength(1);
  expect(await a.save('again', 'f'.repeat(40))).toEqual({ ok: true, value: null });
});

test('a server that takes nothing is a trouble with a hint', async () => {
  await status.git('config', 'receive.denyDeletes', 'true');
  const hook = `${status.bare}/hooks/pre-receive`;
  const { writeFileSync } = await import('node:fs');
  writeFileSync(hook, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  expect(await open('control-1').save('x', null)).toMatchObject({
    ok: false,
    trouble: { code: 'forbidden', hint: 'let this credential create and replace branches below news/' },
  });
});

test('something else at that place is read as nothing that can be understood', async () => {
  const tree = await status.git('hash-object', '-t', 'tree', '-w', '/dev/null');
  const commit = await status.git(
    '-c',
    'user.name=x',
    '-c',
    'user.email=x@x',
    'commit-tree',
    '-m',
    'x',
    tree,
  );
  await status.git('update-ref', 'refs/heads/news/state', commit);
  expect(await open('control-1').load()).toEqual({ ok: true, value: { text: '', token: commit } });
});
