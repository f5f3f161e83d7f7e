/** `pullyu detect`: has anything changed? The three ways of the practice, for scripts that decide by themselves. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { git, gitEnvironment } from '../support/git.ts';
import { createHost, runProgram } from '../support/host.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { say, sayRepository } from '../support/say.ts';
import { tempFolder } from '../support/temp.ts';

const detect = (cwd: string, ...args: string[]) =>
  runProgram(['detect', ...args], { cwd, env: { ...gitEnvironment, NO_COLOR: '1' } });

/** Prints and exits 0; anything on standard error is a note. */
async function answer(cwd: string, ...args: string[]): Promise<string> {
  const ran = await detect(cwd, ...args);
  expect(ran.code, ran.stderr).toBe(0);
  return ran.stdout.trim();
}

async function cloneOf(remote: Remote, folder: string): Promise<string> {
  const clone = join(folder, 'clone');
  await git(['clone', '--quiet', remote.bare, clone]);
  return clone;
}

function acted(clone: string, commit: string, action?: string): void {
  mkdirSync(join(clone, '.temp/nodeinfo'), { recursive: true });
  const name = action === undefined ? 'lastaction.txt' : `lastaction.${action}.txt`;
  writeFileSync(join(clone, '.temp/nodeinfo', name), `${commit}\n`);
}

test('fetch: prints the commit of the remote when it is another one than HEAD, until it is merged', async () => {
  using remote = await createRemote();
  using folder = tempFolder('clone');
  await remote.publish({ files: { a: '1' } });
  const clone = await cloneOf(remote, folder.path);
  expect(await answer(clone, 'fetch')).toBe('');
  const two = await remote.publish({ files: { a: '2' } });
  expect(await answer(clone, 'fetch', '--no-fetch')).toBe('');
  mkdirSync(join(clone, 'sub'));
  expect(await answer(join(clone, 'sub'), 'fetch')).toBe(two);
  expect(await answer(clone, 'fetch', '--no-fetch')).toBe(two);
  await git(['merge', '--quiet', '--ff-only', 'origin/main'], { cwd: clone });
  expect(await answer(clone, 'fetch')).toBe('');
  // A redo is asked for by setting the branch back.
  await git(['reset', '--quiet', '--hard', 'HEAD~1'], { cwd: clone });
  expect(await answer(clone, 'fetch')).toBe(two);
});

test('fetch: without a branch to follow it says so, and --branch names one', async () => {
  using remote = await createRemote();
  using folder = tempFolder('clone');
  const head = await remote.publish({ files: { a: '1' } });
  const clone = await cloneOf(remote, folder.path);
  await git(['checkout', '--quiet', '--detach'], { cwd: clone });
  const two = await remote.publish({ files: { a: '2' } });
  const ran = await detect(clone, 'fetch');
  expect(ran).toMatchObject({ code: 2, stdout: '' });
  expect(ran.stderr).toMatch(/expected a branch in .*, found a commit without one\nhint: .*--branch/);
  expect(await answer(clone, 'fetch', '--branch', 'main')).toBe(two);
  await git(['reset', '--quiet', '--hard', 'origin/main'], { cwd: clone });
  expect(await answer(clone, 'fetch', '--branch', 'main')).toBe('');
  expect((await detect(clone, 'fetch', '--branch', 'nope')).stderr).toContain(
    'expected refs/remotes/origin/nope',
  );
  expect(head).not.toBe(two);
});

test('fetch: a remote that is gone is an error, never "nothing new"', async () => {
  using remote = await createRemote();
  using folder = tempFolder('clone');
  await remote.publish({ files: { a: '1' } });
  const clone = await cloneOf(remote, folder.path);
  await git(['remote', 'set-url', 'origin', join(folder.path, 'gone.git')], { cwd: clone });
  const ran = await detect(clone, 'fetch');
  expect(ran.code).not.toBe(0);
  expect(ran.stdout).toBe('');
  expect(ran.stderr).toContain('error: git could not fetch from origin');
});

test('last-action: prints HEAD until that commit is recorded, for the checkout and for each action', async () => {
  using remote = await createRemote();
  using folder = tempFolder('clone');
  const one = await remote.publish({ files: { a: '1' } });
  const clone = await cloneOf(remote, folder.path);
  expect(await answer(clone, 'last-action')).toBe(one);
  acted(clone, one);
  expect(await answer(clone, 'last-action')).toBe('');
  expect(await answer(clone, 'last-action', '--action', 'deploy')).toBe(one);
  acted(clone, one, 'deploy');
  expect(await answer(clone, 'last-action', '--action', 'deploy')).toBe('');
  acted(clone, 'torn by a crash');
  expect(await answer(clone, 'last-action')).toBe(one);
  const bad = await detect(clone, 'last-action', '--action', '../../etc/x');
  expect(bad).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('expected the name of an'),
  });
});

test('path: of the four cases only a changed path and "never acted" print, and always the commit', async () => {
  using remote = await createRemote();
  using folder = tempFolder('clone');
  const one = await remote.publish({ files: { 'app/a': '1', 'db/b': '1' } });
  const clone = await cloneOf(remote, folder.path);
  const pull = () => git(['pull', '--quiet', '--ff-only'], { cwd: clone });
  expect(await answer(clone, 'path', 'app')).toBe(one); // never acted
  acted(clone, one);
  expect(await answer(clone, 'path', 'app')).toBe(''); // same commit
  const two = await remote.publish({ files: { 'db/b': '2' } });
  await pull();
  expect(await answer(clone, 'path', 'app')).toBe(''); // another commit, same path
  expect(await answer(clone, 'path', 'db')).toBe(two); // another commit, changed path
  expect(await answer(clone, 'path', 'app', 'db')).toBe(two);
  expect(await answer(join(clone, 'db'), 'path', 'b')).toBe(two);
  expect(await answer(join(clone, 'db'), 'path', '../app')).toBe('');
  // A revert of the change: the path is again as it was acted upon.
  await remote.revert();
  await pull();
  expect(await answer(clone, 'path', 'db')).toBe('');
  // A path that is removed was changed.
  const gone = await remote.publish({ delete: ['db'] });
  await pull();
  expect(await answer(clone, 'path', 'db')).toBe(gone);
});

test('path: a commit that is not known any more counts as changed; a path that is nowhere is noted', async () => {
  using remote = await createRemote();
  using folder = tempFolder('clone');
  const one = await remote.publish({ files: { 'app/a': '1', '*': 'a star' } });
  const clone = await cloneOf(remote, folder.path);
  acted(clone, '0123456789'.repeat(4));
  expect(await answer(clone, 'path', 'app')).toBe(one);
  const typo = await detect(clone, 'path', 'appp');
  expect(typo).toMatchObject({ code: 0, stdout: '', stderr: 'note: the checked-out commit has no appp\n' });
  expect(await answer(clone, 'path', '*')).toBe(one);
  expect(await answer(clone, 'path', '.')).toBe(one);
  expect((await detect(clone, 'path', '/etc')).code).not.toBe(0);
});

test('outside a checkout every way is an error with a hint', async () => {
  using folder = tempFolder('none');
  for (const args of [['fetch'], ['last-action'], ['path', 'x']]) {
    const ran = await detect(folder.path, ...args);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toMatch(/expected a git checkout with a commit in .*\nhint: /);
  }
});

test('in a tree of the agent, fetch asks the remote as the agent does', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  const tree = join(host.state, 'repos/it/current');
  const asked = (...args: string[]) => host.run(['detect', ...args], { cwd: tree });
  expect(await asked('fetch')).toMatchObject({ code: 0, stdout: '' });
  expect(await asked('last-action')).toMatchObject({ code: 0, stdout: '' });
  const two = await remote.publish(say('two'));
  expect(await asked('fetch')).toMatchObject({ code: 0, stdout: `${two}\n` });
  expect(await asked('fetch', '--no-fetch')).toMatchObject({ code: 0, stdout: '' });
  await host.look();
  expect(await asked('fetch')).toMatchObject({ code: 0, stdout: '' });
  host.configure({ repos: { it: join(host.root, 'gone.git') } });
  expect(await asked('fetch')).toMatchObject({ code: 3, stdout: '' });
});
