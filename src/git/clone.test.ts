import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { commitId } from '../model/ids.ts';
import { systemClock } from '../system/clock.ts';
import { createTestHost, type TestHost, testLimits } from './origin.testing.ts';

let host: TestHost;
afterEach(() => host.close());

async function cloned(more: Parameters<typeof createTestHost>[0] = {}) {
  host = createTestHost(more);
  const first = host.origin.commit({ 'a.txt': 'one\n', 'dir/b.txt': 'b\n' });
  expect(await host.clone.fetch(host.origin.answer())).toEqual({ ok: true, value: first });
  return first;
}

const cloneDir = () => join(host.base, 'clone.git');

describe('fetch', () => {
  test('the first fetch makes a complete clone and says so', async () => {
    const first = await cloned();
    expect(await host.clone.has(first)).toBe(true);
    expect(host.events.map((e) => e.type)).toContain('cloning');
    expect(readdirSync(host.base)).toEqual(['clone.git']);
    expect(await host.clone.subject(first)).toBe('commit 1');
  });

  test('a later fetch brings the new commit, one pack and no reference of the remote', async () => {
    const first = await cloned();
    const second = host.origin.commit({ 'a.txt': 'two\n' });
    expect(await host.clone.fetch(host.origin.answer())).toEqual({ ok: true, value: second });
    expect(await host.clone.isAncestor(first, second)).toEqual({ ok: true, value: true });
    expect(await host.clone.isAncestor(second, first)).toEqual({ ok: true, value: false });
    expect(readdirSync(join(cloneDir(), 'refs/heads'))).toEqual([]);
    expect(existsSync(join(cloneDir(), 'packed-refs'))).toBe(false);
  });

  test('what was pushed after the probe is fetched at once', async () => {
    const first = await cloned();
    const newer = host.origin.commit({ 'a.txt': 'two\n' });
    expect(await host.clone.fetch(host.origin.answer(first))).toEqual({ ok: true, value: newer });
  });

  test('an annotated tag is peeled to its commit', async () => {
    const first = await cloned();
    host.origin.git('tag', '-a', '-m', 'x', 'v1', first);
    const answer = host.origin.answer(first, 'refs/tags/v1');
    expect(await host.clone.fetch(answer)).toEqual({ ok: true, value: first });
  });

  test('a commit id is fetched by itself, also from a server that gives only references', async () => {
    const first = await cloned();
    const second = host.origin.commit({ 'a.txt': 'two\n' });
    const third = host.origin.commit({ 'a.txt': 'three\n' });
    expect(await host.clone.fetch({ commit: second, ref: second, url: host.origin.dir })).toEqual({
      ok: true,
      value: second,
    });
    expect(await host.clone.has(third)).toBe(false);
    const missing = commitId('1'.repeat(40));
    const failed = await host.clone.fetch({ commit: missing, ref: missing, url: host.origin.dir });
    expect(failed).toMatchObject({ ok: false, trouble: { code: 'ref-missing' } });
    expect(await host.clone.has(first)).toBe(true);
  });

  test('a rewritten branch is fetched: whether it is accepted is decided elsewhere', async () => {
    const first = await cloned();
    const other = host.origin.commit({ 'a.txt': 'other\n' }, { orphan: true });
    expect(await host.clone.fetch(host.origin.answer())).toEqual({ ok: true, value: other });
    expect(await host.clone.isAncestor(first, other)).toEqual({ ok: true, value: false });
    expect(await host.clone.has(first)).toBe(true);
  });

  test('a branch that is not there is named', async () => {
    const first = await cloned();
    const failed = await host.clone.fetch(host.origin.answer(first, 'refs/heads/nope'));
    expect(failed).toMatchObject({ ok: false, trouble: { code: 'ref-missing', remote: host.origin.dir } });
    expect(host.events.map((e) => e.type)).not.toContain('healed');
  });

  test('a remote that does not exist leaves nothing half made', async () => {
    host = createTestHost();
    const id = host.origin.commit({ a: 'a' });
    const failed = await host.clone.fetch({
      commit: id,
      ref: 'refs/heads/main',
      url: `${host.folder}/none.git`,
    });
    expect(failed).toMatchObject({ ok: false, trouble: { code: 'not-found' } });
    expect(readdirSync(host.base)).toEqual([]);
  });

  test('sha256 repositories work', async () => {
    const first = await cloned({ sha256: true });
    expect(first).toHaveLength(64);
    const second = host.origin.commit({ 'a.txt': 'two\n' });
    expect(await host.clone.fetch(host.origin.answer())).toEqual({ ok: true, value: second });
  });

  test('a blobless clone fetches a file when it is read', async () => {
    const first = await cloned({ repo: { clone: 'blobless' } });
    expect(
      host.origin.git('--git-dir', cloneDir(), 'rev-list', '--objects', '--missing=print', first),
    ).toContain('?');
    expect((await host.clone.readFile(first, 'a.txt'))?.toString()).toBe('one\n');
  });

  test('too little free space is named before anything is fetched', async () => {
    host = createTestHost({ options: { limits: { ...testLimits, freeSpaceMinBytes: 2 ** 60 } } });
    host.origin.commit({ a: 'a' });
    expect(await host.clone.fetch(host.origin.answer())).toMatchObject({
      ok: false,
      trouble: { code: 'disk-full' },
    });
  });

  test('a pack larger than the limit is ended, named, and leaves nothing behind', async () => {
    host = createTestHost({ options: { limits: { ...testLimits, fetchMaxBytes: 64 * 1024 } } });
    const noise = Buffer.from(Array.from({ length: 400_000 }, (_, i) => (i * 7919 * (i % 251)) % 256));
    host.origin.commit({ big: noise.toString('base64') });
    expect(await host.clone.fetch(host.origin.answer())).toMatchObject({
      ok: false,
      trouble: { code: 'limit' },
    });
    expect(readdirSync(host.base)).toEqual([]);
  });

  test('an aborted fetch ends and is not healed', async () => {
    await cloned();
    host.origin.commit({ 'a.txt': 'two\n' });
    const abort = AbortSignal.abort();
    expect(await host.clone.fetch(host.origin.answer(), { signal: abort })).toMatchObject({ ok: false });
    expect(host.events.map((e) => e.type)).not.toContain('healed');
  });

  test('a missing and a too old git are named, and work again when a good one is there', async () => {
    const first = await cloned();
    const bin = join(host.folder, 'bin');
    mkdirSync(bin);
    const env = { ...process.env, PATH: bin };
    const none = host.reopen({ options: { env } });
    expect(await none.clone.fetch(host.origin.answer())).toMatchObject({ trouble: { code: 'git-missing' } });
    expect(await none.clone.isAncestor(first, commitId('1'.repeat(40)))).toMatchObject({
      trouble: { code: 'git-missing' },
    });
    writeFileSync(join(bin, 'git'), '#!/bin/sh\necho git version 1.8.3.1\n', { mode: 0o755 });
    expect(await none.clone.fetch(host.origin.answer())).toMatchObject({ trouble: { code: 'git-too-old' } });
    writeFileSync(join(bin, 'git'), 'no program', { mode: 0o755 });
    expect(await none.clone.fetch(host.origin.answer())).toMatchObject({ trouble: { code: 'git-missing' } });
    host = none.reopen({ options: {} });
    expect(await host.clone.fetch(host.origin.answer())).toMatchObject({ ok: true });
  });
});

describe('healing', () => {
  const LOCKS = [
    'index.lock',
    'shallow.lock',
    'packed-refs.lock',
    'HEAD.lock',
    'config.lock',
    'refs/pullyu/incoming.lock',
    'refs/heads/main.lock',
    'objects/maintenance.lock',
    'worktrees/x/index.lock',
    'objects/pack/tmp_pack_1234',
    'objects/incoming-x/y',
    'objects/ab/tmp_obj_1',
  ];
  test.each(LOCKS)('a fetch works although %s was left behind, and it is gone', async (name) => {
    await cloned();
    mkdirSync(join(cloneDir(), dirname(name)), { recursive: true });
    writeFileSync(join(cloneDir(), name), 'x');
    const second = host.origin.commit({ 'a.txt': 'two\n' });
    expect(await host.clone.fetch(host.origin.answer())).toEqual({ ok: true, value: second });
    expect(existsSync(join(cloneDir(), name))).toBe(false);
  });

  const DAMAGE: Record<string, () => void> = {
    'an empty HEAD': () => truncateSync(join(cloneDir(), 'HEAD'), 0),
    'a HEAD of 60 MB': () => truncateSync(join(cloneDir(), 'HEAD'), 60 * 1024 ** 2),
    'no HEAD': () => rmSync(join(cloneDir(), 'HEAD')),
    'an empty config': () => truncateSync(join(cloneDir(), 'config'), 0),
    'a config that cannot be parsed': () => writeFileSync(join(cloneDir(), 'config'), '[core\nxx'),
    'an empty packed-refs': () => writeFileSync(join(cloneDir(), 'packed-refs'), ''),
    'a packed-refs of garbage': () => writeFileSync(join(cloneDir(), 'packed-refs'), 'x'.repeat(99)),
    'an empty target reference': () => truncateSync(join(cloneDir(), 'refs/pullyu/target'), 0),
    'an empty incoming reference': () => truncateSync(join(cloneDir(), 'refs/pullyu/incoming'), 0),
    'no objects folder': () => rmSync(join(cloneDir(), 'objects'), { recursive: true }),
    'no refs folder': () => rmSync(join(cloneDir(), 'refs'), { recursive: true }),
    'a missing pack': () => removePacks('.pack'),
    'a missing index of a pack': () => removePacks('.idx'),
    'an empty pack': () =>
      eachPack(
        (p) => p.endsWith('.pack'),
        (p) => writeFileSync(p, ''),
      ),
    'an empty index of a pack': () =>
      eachPack(
        (p) => p.endsWith('.idx'),
        (p) => writeFileSync(p, ''),
      ),
    'an empty loose object': () => {
      const id = host.origin.git('rev-parse', 'main');
      const folder = join(cloneDir(), 'objects', id.slice(0, 2));
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, id.slice(2)), '');
    },
    'a deleted clone': () => rmSync(cloneDir(), { recursive: true }),
    'a file in place of the clone': () => {
      rmSync(cloneDir(), { recursive: true });
      writeFileSync(cloneDir(), 'x');
    },
  };

  function eachPack(which: (path: string) => boolean, act: (path: string) => void) {
    const folder = join(cloneDir(), 'objects/pack');
    for (const name of readdirSync(folder).filter(which)) {
      // Packs are read-only; a new file is not.
      rmSync(join(folder, name));
      act(join(folder, name));
    }
  }
  function removePacks(end: string) {
    eachPack(
      (name) => name.endsWith(end),
      () => {},
    );
  }

  test.each(Object.keys(DAMAGE))(
    'with %s the next good commit is fetched and published without a human',
    async (what) => {
      const first = await cloned();
      host.clone.setTarget(first);
      expect(await host.trees.publish(first)).toMatchObject({ ok: true });
      DAMAGE[what]?.();
      const second = host.origin.commit({ 'a.txt': 'two\n' });
      host = host.reopen();
      const fetched = await host.clone.fetch(host.origin.answer());
      expect(fetched).toEqual({ ok: true, value: second });
      expect(await host.clone.scan(first, second)).toEqual({ ok: true, value: null });
      expect(await host.trees.publish(second)).toMatchObject({ ok: true });
      expect(readFileSync(join(host.base, 'current/a.txt'), 'utf8')).toBe('two\n');
      expect(readFileSync(join(host.base, 'current/dir/b.txt'), 'utf8')).toBe('b\n');
      expect(readdirSync(host.base).filter((name) => name.startsWith('clone.git'))).toEqual(['clone.git']);
    },
  );

  test('a clone that stays broken is replaced once in ten minutes, not in a loop', async () => {
    let now = 1_000_000_000_000;
    const clock = { ...systemClock, now: () => now };
    await cloned({ options: { clock } });
    /** Takes an older commit away from under the newest one. */
    const breakIt = async (content: string) => {
      const before = new Set(readdirSync(join(cloneDir(), 'objects/pack')));
      host.origin.commit({ 'a.txt': content });
      expect(await host.clone.fetch(host.origin.answer())).toMatchObject({ ok: true });
      eachPack(
        (name) => before.has(name),
        () => {},
      );
      host.origin.commit({ 'a.txt': `${content} again` });
    };
    await breakIt('2');
    expect(await host.clone.fetch(host.origin.answer())).toMatchObject({ ok: true });
    expect(host.events.filter((e) => e.type === 'healed')).toHaveLength(1);
    await breakIt('3');
    expect(await host.clone.fetch(host.origin.answer())).toMatchObject({
      ok: false,
      trouble: { code: 'clone-broken', hint: expect.stringMatching(/in 10 min/) },
    });
    now += 11 * 60_000;
    expect(await host.clone.fetch(host.origin.answer())).toMatchObject({ ok: true });
  });

  test('an unreadable commit is never "no ancestor"', async () => {
    const first = await cloned();
    const answer = await host.clone.isAncestor(first, commitId('2'.repeat(40)));
    expect(answer).toMatchObject({ ok: false, trouble: { code: 'clone-broken' } });
  });

  test('damage met by reads makes has() say no, and the next fetch replaces the clone', async () => {
    const first = await cloned();
    removePacks('.pack');
    await expect(host.clone.contents(first, ['a.txt'])).rejects.toThrow(/clone|git/);
    expect(await host.clone.has(first)).toBe(false);
    expect(await host.clone.fetch(host.origin.answer())).toEqual({ ok: true, value: first });
    expect(await host.clone.has(first)).toBe(true);
    expect((await host.clone.contents(first, ['a.txt'])).get('a.txt')).toMatch(/^100644 /);
    expect(host.events.filter((e) => e.type === 'healed')).not.toEqual([]);
  });

  test('a clone that was complete when the agent died before the last rename is taken', async () => {
    const first = await cloned();
    renameSync(cloneDir(), `${cloneDir()}.new`);
    expect(await host.clone.fetch(host.origin.answer())).toEqual({ ok: true, value: first });
    expect(host.events.filter((e) => e.type === 'cloning')).toHaveLength(1);
  });
});
