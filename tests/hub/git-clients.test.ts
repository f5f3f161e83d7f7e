/** Real git against a hub: everything that people do with a git server over HTTP. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { git } from '../support/git.ts';
import { startHub, type TestHub } from '../support/hub.ts';

/** A working copy with some commits, and its files. */
async function createWork(hub: TestHub, commits = 3): Promise<string> {
  const work = join(hub.folder, 'work');
  await git(['init', '--quiet', '--initial-branch=main', work]);
  for (let n = 1; n <= commits; n += 1) {
    writeFileSync(join(work, `file-${n}`), `${n}\n`.repeat(100 * n));
    await git(['add', '.'], { cwd: work });
    await git(['commit', '--quiet', '-m', `commit ${n}`], { cwd: work });
  }
  return work;
}

test.each([0, 1, 2])('protocol %i: push, clone and fetch', async (version) => {
  await using hub = await startHub();
  await hub.createRepository('it');
  const work = await createWork(hub);
  const speak = ['-c', `protocol.version=${version}`];
  const to = hub.url('it.git', hub.token());
  await git([...speak, 'push', '--quiet', to, 'main', 'HEAD~1:refs/heads/older'], { cwd: work });
  const clone = join(hub.folder, 'clone');
  await git([...speak, 'clone', '--quiet', hub.url('it.git'), clone]);
  expect(readFileSync(join(clone, 'file-3'), 'utf8')).toBe('3\n'.repeat(300));
  writeFileSync(join(work, 'more'), 'more\n');
  await git(['add', '.'], { cwd: work });
  await git(['commit', '--quiet', '-m', 'more'], { cwd: work });
  await git([...speak, 'push', '--quiet', to, 'main', ':refs/heads/older'], { cwd: work });
  await git([...speak, 'pull', '--quiet', '--prune'], { cwd: clone });
  expect(readFileSync(join(clone, 'more'), 'utf8')).toBe('more\n');
  expect(await git(['for-each-ref', '--format=%(refname)', 'refs/remotes/origin'], { cwd: clone })).toBe(
    'refs/remotes/origin/HEAD\nrefs/remotes/origin/main',
  );
  expect(hub.events.map((event) => event.type)).toEqual(['pushed', 'pushed']);
});

test('shallow and partial clones, deepened and completed later', async () => {
  await using hub = await startHub();
  await hub.createRepository('team/it');
  const work = await createWork(hub, 5);
  await git(['push', '--quiet', hub.url('team/it.git', hub.token()), 'main'], { cwd: work });
  const shallow = join(hub.folder, 'shallow');
  await git(['clone', '--quiet', '--depth=1', hub.url('team/it.git'), shallow]);
  expect(await git(['rev-list', '--count', 'HEAD'], { cwd: shallow })).toBe('1');
  await git(['fetch', '--quiet', '--deepen=2'], { cwd: shallow });
  expect(await git(['rev-list', '--count', 'HEAD'], { cwd: shallow })).toBe('3');
  await git(['fetch', '--quiet', '--unshallow'], { cwd: shallow });
  expect(await git(['rev-list', '--count', 'HEAD'], { cwd: shallow })).toBe('5');
  const partial = join(hub.folder, 'partial');
  await git(['clone', '--quiet', '--filter=blob:none', '--no-checkout', hub.url('team/it.git'), partial]);
  const missing = () => git(['rev-list', '--objects', '--missing=print', 'HEAD'], { cwd: partial });
  expect((await missing()).match(/^\?/gm)).toHaveLength(5);
  await git(['checkout', '--quiet', 'main'], { cwd: partial });
  expect(readFileSync(join(partial, 'file-5'), 'utf8')).toBe('5\n'.repeat(500));
});

test('a large push flows through, with and without a question before it', async () => {
  await using hub = await startHub();
  const bare = await hub.createRepository('it');
  const work = await createWork(hub, 1);
  writeFileSync(join(work, 'large'), randomBytes(12 * 2 ** 20));
  await git(['add', '.'], { cwd: work });
  await git(['commit', '--quiet', '-m', 'large'], { cwd: work });
  const to = hub.url('it.git', hub.token());
  // More than http.postBuffer: git asks with an empty request first, then sends in chunks.
  await git(['push', '--quiet', to, 'main'], { cwd: work });
  expect(await git(['rev-parse', 'main'], { cwd: bare })).toBe(
    await git(['rev-parse', 'main'], { cwd: work }),
  );
  const expecting = ['-c', 'http.postBuffer=64m', '-c', 'http.extraHeader=Expect: 100-continue'];
  await git([...expecting, 'push', '--quiet', to, 'main:refs/heads/again'], { cwd: work });
  expect(await git(['rev-parse', 'again'], { cwd: bare })).toBe(
    await git(['rev-parse', 'main'], { cwd: work }),
  );
});

test('an empty repository is cloned, with its branch that is not born yet', async () => {
  await using hub = await startHub();
  await hub.createRepository('it', '--initial-branch=trunk');
  const clone = join(hub.folder, 'clone');
  await git(['clone', '--quiet', hub.url('it.git'), clone]);
  expect(await git(['symbolic-ref', 'HEAD'], { cwd: clone })).toBe('refs/heads/trunk');
});

test('a repository of SHA-256', async () => {
  await using hub = await startHub();
  await hub.createRepository('it', '--object-format=sha256');
  const work = join(hub.folder, 'work');
  await git(['init', '--quiet', '--object-format=sha256', '--initial-branch=main', work]);
  await git(['commit', '--quiet', '--allow-empty', '-m', 'one'], { cwd: work });
  await git(['push', '--quiet', hub.url('it.git', hub.token()), 'main'], { cwd: work });
  const clone = join(hub.folder, 'clone');
  await git(['clone', '--quiet', hub.url('it.git'), clone]);
  expect(await git(['rev-parse', 'HEAD'], { cwd: clone })).toMatch(/^[0-9a-f]{64}$/);
});

test('many refs on both sides: haves that git packs with gzip', async () => {
  await using hub = await startHub();
  const bare = await hub.createRepository('it');
  const work = await createWork(hub, 2);
  await git(['push', '--quiet', bare, 'main'], { cwd: work });
  const clone = join(hub.folder, 'clone');
  await git(['clone', '--quiet', hub.url('it.git'), clone]);
  const head = await git(['rev-parse', 'HEAD'], { cwd: work });
  const lines = Array.from({ length: 60 }, (_, n) => {
    const data = `commit refs/heads/b${n}\ncommitter A <a@b> ${1_700_000_000 + n} +0000\ndata 1\nx\n`;
    return `${data}from ${head}\n\n`;
  });
  await git(['fast-import', '--quiet'], { cwd: clone, input: lines.join('') });
  await git(['commit', '--quiet', '--allow-empty', '-m', 'new'], { cwd: work });
  await git(['push', '--quiet', bare, 'main'], { cwd: work });
  for (const version of [0, 2]) {
    await git(
      ['-c', `protocol.version=${version}`, 'fetch', '--quiet', 'origin', `main:refs/seen/${version}`],
      {
        cwd: clone,
      },
    );
    expect(await git(['rev-parse', `refs/seen/${version}`], { cwd: clone })).toBe(
      await git(['rev-parse', 'main'], { cwd: work }),
    );
  }
});

test('what git refuses, git says: a push that is no fast-forward, an object that is not there', async () => {
  await using hub = await startHub();
  const bare = await hub.createRepository('it');
  const work = await createWork(hub, 2);
  await git(['config', 'receive.denyNonFastForwards', 'true'], { cwd: bare });
  const to = hub.url('it.git', hub.token());
  await git(['push', '--quiet', to, 'main'], { cwd: work });
  await expect(git(['push', to, '+main~1:main'], { cwd: work })).rejects.toThrow(/non-fast-forward/);
  await expect(git(['fetch', to, '1234567890123456789012345678901234567890'], { cwd: work })).rejects.toThrow(
    /not our ref|upload-pack/,
  );
  const good = await git(['ls-remote', to, 'main'], { cwd: work });
  expect(good).toContain(await git(['rev-parse', 'main'], { cwd: work }));
});

test('a broken object is not taken', async () => {
  await using hub = await startHub();
  const bare = await hub.createRepository('it');
  const work = await createWork(hub, 1);
  const tree = await git(['rev-parse', 'HEAD^{tree}'], { cwd: work });
  const bad = await git(['hash-object', '-t', 'commit', '-w', '--literally', '--stdin'], {
    cwd: work,
    input: `tree ${tree}\nauthor nobody\ncommitter nobody\n\nbad\n`,
  });
  await expect(
    git(['push', hub.url('it.git', hub.token()), `${bad}:refs/heads/bad`], { cwd: work }),
  ).rejects.toThrow(/missingEmail|unpacker error|fsck/);
  expect(await git(['for-each-ref'], { cwd: bare })).toBe('');
  const left = readdirSync(join(bare, 'objects')).filter((name) => name.startsWith('tmp'));
  expect(left).toEqual([]);
});

test('a client without the smart protocol is told what it needs', async () => {
  await using hub = await startHub();
  await hub.createRepository('it');
  for (const path of ['it.git/info/refs', 'it.git/HEAD', 'it.git/objects/info/packs']) {
    const answer = await fetch(hub.url(path));
    expect({ path, status: answer.status, text: await answer.text() }).toEqual({
      path,
      status: 403,
      text: expect.stringContaining('smart protocol'),
    });
  }
  const clone = join(hub.folder, 'clone');
  const dumb = git(['clone', '--quiet', hub.url('it.git'), clone], { env: { GIT_SMART_HTTP: '0' } });
  await expect(dumb).rejects.toThrow(/403/);
  mkdirSync(join(hub.repos, 'none.git'));
  await expect(git(['ls-remote', hub.url('none.git')])).rejects.toThrow(/no such repository/);
  expect(existsSync(clone)).toBe(false);
});
