/** The pages of docs/ and of the root against the world: links lead somewhere, what they tell to do works. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseCredentials } from '../src/git/credentials.ts';
import { parseRemoteUrl } from '../src/git/remote-url.ts';
import { renderUnit } from '../src/heartbeat/systemd.ts';
import { exec } from '../src/system/exec.ts';
import { createHost, program } from './support/host.ts';
import { codesIn, readPage, rowsOf, sectionOf } from './support/markdown.ts';
import { createRemote } from './support/repo.ts';
import { said, say, sayRepository } from './support/say.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const PAGES = ['.', 'docs', 'docs/decisions'].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(root, folder, name)),
);

/** As GitHub makes it of a heading. */
function anchorOf(heading: string): string {
  return heading
    .replace(/`/g, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

function anchorsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8').replace(/```[\s\S]*?```/g, '');
  return [...text.matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1]!));
}

test('every link of every page leads to a file and a heading that are there', () => {
  const broken: string[] = [];
  for (const page of PAGES) {
    const text = readFileSync(page, 'utf8')
      .replace(/```[\s\S]*?```/g, '')
      .replace(/`[^`\n]*`/g, '');
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : resolve(dirname(page), path);
      const good = existsSync(file) && (anchor === undefined || anchorsOf(file).includes(anchor));
      if (!good) broken.push(`${relative(root, page)}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});

test('the index of the documentation names every page', () => {
  const index = readPage('README.md');
  const missing = PAGES.map((page) => relative(join(root, 'docs'), page))
    .filter((name) => !name.startsWith('..') && name !== 'README.md')
    .filter((name) => !index.includes(`](${name}`));
  expect(missing).toEqual([]);
});

test('the systemd unit points to the page for operators', () => {
  const unit = renderUnit(
    {
      name: 'pullyu',
      unitFile: '/etc/systemd/system/pullyu.service',
      userUnit: false,
      cronFile: null,
      script: '/etc/pullyu/heartbeat.sh',
      startScript: '/etc/pullyu/start.sh',
      log: '/var/lib/pullyu/heartbeat.log',
      environmentFile: '/etc/pullyu/environment',
      registered: true,
    },
    {
      launcher: { node: process.execPath, bin: join(root, 'bin/pullyu') },
      root: null,
      state: '/var/lib/pullyu',
      intervalMs: 60_000,
      restartSeconds: 5,
    },
  );
  const [, link = ''] = /^Documentation=(.*)$/m.exec(unit) ?? [];
  expect(fileURLToPath(link.replaceAll('%%', '%'))).toBe(join(root, 'docs/operating.md'));
  expect(existsSync(join(root, 'docs/operating.md'))).toBe(true);
});

test('the formats of a credentials file that operating.md shows are read', () => {
  const url = parseRemoteUrl('https://git.example.com/team/it.git');
  if (!url.ok) throw new Error(url.trouble.message);
  const blocks = [...sectionOf(readPage('operating.md'), 'Credentials').matchAll(/```\n([\s\S]*?)```/g)].map(
    (match) => match[1]!,
  );
  expect(blocks.map((text) => parseCredentials(text, url.value))).toEqual([
    { credential: { username: 'user', password: 'other' } },
    { credential: { username: 'deploy', password: 'secret' } },
    { credential: { username: 'git', password: 'a-single-token' } },
  ]);
});

test('what operating.md says may be deleted is made anew, and nothing runs because of it', async () => {
  using remote = await createRemote();
  await using host = createHost({ interval: '1h', repos: { it: remote.url } });
  await remote.publish(sayRepository('once'));
  expect((await host.look()).code).toBe(0);
  const rows = rowsOf(sectionOf(readPage('operating.md'), 'Files on the host'), 'file').filter(
    (cells) => cells.length === 3,
  );
  const deletable = rows.flatMap(([file, , may]) => (may === 'yes' ? [codesIn(file!)[0]!] : []));
  expect(deletable.length).toBeGreaterThan(8);
  // Those of a repo one by one, the rest together: a look has its price.
  const ofRepo = deletable.filter((file) => file.startsWith('repos/'));
  for (const files of [...ofRepo.map((file) => [file]), deletable.filter((file) => !ofRepo.includes(file))]) {
    for (const file of files) rmSync(join(host.state, file), { recursive: true, force: true });
    expect({ files, code: (await host.look()).code }).toEqual({ files, code: 0 });
    expect({ files, said: said(host) }).toEqual({ files, said: ['once'] });
  }
  for (const file of deletable) rmSync(join(host.state, file), { recursive: true, force: true });
  await remote.publish(say('twice'));
  expect((await host.look()).code).toBe(0);
  expect(said(host)).toEqual(['once', 'twice']);
  const named = rows.map(([file]) => codesIn(file!)[0]!);
  const known = new Set([...named, 'repos', ...ofRepo]);
  const there = [
    ...readdirSync(host.state),
    ...readdirSync(join(host.state, 'repos/it')).map((name) => `repos/it/${name}`),
  ];
  const unknown = there.filter((name) => !known.has(name));
  expect(unknown).toEqual([]);
});

test('the check for monitoring tells a host that is well from one that is not', async () => {
  using remote = await createRemote();
  await using host = createHost({ interval: '1h', repos: { it: remote.url } });
  const [, script = ''] =
    /```sh\n([\s\S]*?)```/.exec(sectionOf(readPage('operating.md'), 'Monitoring')) ?? [];
  const check = async () => {
    const text = script.replace('pullyu status', `${program} --root ${host.root} status`);
    const result = await exec(['/bin/sh', '-c', text], { env: { ...host.env }, timeoutMs: 60_000 });
    return { code: result.exitCode, said: result.stdout.toString() };
  };
  await remote.publish(sayRepository('one'));
  await host.look();
  expect(await check()).toEqual({ code: 0, said: 'well\n' });
  await remote.publish({ scripts: { 'say.sh': '#!/bin/sh\nexit 78\n' } });
  await host.look();
  writeFileSync(join(remote.bare, 'HEAD'), 'nonsense\n');
  await host.look();
  const sick = await check();
  expect(sick.code).toBe(1);
  expect(sick.said).toContain('needs a human\n');
  expect(sick.said).toMatch(/^it: [a-z-]+ since /m);
  expect(sick.said).toContain('it/say parked\n');
});

test('a damaged journal stops everything, and goes on where the hint cuts it', async () => {
  using remote = await createRemote();
  await using host = createHost({ interval: '1h', repos: { it: remote.url } });
  await remote.publish(sayRepository('one'));
  await host.look();
  await remote.publish(say('two'));
  await host.look();
  const journal = join(host.state, 'journal.log');
  const lines = readFileSync(journal, 'utf8').split('\n');
  const at = lines.findIndex((line, n) => n > 2 && line.includes('"type":"finished"'));
  lines[at] = lines[at]!.replace('"ok"', '"OK"');
  writeFileSync(journal, lines.join('\n'));
  await remote.publish(say('three'));
  const { code, stderr } = await host.look();
  expect({ code, said: said(host) }).toEqual({ code: 4, said: ['one', 'two'] });
  const [, way = ''] = /: (cp .* truncate -s \d+ \S+);/.exec(stderr) ?? [];
  const cut = await exec(['/bin/sh', '-ec', way], { env: { ...host.env }, timeoutMs: 10_000 });
  expect({ way, exitCode: cut.exitCode }).toMatchObject({
    way: expect.stringContaining(journal),
    exitCode: 0,
  });
  expect((await host.look()).code).toBe(0);
  expect(said(host)).toEqual(['one', 'two', 'three']);
});
