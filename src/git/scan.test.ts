import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { createTestHost, type TestHost, testLimits } from './origin.testing.ts';
import { isDotGit, refuseLink, refusePath } from './scan-path.ts';

describe('names', () => {
  test.each([
    ['.git/config'],
    ['a/.GIT/x'],
    ['.Git'],
    ['.gi\u200ct/hooks'],
    ['\ufeff.git'],
    ['git~1'],
    ['GIT~1/config'],
    ['a/.git.'],
    ['.git '],
    ['.git . .'],
    ['.git::$INDEX_ALLOCATION/config'],
    ['a\\.git\\config'],
    ['a/../b'],
    ['..'],
    ['./a'],
    ['a//b'],
    ['/a'],
    [''],
    ['a\nb'],
    ['a\u0000b'],
    ['a\u007f'],
    ['\u001b[31m'],
    ['x'.repeat(256)],
    [Array.from({ length: 40 }, () => 'y'.repeat(100)).join('/')],
  ])('%j is refused', (path) => expect(refusePath(Buffer.from(path))).toEqual(expect.any(String)));

  test.each([
    ['.gitignore'],
    ['.github/workflows/x.yml'],
    ['.gitmodules'],
    ['git'],
    ['a.git/b'],
    ['-rf'],
    ['with space '],
    ['ünï/日本'],
    ['...'],
    ['.temp/x'],
    ['x'.repeat(255)],
  ])('%j is fine', (path) => expect(refusePath(Buffer.from(path))).toBeNull());

  test('names that are no UTF-8 are fine: a name is bytes', () => {
    expect(refusePath(Buffer.from([0x61, 0xe9, 0x62]))).toBeNull();
  });

  test('any bytes give an answer, and an accepted name never has a component that stands for .git', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const path = Buffer.from(bytes);
        if (refusePath(path) !== null) return;
        expect(path.toString().split('/').some(isDotGit)).toBe(false);
        expect(path.every((byte) => byte >= 0x20 && byte !== 0x7f)).toBe(true);
      }),
    );
  });
});

describe('symbolic links', () => {
  test.each([
    ['x', '/etc/shadow'],
    ['x', '..'],
    ['a/x', '../../etc'],
    ['a/x', 'b/../../..'],
    ['x', 'a/../b'],
    ['x', '.git/config'],
    ['a/x', '../.GIT'],
    ['x', ''],
  ])('%s -> %s is refused', (path, target) => {
    expect(refuseLink(path, Buffer.from(target))).toEqual(expect.any(String));
  });

  test.each([
    ['x', 'a/b'],
    ['a/x', '../b'],
    ['a/b/x', '../../c'],
    ['a/x', '..'],
    ['x', './a//b'],
    ['x', 'a..b'],
  ])('%s -> %s stays inside', (path, target) => expect(refuseLink(path, Buffer.from(target))).toBeNull());

  test('an accepted link never resolves to above the root', () => {
    const part = fc.constantFrom('a', 'b', '..', '.', '');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), fc.nat({ max: 3 }), (parts, depth) => {
        const path = [...Array.from({ length: depth }, () => 'd'), 'x'].join('/');
        const target = parts.join('/');
        if (refuseLink(path, Buffer.from(target)) !== null) return;
        let level = depth;
        for (const p of parts) {
          if (p === '..') level -= 1;
          else if (p !== '.' && p !== '') level += 1;
          expect(level).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});

describe('the tree of a commit', () => {
  let host: TestHost;
  afterEach(() => host.close());

  const open = async (more: Parameters<typeof createTestHost>[0] = {}) => {
    host = createTestHost(more);
    const first = host.origin.commit({
      'a.txt': 'one\n',
      'dir/b.sh': { mode: '100755', content: '#!/bin/sh\n' },
    });
    await host.clone.fetch(host.origin.answer());
    expect(await host.clone.scan(null, first)).toEqual({ ok: true, value: null });
    return first;
  };

  const refused = async (commit: () => string, message: RegExp, code = 'hostile-tree') => {
    const first = await open();
    commit();
    const fetched = await host.clone.fetch(host.origin.answer());
    if (!fetched.ok) throw new Error(fetched.trouble.message);
    for (const from of [first, null]) {
      expect(await host.clone.scan(from, fetched.value)).toMatchObject({
        ok: false,
        trouble: { code, message: expect.stringMatching(message) },
      });
    }
    // And what comes after it is fetched, scanned and published.
    const fixed = host.origin.commit({ 'a.txt': 'fixed\n' }, { orphan: true });
    expect(await host.clone.fetch(host.origin.answer())).toEqual({ ok: true, value: fixed });
    expect(await host.clone.scan(first, fixed)).toEqual({ ok: true, value: null });
  };

  test('with .git in it is fetched and refused by name', () =>
    refused(() => {
      const oid = host.origin.blob('x');
      const tree = host.origin.git('rev-parse', 'main:dir');
      return host.origin.commitTree([
        { mode: '040000', oid: tree, name: '.GIT' },
        { mode: '100644', oid, name: 'ok' },
      ]);
    }, /"\.GIT\/b\.sh".*"\.git" is refused/));

  test('with ".." in it is refused', () =>
    refused(
      () =>
        host.origin.commitTree([
          { mode: '040000', oid: host.origin.git('rev-parse', 'main:dir'), name: '..' },
        ]),
      /"\.\.\/b\.sh"/,
    ));

  test('with a name of several components is refused', () =>
    refused(
      () => host.origin.commitTree([{ mode: '100644', oid: host.origin.blob('x'), name: '../../evil' }]),
      /evil/,
    ));

  test('with control characters is refused, and they are shown escaped', () =>
    refused(
      () => host.origin.commitTree([{ mode: '100644', oid: host.origin.blob('x'), name: 'a\u001b[2Jb' }]),
      /"a\\x1b\[2Jb"/,
    ));

  test('with an absolute link is refused', () =>
    refused(() => host.origin.commit({ x: { mode: '120000', content: '/etc/shadow' } }), /"x".*absolute/));

  test('with a link out of it is refused', () =>
    refused(() => host.origin.commit({ 'd/x': { mode: '120000', content: '../../y' } }), /"d\/x".*leaves/));

  test('with a submodule is refused without permission', () =>
    refused(
      () => host.origin.commit({ sub: { mode: '160000', content: '1'.repeat(40) } }),
      /"sub".*submodule/,
    ));

  test('with a file .temp is refused', () => refused(() => host.origin.commit({ '.temp': 'x' }), /"\.temp"/));

  test('with a link .temp is refused', () =>
    refused(() => host.origin.commit({ '.temp': { mode: '120000', content: 'dir' } }), /"\.temp"/));

  test('with a link .gitmodules is refused', () =>
    refused(() => host.origin.commit({ '.gitmodules': { mode: '120000', content: 'a.txt' } }), /gitmodules/));

  test('with names that are no UTF-8 is published byte for byte', async () => {
    const first = await open();
    const name = Buffer.from([0x63, 0x61, 0x66, 0xe9]);
    const odd = host.origin.commitTree([{ mode: '100644', oid: host.origin.blob('latin\n'), name }]);
    await host.clone.fetch(host.origin.answer());
    expect(await host.clone.scan(first, odd)).toEqual({ ok: true, value: null });
    expect(await host.trees.publish(odd)).toMatchObject({ ok: true });
    const { readFileSync } = await import('node:fs');
    const path = Buffer.concat([Buffer.from(`${host.base}/current/`), name]);
    expect(readFileSync(path, 'utf8')).toBe('latin\n');
    expect(await host.clone.changedFiles(null, odd)).toEqual(['caf\ufffd']);
    expect((await host.clone.contents(odd, ['caf*'])).get('caf*')).toMatch(/^[0-9a-f]{64}$/);
    expect(await host.trees.heal({ force: true })).toEqual([]);
  });

  test('too many files and too many bytes are limits, also by increments', async () => {
    const limits = { ...testLimits, treeMaxFiles: 3, treeMaxBytes: 5_000 };
    const first = await open({ options: { limits } });
    const three = host.origin.commit({ c: 'c' });
    await host.clone.fetch(host.origin.answer());
    expect(await host.clone.scan(first, three)).toMatchObject({ ok: true });
    const four = host.origin.commit({ d: 'd' });
    await host.clone.fetch(host.origin.answer());
    const many = { ok: false, trouble: { code: 'limit', message: expect.stringMatching(/4 files/) } };
    expect(await host.clone.scan(three, four)).toMatchObject(many);
    expect(await host.clone.scan(null, four)).toMatchObject(many);
    const moved = host.origin.commit({ d: null, c: null, e: '0'.repeat(6_000) });
    await host.clone.fetch(host.origin.answer());
    const large = { ok: false, trouble: { code: 'limit', message: expect.stringMatching(/6\d{3} bytes/) } };
    expect(await host.clone.scan(three, moved)).toMatchObject(large);
    expect(await host.clone.scan(null, moved)).toMatchObject(large);
    const back = host.origin.commit({ e: null });
    await host.clone.fetch(host.origin.answer());
    expect(await host.clone.scan(three, back)).toMatchObject({ ok: true });
  });
});
