import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { CommitId } from '../model/ids.ts';
import { delay, systemClock } from '../system/clock.ts';
import { type Change, createOrigin, createTestHost, type TestHost } from './origin.testing.ts';
import { killOrphanedGit } from './run.ts';
import { isCheckDue } from './trees.ts';
import { parseTrees } from './trees-file.ts';

let host: TestHost;
afterEach(() => host.close());

const at = (...names: string[]) => join(host.base, ...names);
const read = (name: string) => readFileSync(at('current', name), 'utf8');

async function push(changes: Record<string, Change>, o = {}): Promise<CommitId> {
  host.origin.commit(changes, o);
  const fetched = await host.clone.fetch(host.origin.answer());
  if (!fetched.ok) throw new Error(fetched.trouble.message);
  return fetched.value;
}

async function published(changes: Record<string, Change>, o = {}): Promise<CommitId> {
  const commit = await push(changes, o);
  const result = await host.trees.publish(commit);
  if (!result.ok) throw new Error(result.trouble.message);
  expect(host.trees.current()).toEqual({ commit, path: result.value.path });
  return commit;
}

const start = (more: Parameters<typeof createTestHost>[0] = {}) => {
  host = createTestHost(more);
  return published({
    'a.txt': 'one\n',
    'run.sh': { mode: '100755', content: '#!/bin/sh\n' },
    'dir/b.txt': 'b\n',
    link: { mode: '120000', content: 'dir/b.txt' },
    '.gitignore': '*.log\n',
    '.gitattributes': '*.txt text eol=crlf\na.txt ident working-tree-encoding=UTF-16\nrun.sh filter=evil\n',
  });
};

/** What a script sees: plain git, no settings of ours. */
const script = (...args: string[]) =>
  execFileSync('git', args, {
    cwd: at('current'),
    env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  }).toString();

describe('publish', () => {
  test('a tree holds exactly the bytes of the commit, whatever .gitattributes wants', async () => {
    await start();
    expect(read('a.txt')).toBe('one\n');
    expect(readlinkSync(at('current/link'))).toBe('dir/b.txt');
    expect(statSync(at('current/run.sh')).mode & 0o777).toBe(0o755);
    expect(statSync(at('current/a.txt')).mode & 0o777).toBe(0o644);
    expect(statSync(at('current/dir')).mode & 0o777).toBe(0o755);
    expect(readlinkSync(at('current'))).toBe('trees/a');
  });

  test('the next tree is made beside, and the one before is kept', async () => {
    const first = await start();
    await published({ 'a.txt': 'two\n' });
    expect(readlinkSync(at('current'))).toBe('trees/b');
    expect(read('a.txt')).toBe('two\n');
    expect(readFileSync(at('trees/a/a.txt'), 'utf8')).toBe('one\n');
    await published({ 'a.txt': null, 'new/x': 'x', 'dir/b.txt': null, dir: 'now a file' });
    expect(readlinkSync(at('current'))).toBe('trees/a');
    expect(existsSync(at('current/a.txt'))).toBe(false);
    expect(read('dir')).toBe('now a file');
    // And back: a revert, or another branch.
    expect(await host.trees.publish(first)).toMatchObject({ ok: true });
    expect(read('dir/b.txt')).toBe('b\n');
  });

  test('an unchanged file is not written again', async () => {
    await start();
    await published({ 'a.txt': 'two\n' });
    const inode = statSync(at('trees/a/dir/b.txt')).ino;
    await published({ 'a.txt': 'three\n' });
    expect(readlinkSync(at('current'))).toBe('trees/a');
    expect(statSync(at('current/dir/b.txt')).ino).toBe(inode);
  });

  test('publishing what is current does nothing', async () => {
    const first = await start();
    const before = statSync(at('trees.json')).mtimeMs;
    expect(await host.trees.publish(first)).toEqual({ ok: true, value: { path: at('trees/a') } });
    expect(statSync(at('trees.json')).mtimeMs).toBe(before);
  });

  test('what somebody left, edited or broke in the spare slot is gone when it is published', async () => {
    await start();
    await published({ 'a.txt': 'two\n' });
    const spare = at('trees/a');
    writeFileSync(join(spare, 'dir/b.txt'), 'edited');
    writeFileSync(join(spare, 'x.log'), 'ignored');
    mkdirSync(join(spare, 'nested/.git'), { recursive: true });
    writeFileSync(join(spare, 'nested/.git/HEAD'), 'x');
    rmSync(join(spare, 'run.sh'));
    mkdirSync(join(spare, 'new'));
    writeFileSync(join(spare, 'new/clash'), 'untracked');
    writeFileSync(join(spare, '.git/index.lock'), '');
    await published({ 'new/clash': 'tracked\n' });
    expect(read('dir/b.txt')).toBe('b\n');
    expect(read('new/clash')).toBe('tracked\n');
    expect(readdirSync(at('current')).sort()).toEqual(
      ['.git', '.gitattributes', '.gitignore', '.temp', 'a.txt', 'dir', 'link', 'new', 'run.sh'].sort(),
    );
  });

  const BROKEN: Record<string, (spare: string) => void> = {
    'an empty index': (spare) => truncateSync(join(spare, '.git/index'), 0),
    'a torn index': (spare) => truncateSync(join(spare, '.git/index'), 100),
    'no index': (spare) => rmSync(join(spare, '.git/index')),
    'no .git': (spare) => rmSync(join(spare, '.git'), { recursive: true }),
    'a .git that is a file': (spare) => {
      rmSync(join(spare, '.git'), { recursive: true });
      writeFileSync(join(spare, '.git'), 'gitdir: /elsewhere');
    },
    'no folder': (spare) => rmSync(spare, { recursive: true }),
    'a file in its place': (spare) => {
      rmSync(spare, { recursive: true });
      writeFileSync(spare, 'x');
    },
    'a folder that became a link': (spare) => {
      renameSync(join(spare, 'dir'), join(host.folder, 'dir'));
      symlinkSync(join(host.folder, 'dir'), join(spare, 'dir'));
    },
    'a record that says building': () =>
      writeFileSync(
        at('trees.json'),
        readFileSync(at('trees.json'), 'utf8').replace(/"complete"/, '"building"'),
      ),
  };
  test.each(Object.keys(BROKEN))('a spare slot with %s is made anew', async (what) => {
    await start();
    await published({ 'a.txt': 'two\n' });
    BROKEN[what]?.(at('trees/a'));
    await published({ 'a.txt': 'three\n' });
    expect(read('a.txt')).toBe('three\n');
    expect(read('dir/b.txt')).toBe('b\n');
    expect(lstatSync(at('current/dir')).isDirectory()).toBe(true);
    expect(script('status', '--porcelain')).toBe('');
  });

  test('a lost or damaged record makes current unknown, and the next publish mends it', async () => {
    const first = await start();
    for (const content of ['', '{"a":', '[]', '{"a":{"state":"complete","commit":"x"}}']) {
      writeFileSync(at('trees.json'), content);
      expect(host.trees.current()).toBeNull();
      expect(await host.trees.publish(first)).toMatchObject({ ok: true });
      expect(host.trees.current()?.commit).toBe(first);
    }
  });

  test('a deleted current tree is published again', async () => {
    const first = await start();
    rmSync(at('trees'), { recursive: true });
    expect(host.trees.current()).toBeNull();
    expect(await host.trees.publish(first)).toMatchObject({ ok: true });
    expect(read('a.txt')).toBe('one\n');
  });

  test('a slot that a crash left half written is repaired, and current never was it', async () => {
    const first = await start();
    const second = await push({ 'a.txt': 'two\n', 'dir/b.txt': 'B\n' });
    await host.trees.tidy();
    // A slot cut off in the middle: the record says so, files are of both.
    const record = JSON.parse(readFileSync(at('trees.json'), 'utf8'));
    writeFileSync(at('trees.json'), JSON.stringify({ ...record, b: { state: 'building', commit: second } }));
    writeFileSync(at('trees/b/a.txt'), 'tw');
    host = host.reopen();
    expect(host.trees.current()?.commit).toBe(first);
    expect(read('a.txt')).toBe('one\n');
    expect(await host.trees.publish(second)).toMatchObject({ ok: true });
    expect(`${read('a.txt')}${read('dir/b.txt')}`).toBe('two\nB\n');
  });

  test('a rename that was cut off leaves no trace', async () => {
    await start();
    symlinkSync('trees/nowhere', at('current.new'));
    await published({ 'a.txt': 'two\n' });
    expect(existsSync(at('current.new'))).toBe(false);
    expect(readdirSync(host.base).sort()).toEqual(['clone.git', 'current', 'temp', 'trees', 'trees.json']);
  });

  test('another commit is checked out beside', async () => {
    const first = await start();
    await published({ 'a.txt': 'two\n' });
    expect(await host.trees.checkout(first)).toEqual({ ok: true, value: { path: at('trees/c') } });
    expect(readFileSync(at('trees/c/a.txt'), 'utf8')).toBe('one\n');
    expect(read('a.txt')).toBe('two\n');
    expect(host.trees.current()?.path).toBe(at('trees/b'));
  });

  test('tidy makes the spare slot once and keeps the tree before this one', async () => {
    const first = await start();
    expect(existsSync(at('trees/b'))).toBe(false);
    await host.trees.tidy();
    expect(readFileSync(at('trees/b/a.txt'), 'utf8')).toBe('one\n');
    await published({ 'a.txt': 'two\n' });
    await host.trees.tidy();
    expect(readFileSync(at('trees/a/a.txt'), 'utf8')).toBe('one\n');
    expect(parseTrees(readFileSync(at('trees.json'), 'utf8')).a).toEqual({
      state: 'complete',
      commit: first,
    });
  });

  test('blobless clones, sha256 and an agent with a tight umask give the same tree', async () => {
    const before = process.umask(0o077);
    try {
      await start({ repo: { clone: 'blobless' }, sha256: true });
      await published({ 'a.txt': 'two\n' });
      expect(read('a.txt')).toBe('two\n');
      expect(statSync(at('current/a.txt')).mode & 0o777).toBe(0o644);
      expect(statSync(at('current/dir')).mode & 0o777).toBe(0o755);
    } finally {
      process.umask(before);
    }
  });
});

test('git killed at any moment of fetch and publish leaves a complete tree and nothing else', async () => {
  await start();
  const many = (content: string) =>
    Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`many/${i % 20}/${i}`, content]));
  await published(many('0'));
  for (let round = 1; round <= 12; round += 1) {
    host.origin.commit(many(`${round}`));
    const work = host.clone
      .fetch(host.origin.answer())
      .then((fetched) => (fetched.ok ? host.trees.publish(fetched.value) : fetched));
    // Where in the work the kill falls is left to chance on purpose.
    let over = false;
    work.finally(() => {
      over = true;
    });
    await delay(round * 12);
    while (!over && killOrphanedGit(host.state) === 0) await delay(1);
    await work;
    const contents = new Set(Array.from({ length: 400 }, (_, i) => read(`many/${i % 20}/${i}`)));
    expect(contents.size).toBe(1);
    const now = host.trees.current();
    expect(host.origin.git('show', `${now?.commit}:many/0/0`)).toBe([...contents][0]);
  }
  host = host.reopen();
  await published(many('end'));
  expect(read('many/19/399')).toBe('end');
  const left = execFileSync('find', [
    host.base,
    '-name',
    '*.lock',
    '-o',
    '-name',
    'tmp_*',
    '-o',
    '-name',
    '*.tmp',
  ]);
  expect(left.toString()).toBe('');
  expect(host.events.filter((e) => e.type === 'healed')).toEqual([]);
});

describe('scripts in a tree', () => {
  test('use git as they are used to', async () => {
    const first = await start();
    await published({ 'dir/b.txt': 'B\n' });
    const third = await published({ 'a.txt': 'three\n' });
    expect(script('rev-parse', 'HEAD').trim()).toBe(third);
    expect(script('log', '--format=%s', `${first}..`, '--', 'dir').trim()).toBe('commit 2');
    expect(script('diff', '--name-only', first)).toBe('a.txt\ndir/b.txt\n');
    expect(script('status', '--porcelain')).toBe('');
    expect(script('remote', 'get-url', 'origin').trim()).toBe(host.origin.dir);
    expect(script('rev-parse', '--show-toplevel').trim()).toBe(at('trees/a'));
  });

  test('keep their own state in .temp over updates', async () => {
    await start();
    writeFileSync(at('current/.temp/state'), 'kept');
    await published({ 'a.txt': 'two\n' });
    await published({ 'a.txt': 'three\n' });
    expect(read('.temp/state')).toBe('kept');
    expect(script('status', '--porcelain')).toBe('');
  });

  test('find the folder .temp of a repository that tracks one, and the link again when it no longer does', async () => {
    await start();
    writeFileSync(at('current/.temp/state'), 'kept');
    await published({ '.temp/.gitkeep': '' });
    expect(lstatSync(at('current/.temp')).isDirectory()).toBe(true);
    await published({ 'a.txt': 'two\n' });
    expect(read('.temp/.gitkeep')).toBe('');
    await published({ '.temp/.gitkeep': null });
    await published({ 'a.txt': 'three\n' });
    expect(read('.temp/state')).toBe('kept');
  });

  test('cannot hurt the clone with git commands', async () => {
    await start();
    const config = readFileSync(at('clone.git/config'), 'utf8');
    script('config', 'core.bare', 'true');
    script('config', 'core.bare', 'false');
    script('checkout', '-q', '-b', 'mine');
    writeFileSync(at('current/a.txt'), 'mine');
    script('-c', 'user.name=x', '-c', 'user.email=x@y', 'commit', '-qam', 'mine');
    script('gc', '-q', '--prune=now');
    expect(readFileSync(at('clone.git/config'), 'utf8')).toBe(config);
    expect(await host.trees.heal({ force: true })).toEqual(['.git/HEAD', 'a.txt']);
    expect(read('a.txt')).toBe('one\n');
    await published({ 'a.txt': 'two\n' });
    await published({ 'a.txt': 'three\n' });
    expect(read('a.txt')).toBe('three\n');
  });
});

describe('heal', () => {
  test('puts back what was edited, deleted, added to the index or chmod-ed, and names it', async () => {
    await start();
    expect(await host.trees.heal({ force: true })).toEqual([]);
    writeFileSync(at('current/a.txt'), 'edited');
    chmodSync(at('current/run.sh'), 0o600);
    rmSync(at('current/dir'), { recursive: true });
    rmSync(at('current/link'));
    symlinkSync('/etc/passwd', at('current/link'));
    script('add', 'a.txt');
    expect((await host.trees.heal({ force: true })).sort()).toEqual(['a.txt', 'dir/b.txt', 'link', 'run.sh']);
    expect(read('a.txt')).toBe('one\n');
    expect(read('dir/b.txt')).toBe('b\n');
    expect(statSync(at('current/run.sh')).mode & 0o777).toBe(0o755);
    expect(readlinkSync(at('current/link'))).toBe('dir/b.txt');
    expect(await host.trees.heal({ force: true })).toEqual([]);
  });

  test('puts back rights that git does not keep', async () => {
    await start();
    // Git compares whole seconds of the time of change.
    const second = Math.floor(statSync(at('current/a.txt')).ctimeMs / 1_000);
    await vi.waitUntil(() => Math.floor(Date.now() / 1_000) > second, { timeout: 5_000 });
    chmodSync(at('current/a.txt'), 0o600);
    expect(await host.trees.heal({ force: true })).toEqual(['a.txt']);
    expect(statSync(at('current/a.txt')).mode & 0o777).toBe(0o644);
  });

  test('says nothing about files that were only touched, and leaves untracked ones', async () => {
    await start();
    writeFileSync(at('current/a.txt'), 'one\n');
    writeFileSync(at('current/output'), 'of a script');
    expect(await host.trees.heal({ force: true })).toEqual([]);
    expect(read('output')).toBe('of a script');
  });

  test('works over a lock that was left and an index that was damaged', async () => {
    await start();
    writeFileSync(at('current/.git/index.lock'), '');
    writeFileSync(at('current/a.txt'), 'edited');
    expect(await host.trees.heal({ force: true })).toEqual(['a.txt']);
    writeFileSync(at('current/a.txt'), 'edited');
    truncateSync(at('current/.git/index'), 10);
    expect(await host.trees.heal({ force: true })).toContain('a.txt');
    expect(read('a.txt')).toBe('one\n');
  });

  test('looks again only when that costs at most one percent of the time', async () => {
    let now = 1_700_000_000_000;
    await start({ options: { clock: { ...systemClock, now: () => now } } });
    await host.trees.heal();
    writeFileSync(at('current/a.txt'), 'edited');
    expect(await host.trees.heal()).toEqual([]);
    now += 24 * 60 * 60_000;
    host = host.reopen();
    expect(await host.trees.heal()).toEqual(['a.txt']);
  });

  test('a check is due without a stamp, after a clock that went back, and after 100 times its cost', () => {
    expect(isCheckDue(null, 0)).toBe(true);
    expect(isCheckDue('garbage', 0)).toBe(true);
    expect(isCheckDue('{"at":10,"costMs":1}', 9)).toBe(true);
    expect(isCheckDue('{"at":0,"costMs":1}', 29_999)).toBe(false);
    expect(isCheckDue('{"at":0,"costMs":1000}', 30_001)).toBe(false);
    expect(isCheckDue('{"at":0,"costMs":1000}', 100_000)).toBe(true);
  });
});

const hasLfs = spawnSync('git', ['lfs', 'version']).status === 0;
describe.skipIf(!hasLfs)('large files', () => {
  const attributes = '*.bin filter=lfs diff=lfs merge=lfs -text\n*.txt filter=evil eol=crlf\n';
  const pointerTo = (content: string) => {
    const oid = createHash('sha256').update(content).digest('hex');
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${content.length}\n`;
    return { oid, pointer };
  };
  const store = (content: string) => {
    const { oid, pointer } = pointerTo(content);
    const folder = join(host.origin.dir, 'lfs/objects', oid.slice(0, 2), oid.slice(2, 4));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, oid), content);
    return pointer;
  };

  test('stay pointers by default', async () => {
    host = createTestHost();
    const { pointer } = pointerTo('large');
    await published({ '.gitattributes': attributes, 'x.bin': pointer });
    expect(read('x.bin')).toBe(pointer);
  });

  test('are fetched when the repo asks for it, and no other filter runs', async () => {
    host = createTestHost({ repo: { lfs: true } });
    await published({ '.gitattributes': attributes, 'x.bin': store('large one'), 'a.txt': 'a\n' });
    expect(read('x.bin')).toBe('large one');
    expect(read('a.txt')).toBe('a\n');
    await published({ 'x.bin': store('large two') });
    await published({ 'a.txt': 'b\n' });
    expect(read('x.bin')).toBe('large two');
    expect(await host.trees.heal({ force: true })).toEqual([]);
  });

  test('one that the remote lacks is a trouble of the remote, and the tree before stays', async () => {
    host = createTestHost({ repo: { lfs: true } });
    const first = await published({ '.gitattributes': attributes, 'x.bin': store('one') });
    const lost = await push({ 'x.bin': pointerTo('lost').pointer });
    expect(await host.trees.publish(lost)).toMatchObject({ ok: false, trouble: { code: 'unreachable' } });
    expect(host.trees.current()?.commit).toBe(first);
    expect(await host.clone.has(lost)).toBe(true);
  });
});

describe('submodules', () => {
  test('are brought along, nested ones too, when the repo asks for them', async () => {
    host = createTestHost({ repo: { submodules: true } });
    const inner = createOrigin(host.folder, 'inner.git');
    const innerCommit = inner.commit({ deep: 'deep\n' });
    const sub = createOrigin(host.folder, 'sub.git');
    const first = sub.commit({
      x: 'sub\n',
      '.gitmodules': '[submodule "inner"]\n\tpath = in\n\turl = ../inner.git\n',
      in: { mode: '160000', content: innerCommit },
    });
    const gitmodules = `[submodule "s"]\n\tpath = lib/s\n\turl = ${sub.dir}\n`;
    await published({ '.gitmodules': gitmodules, 'lib/s': { mode: '160000', content: first } });
    expect(read('lib/s/x')).toBe('sub\n');
    expect(read('lib/s/in/deep')).toBe('deep\n');
    const second = sub.commit({ x: 'two\n' });
    await published({ 'lib/s': { mode: '160000', content: second } });
    expect(read('lib/s/x')).toBe('two\n');
    expect(await host.trees.heal({ force: true })).toEqual([]);
    await published({ 'lib/s': null, '.gitmodules': null });
    expect(existsSync(at('current/lib'))).toBe(false);
  });

  test.each([
    ['ext::sh -c "touch /tmp/x"', /scheme|"::"|refused/],
    ['--upload-pack=touch', /option/],
    ['http://user:secret@example.com/x.git', /credentials/],
    ['git://example.com/x.git', /protocol git/],
  ])('with the URL %s are refused, and the tree before stays', async (url, message) => {
    host = createTestHost({ repo: { submodules: true } });
    const first = await published({ a: 'a' });
    const bad = await push({
      '.gitmodules': `[submodule "s"]\n\tpath = s\n\turl = "${url.replace(/"/g, '\\"')}"\n`,
      s: { mode: '160000', content: first },
    });
    const result = await host.trees.publish(bad);
    expect(result).toMatchObject({
      ok: false,
      trouble: { code: 'hostile-tree', message: expect.stringMatching(message) },
    });
    expect(JSON.stringify(result)).not.toContain('secret');
    expect(host.trees.current()?.commit).toBe(first);
  });
});
