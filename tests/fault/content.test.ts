/** What a commit may hold, some of it hostile: PAINS section 3. Nothing of it may stop the next fetch. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GitServer, startGitServer } from '../../src/demo/git-server.ts';
import { git } from '../support/git.ts';
import { createHost, type RunJson, type TestHost } from '../support/host.ts';
import { needsRoot } from '../support/needs.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { commitOfTree, currentTree } from '../support/tree.ts';

let remote: Remote;
let server: GitServer;
let host: TestHost;
/** Made by whatever of a commit is executed without having been asked for. */
let trap: string;

beforeAll(async () => {
  remote = await createRemote();
  lastGood = await remote.publish(sayRepository('one'));
  server = await startGitServer({ folder: remote.folder });
  host = createHost({ repos: { it: server.url(remote.path) } });
  trap = join(host.root, 'trap');
  // What the user of the agent has configured for himself is none of the agent's business.
  writeFileSync(
    join(host.env.HOME!, '.gitconfig'),
    [
      '[filter "evil"]',
      `\tsmudge = touch ${trap}; cat`,
      `\tclean = touch ${trap}; cat`,
      '\trequired = true',
      '[core]',
      `\thooksPath = ${join(host.root, 'hooks')}`,
      `\tfsmonitor = touch ${trap}`,
      '\tautocrlf = true',
      '[protocol]',
      '\tallow = always',
      '',
    ].join('\n'),
  );
  mkdirSync(join(host.root, 'hooks'));
  for (const hook of ['post-checkout', 'reference-transaction', 'post-index-change', 'post-merge'])
    writeFileSync(join(host.root, 'hooks', hook), `#!/bin/sh\ntouch ${trap}\n`, { mode: 0o755 });
  expect((await host.look()).code).toBe(0);
});

afterAll(async () => {
  await host?.close();
  await server?.close();
  remote?.[Symbol.dispose]();
});

let serial = 0;

/** A good commit on top of whatever is there is applied by one look, once. */
async function expectNextGood(): Promise<void> {
  const text = `good ${++serial}`;
  await remote.git('reset', '--quiet', '--hard', lastGood);
  // A descendant of what the remote has, with the files of the last good commit.
  const base = await git(['-C', remote.bare, 'rev-parse', 'main']);
  await remote.git('fetch', '--quiet', 'origin');
  await remote.git('reset', '--quiet', '--soft', base);
  const before = said(host);
  const commit = await remote.publish(say(text));
  lastGood = commit;
  const ran = await host.look();
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
  expect((await host.status()).repos[0]).toMatchObject({ applied: commit, trouble: null });
  expect(said(host)).toEqual([...before, text]);
  expect(existsSync(trap)).toBe(false);
  await host.expectNoLeaks();
}

let lastGood: string;

interface Entry {
  readonly mode?: string;
  /** Of a blob, or a tree's object id with mode 040000, or a commit's with 160000. */
  readonly content?: string;
  readonly oid?: string;
  readonly name: string | Buffer;
}

/** Pushes a commit whose tree has an entry that git's own commands would not let in. @returns its id. */
async function pushEntries(entries: readonly Entry[]): Promise<string> {
  const inBare = (args: string[], input?: string | Buffer) =>
    git(['-C', remote.bare, ...args], input === undefined ? {} : { input });
  const lines: Buffer[] = [];
  for (const { mode = '100644', content = 'x', oid, name } of entries) {
    const id = oid ?? (await inBare(['hash-object', '-w', '--stdin'], content));
    const type = mode === '040000' ? 'tree' : mode === '160000' ? 'commit' : 'blob';
    lines.push(Buffer.from(`${mode} ${type} ${id}\t`), Buffer.from(name), Buffer.from([0]));
  }
  const tip = await inBare(['rev-parse', 'main']);
  const replaced = entries.map(({ name }) => String(name));
  const kept = (await inBare(['ls-tree', '-z', `${lastGood}^{tree}`]))
    .split('\0')
    .filter((line) => line !== '' && !replaced.includes(line.slice(line.indexOf('\t') + 1)))
    .map((line) => `${line}\0`)
    .join('');
  const tree = await inBare(['mktree', '-z', '--missing'], Buffer.concat([Buffer.from(kept), ...lines]));
  const commit = await inBare(['commit-tree', tree, '-p', tip, '-m', 'hostile']);
  await inBare(['update-ref', 'refs/heads/main', commit]);
  return commit;
}

/** `a/a/a/...` with a file at its end. */
async function deepTree(names: readonly string[]): Promise<string> {
  const blob = await git(['-C', remote.bare, 'hash-object', '-w', '--stdin'], { input: 'deep\n' });
  let line = `100644 blob ${blob}\tfile`;
  let tree = '';
  for (const name of ['', ...names]) {
    tree = await git(['-C', remote.bare, 'mktree'], { input: `${line}\n` });
    line = `040000 tree ${tree}\t${name}`;
    if (name === '') line = `040000 tree ${tree}\td`;
  }
  return tree;
}

const link = (name: string, content: string): Entry[] => [{ mode: '120000', name, content }];
const file = (name: string | Buffer): Entry[] => [{ name }];
const inFolder =
  (name: string, inner: string): (() => Promise<Entry[]>) =>
  async () => {
    const blob = await git(['-C', remote.bare, 'hash-object', '-w', '--stdin'], { input: 'x' });
    const oid = await git(['-C', remote.bare, 'mktree', '-z'], { input: `100644 blob ${blob}\t${inner}\0` });
    return [{ mode: '040000', name, oid }];
  };

describe('a commit is refused by name when it has', () => {
  type Make = Entry[] | (() => Promise<Entry[]>);
  const HOSTILE: readonly (readonly [what: string, make: Make, message: RegExp])[] = [
    ['a link to an absolute path', link('shadow', '/etc/shadow'), /"shadow".*absolute/],
    ['a link to the root folder', link('dir', '/'), /"dir".*absolute/],
    ['a link out of the tree', link('up', '../../../host-id'), /"up".*leaves the tree/],
    ['a link that turns around inside another', link('turn', 'sub/../../x'), /"turn".*"\.\."/],
    ['a link into .git', link('config', '.git/config'), /"config".*\.git/],
    ['a link to nothing', link('nothing', ''), /"nothing".*nothing/],
    ['a link with a very long target', link('long', 'x'.repeat(5_000)), /"long".*very long/],
    ['a submodule', [{ mode: '160000', name: 'sub', oid: '1'.repeat(40) }], /"sub".*submodule/],
    ['.git itself', inFolder('.git', 'config'), /"\.git\/config".*"\.git"/],
    ['.GIT', file('.GIT'), /\.GIT/],
    ['.git with a trailing dot', file('.git.'), /\.git\./],
    ['.git with a zero-width character', file('.g\u200cit'), /u\{200c\}|\.g.*it/],
    ["the short name of NTFS for '.git'", file('git~1'), /git~1/],
    ['a stream of .git', file('.git::$INDEX_ALLOCATION'), /INDEX_ALLOCATION/],
    ['.git behind a backslash', file('a\\.git'), /\.git/],
    ['a line end in a name', file('a\nb'), /a\\x0ab.*control/],
    ['an escape sequence in a name', file('\u001b[2Jcleared'), /x1b.*control/],
    ['.gitmodules that is a link', link('.gitmodules', 'text'), /"\.gitmodules"/],
    ['.temp that is a file', file('.temp'), /"\.temp"/],
    ['a name that no file system takes', file('n'.repeat(256)), /255 bytes/],
  ];

  for (const [what, make, message] of HOSTILE)
    test(what, async () => {
      const before = said(host);
      const tree = currentTree(host);
      const commit = await pushEntries(typeof make === 'function' ? await make() : make);
      const ran = await host.look();
      expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 4 });
      const repo = (await host.status()).repos[0]!;
      expect(repo).toMatchObject({ seen: commit, trouble: { code: 'hostile-tree' } });
      expect(repo.trouble?.message).toMatch(message);
      // What it says of the name can be printed.
      expect(ran.stdout + repo.trouble?.message).not.toMatch(/[^\P{Cc}\n]|\u200c/u);
      expect(currentTree(host)).toBe(tree);
      expect(said(host)).toEqual(before);
    });

  test('and the next good commit is applied', expectNextGood);
});

test('a path that is deeper than any path may be is refused, and the fix is fetched', async () => {
  const oid = await deepTree(Array.from({ length: 120 }, () => 'a-folder-with-a-name-of-thirty-bytes'));
  await pushEntries([{ mode: '040000', name: 'deep', oid }]);
  expect((await host.look()).code).toBe(4);
  expect((await host.status()).repos[0]?.trouble?.message).toMatch(/3500 bytes/);
  await expectNextGood();
});

test('names that are only unusual are files like any other', async () => {
  const names = [
    Buffer.from('-rf'),
    Buffer.from('--help'),
    Buffer.from(' space at both ends '),
    Buffer.from('tab-less $(touch trap) `touch trap` "quoted" \'single\' *?[a]'),
    Buffer.from([0x6c, 0x61, 0x74, 0x69, 0x6e, 0xe9, 0xff]),
    Buffer.from('m'.repeat(255)),
    Buffer.from('A'),
    Buffer.from('a'),
    Buffer.from('caf\u00e9'),
    Buffer.from('cafe\u0301'),
    Buffer.from('con'),
  ];
  const deep = await deepTree(Array.from({ length: 150 }, (_, i) => `d${i}`));
  await pushEntries([
    ...names.map((name) => ({ name, content: 'unusual' })),
    { mode: '040000', name: 'very', oid: deep },
    { mode: '120000', name: 'inside', content: 'text' },
    { mode: '120000', name: 'dangling', content: 'not-there' },
  ]);
  const ran = await host.look();
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
  const found = readdirSync(Buffer.from(currentTree(host)!), { encoding: 'buffer' });
  for (const name of names)
    expect(
      found.some((one) => one.equals(name)),
      String(name),
    ).toBe(true);
  expect(readFileSync(join(currentTree(host)!, 'inside'), 'utf8')).toContain('good');
  await host.expectNoLeaks();
  await expectNextGood();
});

needsRoot('mount', 'umount')(
  'where the file system takes two names for one, a commit that has both is refused by name',
  async () => {
    // As a folding file system looks: the folder has a second name.
    const clone = join(host.state, 'repos/it/clone.git');
    const other = join(host.state, 'repos/it/CLONE.GIT');
    mkdirSync(other);
    execFileSync('mount', ['--bind', clone, other]);
    try {
      await pushEntries([{ name: 'README' }, { name: 'readme' }]);
      const ran = await host.look();
      expect(ran.code, ran.stdout + ran.stderr).toBe(4);
      const { trouble } = (await host.status()).repos[0]!;
      expect(trouble).toMatchObject({
        code: 'hostile-tree',
        message: expect.stringMatching(/takes for "README"/),
      });
      await expectNextGood();
    } finally {
      execFileSync('umount', [other]);
      rmdirSync(other);
    }
  },
);

test('attributes, filters, pointers and settings of the user change no byte of a file', async () => {
  const attributes =
    '* filter=evil text eol=crlf ident export-subst\n*.txt working-tree-encoding=UTF-16\nlfs filter=lfs diff=lfs merge=lfs -text\n';
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d'.repeat(32)}\nsize 12345\n`;
  const commit = await pushEntries([
    { name: '.gitattributes', content: attributes },
    { name: 'subst.txt', content: '$Id$\n$Format:%H$\nplain\n' },
    { name: 'crlf.txt', content: 'one\r\ntwo\r\n' },
    { name: 'lfs', content: pointer },
    { name: '.lfsconfig', content: '[lfs]\n\turl = http://127.0.0.1:9/\n' },
    { name: 'text', content: 'filtered\n' },
  ]);
  const ran = await host.look();
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
  expect(await commitOfTree(host, remote.bare, [commit])).toBe(commit);
  expect(said(host).at(-1)).toBe('filtered');
  expect(existsSync(trap)).toBe(false);
  await expectNextGood();
});

test('submodules that are asked for may not lead where no remote may', async () => {
  const head = await remote.head();
  for (const [url, message] of [
    [`file://${remote.bare}`, /file/],
    ['-upload-pack=trap', /option/],
    [`ext::sh -c touch% ${trap}`, /./],
    ['http://user:secret@127.0.0.1:9/x.git', /credential|user|password/i],
  ] as const) {
    await using other = createHost({
      repos: { it: { remotes: [server.url(remote.path)], submodules: true } },
    });
    await remote.git('reset', '--quiet', '--hard', head);
    await pushEntries([
      { mode: '160000', name: 'sub', oid: head },
      { name: '.gitmodules', content: `[submodule "sub"]\n\tpath = sub\n\turl = ${url}\n` },
    ]);
    const ran = await other.look();
    expect(ran.code, ran.stdout + ran.stderr).toBe(4);
    const { trouble } = (await other.status()).repos[0]!;
    expect(trouble).toMatchObject({ code: 'hostile-tree' });
    expect(trouble?.message).toMatch(message);
    expect(JSON.stringify(trouble)).not.toContain('secret');
    expect(existsSync(trap)).toBe(false);
  }
  lastGood = head;
  await expectNextGood();
});

describe('a script with', () => {
  const GOOD = '#!/bin/sh\necho ran\n';
  const SCRIPTS: Readonly<
    Record<string, readonly [content: string | null, executable: boolean, note: RegExp | null]>
  > = {
    crlf: ['#!/bin/sh\r\necho ran\r\n', true, /CRLF in the shebang line/],
    bom: ['\ufeff#!/bin/sh\necho ran\n', true, /byte order mark/],
    interpreter: [
      '#!/opt/nowhere/python9\n',
      true,
      /interpreter .* not on this host: \/opt\/nowhere\/python9/,
    ],
    env: ['#!/usr/bin/env python99\n', true, /python99/],
    missing: [null, true, /expected the script/],
    'no-x-bit': [GOOD, false, null],
    'no-shebang': ['echo ran\n', true, /./],
  };

  test('a flaw is refused with its name, the others run, and the fix is run', async () => {
    const actions = Object.keys(SCRIPTS).map((name) => `  ${name}: {run: s/${name}.sh}\n`);
    const files = Object.entries(SCRIPTS).filter(([, [content]]) => content !== null);
    const before = await remote.publish({
      files: {
        'pullyu.yaml': `actions:\n  say: {run: say.sh, paths: [say.sh, text]}\n${actions.join('')}`,
        ...Object.fromEntries(files.map(([name, [content]]) => [`s/${name}.sh`, content!])),
        's/readme': 'x',
        text: 'flaws\n',
      },
      executable: files.filter(([, [, executable]]) => executable).map(([name]) => `s/${name}.sh`),
    });
    const ran = await host.look();
    expect(ran.code, ran.stdout + ran.stderr).toBe(1);
    expect(said(host).at(-1)).toBe('flaws');
    const runs = (await host.history()).filter(({ commit }) => commit === before);
    for (const [name, [, , note]] of Object.entries(SCRIPTS)) {
      const run = runs.find(({ action }) => action === name) as (RunJson & { note?: string }) | undefined;
      expect(run, name).toBeDefined();
      if (note === null) expect(run).toMatchObject({ action: name, outcome: 'ok' });
      else if (run?.outcome !== 'ok')
        expect({ name, said: run?.note }).toMatchObject({ said: expect.stringMatching(note) });
    }
    lastGood = await remote.publish({
      scripts: Object.fromEntries(Object.keys(SCRIPTS).map((name) => [`s/${name}.sh`, GOOD])),
      files: { text: 'mended\n' },
    });
    const mended = await host.look();
    expect(mended, mended.stdout + mended.stderr).toMatchObject({ code: 0 });
    const { actions: all } = await host.status();
    expect(all.every(({ state }) => state === 'ok')).toBe(true);
  });
});

describe('a pullyu.yaml that is', () => {
  const BROKEN: Readonly<Record<string, string | Uint8Array>> = {
    'no YAML': 'actions:\n  say: {run: [\n',
    'of another shape': '- actions\n',
    'with an unknown key': 'actions:\n  say:\n    rum: say.sh\n',
    'of bytes': new Uint8Array([0, 1, 2, 255, 254]),
    'a bomb of aliases': `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
      .split('')
      .map((n, i) => `${n}: &${n} [${Array(9).fill(`*${'abcdefghi'[i]}`).join(',')}]`)
      .join('\n')}\nactions: {say: {run: say.sh}}\n`,
    'very large': `actions:\n${Array.from({ length: 40_000 }, (_, i) => `  a${i}: {run: say.sh}\n`).join('')}#${'x'.repeat(4_000_000)}\n`,
  };
  for (const [what, content] of Object.entries(BROKEN))
    test(`${what} is a visible trouble, and the fix is fetched`, async () => {
      const before = said(host);
      await remote.publish({ files: { 'pullyu.yaml': content, text: 'never\n' } });
      const ran = await host.look();
      expect([2, 4], ran.stdout + ran.stderr).toContain(ran.code);
      const { trouble } = (await host.status()).repos[0]!;
      expect(trouble).toMatchObject({ code: expect.stringMatching(/^(?:config|limit)$/) });
      expect(trouble?.message).toContain('pullyu.yaml');
      expect(said(host)).toEqual(before);
      // What was valid before stays in force.
      expect((await host.run(['redo', 'say'])).code).toBe(0);
      await host.look();
      expect(said(host)).toEqual([...before, before.at(-1)]);
      await expectNextGood();
    });
});

test('a host that no action selects does nothing, and its commit counts as applied', async () => {
  const commit = await remote.publish({
    files: { 'pullyu.yaml': 'actions:\n  say: {run: say.sh, hosts: {part: db}}\n', text: 'for others\n' },
  });
  await using other = createHost({ labels: { part: 'app' }, repos: { it: server.url(remote.path) } });
  const ran = await other.look();
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
  const status = await other.status();
  expect(status.repos[0]).toMatchObject({ applied: commit, trouble: null });
  expect(status.actions).toMatchObject([{ name: 'say', state: 'not-selected', lastRun: null }]);
});
