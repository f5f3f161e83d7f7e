/** Large files (git LFS) and submodules wherever a repo is checked out: in its tree, in a try, and where its own script pulls. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { git } from '../support/git.ts';
import { createHost, type TestHost } from '../support/host.ts';
import { needs, requireProgram } from '../support/needs.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { said, sayRepository } from '../support/say.ts';
import { openTry, trying } from '../support/trying.ts';

const hasLfs = spawnSync('git', ['lfs', 'version']).status === 0;
const lfsTest = needs(hasLfs ? [] : ['git-lfs']);
const POINTER = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n/;
/** Of the convention's action. */
const SAID = 'var/lib/pullyu/repos/it/state/work-common/said';
const ATTRIBUTES = 'text filter=lfs diff=lfs merge=lfs -text\n';

/** As somebody with git-lfs pushes: the remote has the pointer, and beside it the large file. */
async function publishLarge(remote: Remote, text: string) {
  for (const [key, value] of [
    ['filter.lfs.clean', 'git-lfs clean -- %f'],
    ['filter.lfs.smudge', 'git-lfs smudge -- %f'],
    ['filter.lfs.required', 'true'],
  ])
    await remote.git('config', key!, value!);
  const first = sayRepository(text);
  const commit = await remote.commit({ ...first, files: { ...first.files, '.gitattributes': ATTRIBUTES } });
  await remote.git('lfs', 'push', 'origin', 'main');
  await remote.push();
  expect(await inRemote(remote, 'text')).toMatch(POINTER);
  return commit;
}

const inRemote = (remote: Remote, path: string) => git(['-C', remote.bare, 'show', `main:${path}`]);

lfsTest('a try has the large files, and pushes those that it changed before their commit', async () => {
  using remote = await createRemote();
  await publishLarge(remote, 'large one');
  await using host = createHost({ repos: { it: { remotes: [remote.bare], track: 'main', lfs: true } } });
  const first = await host.look();
  expect(first, first.stdout + first.stderr).toMatchObject({ code: 0 });
  expect(said(host)).toEqual(['large one']);
  const checkout = await openTry(host);
  expect(readFileSync(join(checkout, 'text'), 'utf8')).toBe('large one\n');
  expect(await git(['-C', checkout, 'status', '--porcelain'])).toBe('');
  expect((await trying(host, 'status', '--json')).json()).toMatchObject({
    tries: [{ edited: 0, actions: [] }],
  });
  writeFileSync(join(checkout, 'text'), 'large two\n');
  const ran = await trying(host, 'run', 'say');
  expect(ran.code, ran.stderr).toBe(0);
  const pushed = await trying(host, 'push', '-m', 'say large two');
  expect(pushed.code, pushed.stderr).toBe(0);
  expect(await inRemote(remote, 'text')).toMatch(POINTER);
  const look = await host.look();
  expect(look, look.stdout + look.stderr).toMatchObject({ code: 0 });
  expect(said(host)).toEqual(['large one', 'large two', 'large two']);
  await host.expectNoLeaks();
});

const selfRepo = (remote: Remote, more: object) => ({
  it: { remotes: [remote.bare], track: 'main', pull: 'self', ...more },
});

lfsTest('a script that pulls by itself has the large files, at first and after its pull', async () => {
  using remote = await createRemote();
  const work = '#!/bin/sh\nset -eu\ngit pull --quiet\ncat text >> "$PULLYU_STATE_DIR/said"\n';
  await remote.commit({ scripts: { 'bin/work/common/work.sh': work } });
  await publishLarge(remote, 'one');
  await remote.publish({ delete: ['pullyu.yaml', 'say.sh'] });
  await using host = createHost({ repos: selfRepo(remote, { lfs: true }) });
  await look(host);
  expect(readFileSync(join(host.state, 'repos/it/self/text'), 'utf8')).toBe('one\n');
  await remote.commit({ files: { text: 'two\n' } });
  await remote.git('lfs', 'push', 'origin', 'main');
  await remote.push();
  await look(host);
  expect(host.read(SAID)).toBe('one\ntwo\n');
});

lfsTest('without git-lfs each of them says what is missing', async () => {
  using remote = await createRemote();
  await publishLarge(remote, 'one');
  for (const pull of ['agent', 'self']) {
    await using host = createHost({
      repos: { it: { remotes: [remote.bare], track: 'main', lfs: true, pull } },
    });
    const bin = join(host.root, 'home/bin');
    mkdirSync(bin, { recursive: true });
    const script = `#!/bin/sh\ncase " $* " in *" lfs version "*) exit 1;; esac\nexec ${requireProgram('git')} "$@"\n`;
    writeFileSync(join(bin, 'git'), script, { mode: 0o755 });
    expect((await host.look({ env: { PATH: `${bin}:${host.env.PATH}` } })).code).not.toBe(0);
    expect((await host.status()).repos[0]?.trouble).toMatchObject({
      code: 'git-missing',
      message: expect.stringContaining('git-lfs'),
    });
    await look(host);
  }
});

async function look(host: TestHost): Promise<void> {
  const ran = await host.look();
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
}

/** The remote has a submodule `part` at the newest commit of `part`. */
async function pinPart(remote: Remote, part: Remote) {
  const oid = await part.head();
  await remote.git('update-index', '--add', '--cacheinfo', `160000,${oid},part`);
  await remote.git('commit', '--quiet', '-m', `part at ${oid}`);
  await remote.push();
}

async function createBoth() {
  const remote = await createRemote();
  const part = await createRemote('part');
  await part.publish({ files: { text: 'part one\n' } });
  await remote.commit({
    files: { '.gitmodules': `[submodule "part"]\n\tpath = part\n\turl = ${part.bare}\n` },
  });
  return {
    remote,
    part,
    [Symbol.dispose]() {
      remote[Symbol.dispose]();
      part[Symbol.dispose]();
    },
  };
}

test('a try has the submodules, and what it pushes keeps them', async () => {
  using both = await createBoth();
  const { remote, part } = both;
  await remote.commit(sayRepository('one'));
  await pinPart(remote, part);
  await using host = createHost({
    repos: { it: { remotes: [remote.bare], track: 'main', submodules: true } },
  });
  await look(host);
  const checkout = await openTry(host);
  expect(readFileSync(join(checkout, 'part/text'), 'utf8')).toBe('part one\n');
  expect(await git(['-C', checkout, 'status', '--porcelain'])).toBe('');
  writeFileSync(join(checkout, 'text'), 'tried\n');
  expect((await trying(host, 'run', 'say')).code).toBe(0);
  // Meanwhile somebody else pins a newer part: the try goes on top of that.
  await part.publish({ files: { text: 'part two\n' } });
  await pinPart(remote, part);
  const pushed = await trying(host, 'push', '-m', 'say tried');
  expect(pushed.code, pushed.stderr).toBe(0);
  expect(await git(['-C', remote.bare, 'rev-parse', 'main:part'])).toBe(await part.head());
  await look(host);
  expect(said(host).at(-1)).toBe('tried');
  expect(readFileSync(join(host.state, 'repos/it/current/part/text'), 'utf8')).toBe('part two\n');
  expect((await trying(host, 'end')).code).toBe(0);
});

test('a script that pulls by itself has the submodules, at first and after its pull', async () => {
  using both = await createBoth();
  const { remote, part } = both;
  const pull = 'git -c protocol.file.allow=always pull --quiet';
  const work = `#!/bin/sh\nset -eu\n${pull}\ncat part/text >> "$PULLYU_STATE_DIR/said"\n`;
  await remote.commit({ scripts: { 'bin/work/common/work.sh': work } });
  await pinPart(remote, part);
  await using host = createHost({ repos: selfRepo(remote, { submodules: true }) });
  await look(host);
  await part.publish({ files: { text: 'part two\n' } });
  await pinPart(remote, part);
  await look(host);
  expect(host.read(SAID)).toBe('part one\npart two\n');
});
