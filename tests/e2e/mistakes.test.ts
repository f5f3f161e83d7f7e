/** What a tired person gets wrong at the prompt: each is told as what was typed, with what to do, and leaves nothing behind. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createHost, runProgram } from '../support/host.ts';
import { createRemote } from '../support/repo.ts';
import { tempFolder } from '../support/temp.ts';

const env = { PATH: process.env.PATH ?? '', HOME: '/nonexistent', NO_COLOR: '1' };

test.each([
  [
    'a URL without its scheme',
    ['bootstrap', 'git.example.com/it.git'],
    3,
    /as in https:\/\/git\.example\.com\/it\.git/,
  ],
  [
    'a scheme that is misspelt',
    ['bootstrap', 'htps://git.example.com/it.git'],
    2,
    /^error: expected an http, https/,
  ],
  [
    'a password in the URL',
    ['bootstrap', 'https://me:s3cret@git.example.com/it.git'],
    2,
    /^error: expected a URL without user and password/,
  ],
  [
    'an interval without a unit',
    ['bootstrap', '/tmp', '--interval', '5'],
    2,
    /--interval, found "5"\nhint: such as/,
  ],
  ['--root after the command', ['status', '--root', '/tmp'], 2, /hint: --root DIR stands before the command/],
  ['a label without its value', ['bootstrap', '/', '--label', 'part'], 2, /expected key=value, found "part"/],
  [
    'a folder for a machine that cannot see it',
    ['cloud-init', './it'],
    2,
    /expected a URL that the new machine can reach/,
  ],
  ['a command that is misspelt', ['bootsrap', '/'], 2, /Did you mean bootstrap\?/],
  ['an option that a command has not', ['try', 'push', '--now'], 2, /\nhint: pullyu try push --help\n$/],
] as const)('%s is told', async (_, args, code, says) => {
  using folder = tempFolder('mistake');
  const root = join(folder.path, 'host');
  const ran = await runProgram(['--root', root, ...args], { cwd: folder.path, env });
  expect(ran.code, ran.stderr).toBe(code);
  expect(ran.stderr).toMatch(says);
  expect(ran.stderr).not.toMatch(/s3cret|host\.yaml:\d/);
  expect(existsSync(root)).toBe(false);
});

test('a root that is no folder, or where the kernel makes none, is told at once', async () => {
  using remote = await createRemote();
  await remote.publish({ files: { a: '1' } });
  using folder = tempFolder('mistake');
  const file = join(folder.path, 'file');
  writeFileSync(file, '');
  for (const root of [file, '/proc/pullyu']) {
    const ran = await runProgram(['--root', root, 'bootstrap', remote.bare, '--heartbeat', 'none'], {
      env,
      timeoutMs: 20_000,
    });
    expect(ran.code, ran.stderr).toBe(2);
    expect(ran.stderr).toMatch(/^error: expected a place where .*\nhint: look at --root DIR/);
  }
});

test('a label with a typing error, and a nodeinfo folder that is not there, are noticed at bootstrap', async () => {
  using remote = await createRemote();
  await using host = createHost();
  await remote.publish({
    files: { 'pullyu.yaml': 'actions: {shop: {run: [true], hosts: {part: app}, paths: [shop]}}\n' },
  });
  const bootstrap = ['bootstrap', remote.bare, '--heartbeat', 'none'];
  const typo = await host.run([...bootstrap, '--label', 'prat=app', '--nodeinfo', '/does/not/exist']);
  expect(typo.code, typo.stderr).toBe(0);
  expect(typo.stdout).toContain('none of its actions is for this host (prat=app)');
  expect(typo.stdout).toContain('/does/not/exist is not there');
  const right = await host.run([...bootstrap, '--label', 'part=app']);
  expect(right.stdout).toContain('all work is done');
});

test('a correction that is wrong too is told by the next look, and by the doctor', async () => {
  using remote = await createRemote();
  await using host = createHost({ repos: { it: remote.bare } });
  await remote.publish({ files: { 'pullyu.yaml': 'actions: {}\n' } });
  await host.look();
  for (const key of ['one', 'two']) {
    await remote.publish({ files: { 'pullyu.yaml': `${key}: 1\n` } });
    expect((await host.look()).stdout).toContain(`unknown key "${key}"`);
  }
  expect((await host.look()).stdout).not.toContain('unknown key');
  expect((await host.run(['doctor'])).stdout).toMatch(
    /^fail +last look at it +.*unknown key "two".* \(config\)/m,
  );
});

test('a host.yaml that became wrong is told by the first line of status, whatever else is well', async () => {
  using remote = await createRemote();
  await using host = createHost({ repos: { it: remote.bare } });
  await remote.publish({ files: { 'pullyu.yaml': 'actions: {}\n' } });
  expect((await host.look()).code).toBe(0);
  writeFileSync(host.hostFile, 'intervall: 5s\n');
  expect((await host.look()).code).toBe(2);
  expect((await host.run(['status'])).stdout).toMatch(/^.* is working, its host\.yaml is not valid \(/);
});

test('logs of a run that was refused say why, not that they are gone', async () => {
  using remote = await createRemote();
  await using host = createHost({ repos: { it: remote.bare } });
  await remote.publish({
    files: { 'pullyu.yaml': 'actions: {shop: {run: shop/deploi.sh}}\n', 'shop/a': '' },
  });
  await host.look();
  const logs = await host.run(['logs', 'shop']);
  expect(logs.code).toBe(1);
  expect(logs.stderr).toMatch(/was refused before it began: .*shop\/deploi\.sh/);
});

test('a pause that holds work back is told by look and by plan, not passed over as "all is well"', async () => {
  using remote = await createRemote();
  await using host = createHost({ repos: { it: remote.bare } });
  const yaml = 'actions: {shop: {run: [true], paths: [shop]}}\n';
  await remote.publish({ files: { 'pullyu.yaml': yaml, 'shop/a': '1' } });
  await host.look();
  await host.run(['pause', '--for', '1h', '--reason', 'disk swap']);
  await remote.publish({ files: { 'shop/a': '2' } });
  const held = /shop: is paused until .* \(disk swap\); without the pause it runs/;
  const look = await host.look();
  expect(look.stdout).toMatch(held);
  expect(look.stdout).toMatch(/looked: paused/);
  expect((await host.run(['plan'])).stdout).toMatch(held);
});

test('of many actions those that fail are shown first, and none of them is left out', async () => {
  using remote = await createRemote();
  await using host = createHost({ repos: { it: remote.bare } });
  const names = Array.from({ length: 45 }, (_, n) => `a${n}`);
  const lines = names.map((name) => `  ${name}: {run: ["true"], paths: [${name}]}\n`);
  const broken = '  broken: {run: ["false"], paths: [broken]}\n';
  await remote.publish({ files: { 'pullyu.yaml': `actions:\n${lines.join('')}${broken}` } });
  await host.look();
  const status = await host.run(['status']);
  expect(status.stdout).toContain('1 action fails');
  expect(status.stdout.split('\n').find((line) => line.includes(' it/'))).toMatch(/^failed +it\/broken /);
  expect(status.stdout).toContain('6 more: pullyu status --all');
});

test('an action that is gone, one that never ran and a typing error are told apart', async () => {
  using remote = await createRemote();
  await using host = createHost({ repos: { it: remote.bare } });
  const nightly = 'nightly: {run: ["true"], on: [{schedule: "17 3 * * *"}]}';
  const shop = 'shop: {run: ["true"], paths: [shop]}';
  await remote.publish({ files: { 'pullyu.yaml': `actions: {${shop}, ${nightly}}\n`, 'shop/a': '' } });
  await host.look();
  expect((await host.run(['logs', 'nightly'])).stderr).toContain('expected an action that ran on this host');
  expect((await host.run(['why', 'shpo'])).stderr).toContain('did you mean shop?');
  await remote.publish({ files: { 'pullyu.yaml': `actions: {${nightly}}\n` } });
  await host.look();
  expect((await host.run(['why', 'shop'])).stderr).toMatch(
    /does not have any more\nhint: .*pullyu history shop/,
  );
  expect((await host.run(['history', 'shop'])).stdout).toContain('it/shop');
});
