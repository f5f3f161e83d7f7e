import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { CommitId } from '../model/ids.ts';
import { createTestHost, type TestHost, testLimits } from './origin.testing.ts';
import { isAtLeast, parseGitVersion } from './version.ts';

let host: TestHost | null = null;
afterEach(() => {
  host?.close();
  host = null;
});

test('many packs are joined when idle, and no commit is lost', async () => {
  host = createTestHost();
  const commits: CommitId[] = [];
  for (let i = 0; i < 8; i += 1) {
    commits.push(host.origin.commit({ 'a.txt': `${i}` }));
    await host.clone.fetch(host.origin.answer());
  }
  const rewritten = host.origin.commit({ x: 'x' }, { orphan: true });
  await host.clone.fetch(host.origin.answer());
  const pack = join(host.base, 'clone.git/objects/pack');
  const packs = () => readdirSync(pack).filter((name) => name.endsWith('.pack')).length;
  // Stand-ins for sixty more fetches: empty packs are packs.
  const empty = join(host.folder, 'packs');
  mkdirSync(empty);
  for (let i = 0; i < 60; i += 1) {
    const blob = host.origin.blob(`pack ${i}`);
    execFileSync('git', ['-C', host.origin.dir, 'pack-objects', '-q', join(pack, 'pack')], {
      input: `${blob}\n`,
    });
  }
  writeFileSync(join(pack, 'tmp_pack_x'), 'x');
  expect(packs()).toBeGreaterThan(60);
  await host.clone.maintain();
  expect(packs()).toBeLessThan(10);
  expect(existsSync(join(pack, 'tmp_pack_x'))).toBe(false);
  host = host.reopen();
  for (const commit of [...commits, rewritten]) expect(await host.clone.has(commit)).toBe(true);
});

test('few packs stay as they are', async () => {
  host = createTestHost();
  host.origin.commit({ a: 'a' });
  await host.clone.fetch(host.origin.answer());
  const pack = join(host.base, 'clone.git/objects/pack');
  const before = readdirSync(pack);
  await host.clone.maintain();
  expect(readdirSync(pack)).toEqual(before);
});

test('versions are read and compared', () => {
  expect(parseGitVersion('git version 2.39.5\n')).toEqual([2, 39]);
  expect(parseGitVersion('git version 2.50.1.windows.1')).toEqual([2, 50]);
  expect(parseGitVersion('hello')).toBeNull();
  expect(isAtLeast([2, 20], [2, 20])).toBe(true);
  expect(isAtLeast([1, 99], [2, 20])).toBe(false);
  expect(isAtLeast([3, 0], [2, 20])).toBe(true);
});

/** A file system of 12 MB, where root may mount one. */
function mountSmall(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'pullyu-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'pullyu-test', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return null;
  }
}
const small = mountSmall();
if (small !== null) {
  execFileSync('umount', [small]);
  rmSync(small, { recursive: true });
}

test.skipIf(small === null)(
  'a disk that fills up during a fetch is named, and nothing stays on it',
  async () => {
    const folder = mountSmall() as string;
    const outside = mkdtempSync(join(tmpdir(), 'pullyu-'));
    try {
      mkdirSync(join(folder, 'var'), { recursive: true });
      host = createTestHost({
        folder: outside,
        options: { limits: { ...testLimits, freeSpaceMinBytes: 1 } },
      });
      const first = host.origin.commit({ a: 'a' });
      mkdirSync(join(host.state, '..'), { recursive: true });
      execFileSync('ln', ['-s', join(folder, 'var'), host.state]);
      await host.clone.fetch(host.origin.answer());
      await host.trees.publish(first);
      const noise = execFileSync('head', ['-c', '14000000', '/dev/urandom'], { maxBuffer: 1e9 });
      host.origin.commit({ big: noise });
      for (let i = 0; i < 2; i += 1) {
        expect(await host.clone.fetch(host.origin.answer())).toMatchObject({
          ok: false,
          trouble: { code: 'disk-full' },
        });
      }
      // Space comes back (here: the large file goes), and so does the fetch, without a human.
      const fixed = host.origin.commit({ a: 'fixed' }, { orphan: true });
      expect(await host.clone.fetch(host.origin.answer())).toEqual({ ok: true, value: fixed });
      expect(await host.trees.publish(fixed)).toMatchObject({ ok: true });
      // A tree that does not fit: named, and the tree before stays.
      const half = 'x'.repeat(7_000_000);
      const wide = host.origin.commit({ b: half, c: half });
      expect(await host.clone.fetch(host.origin.answer())).toEqual({ ok: true, value: wide });
      expect(await host.trees.publish(wide)).toMatchObject({ ok: false, trouble: { code: 'disk-full' } });
      expect(host.trees.current()?.commit).toBe(fixed);
      expect(await host.clone.has(wide)).toBe(true);
      const narrow = host.origin.commit({ b: null, c: null });
      expect(await host.clone.fetch(host.origin.answer())).toEqual({ ok: true, value: narrow });
      expect(await host.trees.publish(narrow)).toMatchObject({ ok: true });
    } finally {
      host?.close();
      host = null;
      execFileSync('umount', [folder]);
      rmSync(folder, { recursive: true });
    }
  },
);
