/** `pullyu try push`: only what worked, on top of what others pushed, or for review. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { git } from '../support/git.ts';
import { createHost } from '../support/host.ts';
import { createRemote } from '../support/repo.ts';
import { say, sayRepository } from '../support/say.ts';
import { openTry, sayingHost, subjects, trying } from '../support/trying.ts';

test('a push waits until what changed was tried as it is now and worked, or is forced', async () => {
  using remote = await createRemote();
  await using host = await sayingHost(remote);
  const checkout = await openTry(host);
  const push = (...args: string[]) => trying(host, 'push', '-m', 'x', ...args);
  const objection = async () => (await push()).stderr.split('\n')[0];
  expect(await objection()).toContain('expected something to push');
  writeFileSync(join(checkout, 'text'), 'two\n');
  expect(await objection()).toMatch(/: say was changed and never tried$/);
  writeFileSync(join(checkout, 'say.sh'), '#!/bin/sh\nexit 7\n');
  const failed = await trying(host, 'run', 'say');
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain('it/say in the try: failed, exit code 7');
  expect(await objection()).toMatch(/: the last try of say failed with exit code 7$/);
  writeFileSync(join(checkout, 'say.sh'), '#!/bin/sh\nexit 0\n');
  expect(await objection()).toMatch(/: say was changed since its last try$/);
  const status = await host.run(['try', 'status', '--json']);
  expect(status.json()).toMatchObject({
    tries: [
      {
        repo: 'it',
        path: checkout,
        branch: 'try/host-1-1',
        follows: 'main',
        edited: 2,
        ahead: 0,
        actions: [{ name: 'say', state: 'edited', outcome: 'failed', exitCode: 7 }],
        objections: ['say was changed since its last try'],
      },
    ],
  });
  expect((await trying(host, 'run', 'say')).code).toBe(0);
  // What no action depends on need not be tried.
  writeFileSync(join(checkout, 'README'), 'hello\n');
  expect((await push()).code).toBe(0);
  writeFileSync(join(checkout, 'text'), 'three\n');
  expect((await push()).code).toBe(4);
  expect((await push('--force')).code).toBe(0);
  expect(await subjects(remote)).toEqual(['x', 'x', 'say one']);
});

test('what others pushed meanwhile comes first; when it touches what was tried, it is tried again', async () => {
  using remote = await createRemote();
  await using host = await sayingHost(remote);
  const checkout = await openTry(host);
  writeFileSync(join(checkout, 'text'), 'mine\n');
  expect((await trying(host, 'run', 'say')).code).toBe(0);
  await remote.publish({ files: { unrelated: 'x' }, message: 'theirs' });
  const pushed = await trying(host, 'push', '-m', 'mine');
  expect(pushed.code, pushed.stderr).toBe(0);
  expect(pushed.stdout).toMatch(/main had moved from \w{7} to \w{7}; the try is on top of it now\npushed/);
  expect(await subjects(remote)).toEqual(['mine', 'theirs', 'say one']);

  await remote.git('pull', '--quiet', 'origin', 'main');
  writeFileSync(join(checkout, 'text'), 'mine again\n');
  expect((await trying(host, 'run', 'say')).code).toBe(0);
  const script = `${readFileSync(join(remote.work, 'say.sh'), 'utf8')}\n# theirs\n`;
  const theirs = await remote.publish({ scripts: { 'say.sh': script }, message: 'their script' });
  const refused = await trying(host, 'push', '-m', 'mine again');
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain(
    `now that the try is on top of ${theirs.slice(0, 7)}: say was changed since its last try`,
  );
  expect((await trying(host, 'run', 'say')).code).toBe(0);
  expect((await trying(host, 'push')).code).toBe(0);
  expect((await subjects(remote)).slice(0, 2)).toEqual(['mine again', 'their script']);
});

test('a conflict leaves the try as it was, and it can be pushed for review', async () => {
  using remote = await createRemote();
  await using host = await sayingHost(remote);
  const checkout = await openTry(host);
  writeFileSync(join(checkout, 'text'), 'mine\n');
  await trying(host, 'run', 'say');
  await remote.publish(say('theirs'));
  const conflict = await trying(host, 'push', '-m', 'mine');
  expect(conflict.code).toBe(1);
  expect(conflict.stderr).toMatch(/does not go on top of main by itself[\s\S]*hint: .*--branch NAME/);
  expect(await git(['-C', checkout, 'status', '--porcelain'])).toBe('');
  expect(readFileSync(join(checkout, 'text'), 'utf8')).toBe('mine\n');
  expect((await trying(host, 'push', '--branch', 'review/mine')).code).toBe(0);
  expect(await subjects(remote, 'review/mine')).toEqual(['mine', 'say one']);
  expect(await subjects(remote)).toEqual(['say theirs', 'say one']);
  for (const name of ['-x', 'a..b', 'a b', 'x.lock', 'a/.b', 'a@{1}'])
    expect((await trying(host, 'push', `--branch=${name}`)).stderr).toContain(
      'expected the name of a branch',
    );
});

test('a repo that tracks a tag is tried too, and pushed for review only', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await remote.tag('v1', { push: true });
  await using host = createHost({ repos: { it: { remotes: [remote.bare], track: 'refs/tags/v1' } } });
  await host.look();
  const checkout = await openTry(host);
  writeFileSync(join(checkout, 'text'), 'tried\n');
  expect((await trying(host, 'run', 'say')).code).toBe(0);
  const push = await trying(host, 'push', '-m', 'x');
  expect(push).toMatchObject({ code: 2, stderr: expect.stringContaining('that it tracks none') });
  expect((await trying(host, 'push', '-m', 'x', '--branch', 'review')).code).toBe(0);
  expect(await subjects(remote, 'review')).toEqual(['x', 'say one']);
});
