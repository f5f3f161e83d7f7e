import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import { formatReport, type LintOptions, runLint } from './lint.ts';

type Files = Readonly<Record<string, string>>;

/** Names that end in `*` are executable. */
function writeFiles(folder: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name.replace(/\*$/, ''));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    if (name.endsWith('*')) chmodSync(path, 0o755);
  }
}

function folderWith(files: Files): string {
  const folder = tempFolder('lint');
  onTestFinished(() => folder[Symbol.dispose]());
  writeFiles(folder.path, files);
  return folder.path;
}

function git(folder: string, ...args: string[]): void {
  execFileSync('git', ['-c', 'core.autocrlf=false', '-C', folder, ...args], { stdio: 'pipe' });
}

function checkoutWith(files: Files): string {
  const folder = folderWith(files);
  git(folder, 'init', '--quiet');
  git(folder, 'add', '--all');
  return folder;
}

async function lint(cwd: string, options: LintOptions = {}) {
  const lines: string[] = [];
  const out = {
    line: (text = '') => void lines.push(text),
    json: (value: unknown) => void lines.push(JSON.stringify(value)),
  };
  const exitCode = await runLint(options, { out, cwd });
  return { exitCode, lines };
}

const GOOD: Files = {
  'pullyu.yaml': 'actions:\n  shop: {run: apps/shop/deploy.sh, hosts: {part: app}}\n',
  'apps/shop/deploy.sh*': '#!/bin/sh\necho shop\n',
};

test('a good checkout has one line to say', async () => {
  const folder = checkoutWith(GOOD);
  expect(await lint(folder)).toEqual({ exitCode: 0, lines: [`${folder}: nothing is wrong`] });
});

test('below the root it is the checkout that is asked about', async () => {
  const folder = checkoutWith(GOOD);
  expect((await lint(join(folder, 'apps/shop'))).lines).toEqual([`${folder}: nothing is wrong`]);
});

test('a folder that git does not know is taken as it lies there', async () => {
  const folder = folderWith(GOOD);
  expect((await lint(folder)).lines).toEqual([`${folder}: nothing is wrong`]);
  const inner = join(checkoutWith({ 'README.md': '' }), 'examples/shop');
  writeFiles(inner, GOOD);
  expect((await lint('/', { folder: inner })).lines).toEqual([`${inner}: nothing is wrong`]);
});

test('what was not added to git is named', async () => {
  const folder = checkoutWith({ 'README.md': '' });
  writeFiles(folder, GOOD);
  const { exitCode, lines } = await lint(folder);
  expect(exitCode).toBe(1);
  expect(lines).toEqual([
    'pullyu.yaml:2:15: error: actions.shop.run: expected the script apps/shop/deploy.sh in the repository, found it only in this folder',
    '  hint: git add apps/shop/deploy.sh',
    'pullyu.yaml: warning: this file is not added to git',
    '  hint: git add pullyu.yaml',
    `${folder}: 1 error, 1 warning`,
  ]);
});

test('the bit that git has is the one that counts', async () => {
  const folder = checkoutWith(GOOD);
  git(folder, 'update-index', '--chmod=-x', 'apps/shop/deploy.sh');
  const { exitCode, lines } = await lint(folder);
  expect(exitCode).toBe(0);
  expect(lines).toEqual([
    'pullyu.yaml:2:15: warning: actions.shop.run: apps/shop/deploy.sh is not executable',
    '  hint: git update-index --chmod=+x apps/shop/deploy.sh',
    `${folder}: 1 warning`,
  ]);
  expect((await lint(folder, { strict: true })).exitCode).toBe(1);
});

test('every problem of pullyu.yaml has its place', async () => {
  const folder = checkoutWith({ 'pullyu.yaml': 'actions:\n  a: {runn: x.sh}\n  b: {run: ../x}\n' });
  const { exitCode, lines } = await lint(folder);
  expect(exitCode).toBe(1);
  expect(lines).toEqual([
    'pullyu.yaml:2:3: error: actions.a: expected the key "run", found none',
    'pullyu.yaml:2:7: error: actions.a: unknown key "runn"; did you mean "run"?',
    'pullyu.yaml:3:12: error: actions.b.run: expected a path inside the repository, found one with ".."',
    `${folder}: 3 errors`,
  ]);
});

test('a link in the place of pullyu.yaml is not followed', async () => {
  const folder = folderWith({});
  symlinkSync('/etc/passwd', join(folder, 'pullyu.yaml'));
  expect((await lint(folder)).lines[0]).toBe(
    'pullyu.yaml: error: expected a plain file, found something else',
  );
});

test('a host.yaml is checked beside it, and no secret of it is shown', async () => {
  const folder = checkoutWith(GOOD);
  writeFiles(folder, { 'host.yaml': 'repos:\n  it: {remotes: ["https://me:s3cret@host/it.git"]}\n' });
  const { exitCode, lines } = await lint(folder, { hostFile: 'host.yaml' });
  expect(exitCode).toBe(1);
  expect(lines[0]).toMatch(/^host\.yaml:2:18: error: repos\.it\.remotes\[0\]: expected a URL without user/);
  expect(lines.join('\n')).not.toContain('s3cret');
});

test('an action that none of the hosts would run is found', async () => {
  const folder = checkoutWith(GOOD);
  expect((await lint(folder, { host: ['part=app,deployment=prod', 'part=db'] })).lines).toHaveLength(1);
  expect((await lint(folder, { host: ['part=db'] })).lines[0]).toBe(
    'pullyu.yaml:2:43: warning: actions.shop.hosts: no known host has part=app',
  );
});

test('--json gives the findings', async () => {
  const folder = checkoutWith({ 'pullyu.yaml': 'actions: {}\n' });
  const { lines } = await lint(folder, { json: true });
  expect(JSON.parse(lines.join(''))).toEqual({
    folder,
    findings: [
      {
        severity: 'warning',
        file: 'pullyu.yaml',
        line: null,
        column: null,
        message: 'there are no actions in it: no host does anything',
        hint: null,
      },
    ],
  });
});

test('what is not there is a mistake of the command line', async () => {
  const folder = folderWith({});
  await expect(lint(folder, { folder: 'nothing' })).rejects.toMatchObject({ code: 'usage' });
  await expect(lint(folder, { hostFile: 'nothing' })).rejects.toMatchObject({ code: 'usage' });
  await expect(lint(folder, { convention: 'other' })).rejects.toMatchObject({ code: 'usage' });
  await expect(lint(folder, { host: ['part'] })).rejects.toMatchObject({ code: 'usage' });
});

test('a report counts errors and warnings', () => {
  const finding = { file: 'a', line: null, column: null, message: 'm', hint: null } as const;
  const report = formatReport(
    [
      { ...finding, severity: 'error' },
      { ...finding, severity: 'warning' },
      { ...finding, severity: 'note' },
    ],
    '/x',
  );
  expect(report.at(-1)).toBe('/x: 1 error, 1 warning');
});
