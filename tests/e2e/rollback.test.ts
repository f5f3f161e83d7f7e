/** `pullyu rollback`: a bad push is taken back by a commit that is pushed, and the host applies the old content. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { git } from '../support/git.ts';
import { needsProgram } from '../support/needs.ts';
import { startNginx } from '../support/nginx.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { sayRepository } from '../support/say.ts';
import { openTry, sayingHost, subjects } from '../support/trying.ts';

const said = (state: string) => readFileSync(join(state, 'repos/it/state/say/said'), 'utf8').trim();

const treeOf = (remote: Remote, commit: string) => git(['-C', remote.bare, 'rev-parse', `${commit}^{tree}`]);

const show = (remote: Remote, what: string) => git(['-C', remote.bare, 'show', what]);

test('a bad push is reverted, pushed, and every host takes it as any other commit', async () => {
  using remote = await createRemote();
  await using host = await sayingHost(remote);
  const bad = await remote.publish({ ...sayRepository('two'), message: 'say two' });
  await remote.publish({ files: { unrelated: 'x' }, message: 'unrelated' });
  expect((await host.look()).code).toBe(0);

  const dry = await host.run(['rollback', '--dry-run']);
  expect(dry.code, dry.stderr).toBe(0);
  expect(dry.stdout).toContain(`it: reverts ${bad.slice(0, 7)} say two`);
  expect(dry.stdout).toContain('say: runs, its content differs from that of its last success');
  expect(dry.stdout).toContain('nothing was pushed: a dry run');
  expect(await subjects(remote)).toEqual(['unrelated', 'say two', 'say one']);
  expect(existsSync(join(host.state, 'repos/it/try/checkout'))).toBe(false);

  const done = await host.run(['rollback', '--json']);
  expect(done.code, done.stderr).toBe(0);
  expect(done.json()).toMatchObject({
    repo: 'it',
    branch: 'main',
    reverted: [{ commit: bad, subject: 'say two' }],
    steps: [{ action: 'say', due: true }],
    pushed: await git(['-C', remote.bare, 'rev-parse', 'main']),
  });
  expect(await subjects(remote)).toEqual(['Revert "say two"', 'unrelated', 'say two', 'say one']);
  expect(await show(remote, 'main:text')).toBe('one');
  expect((await host.look()).code).toBe(0);
  const { repos } = await host.status();
  expect(repos[0]!.applied).toBe(await git(['-C', remote.bare, 'rev-parse', 'main']));

  // Again: the revert is not reverted, and before it nothing stands but the first commit.
  const again = await host.run(['rollback']);
  expect(again.code).toBe(2);
  expect(again.stderr).toContain('error: nothing to revert');
});

test('--to takes back everything after a commit, merges as well; --branch leaves it for review', async () => {
  using remote = await createRemote();
  await using host = await sayingHost(remote);
  const first = await remote.head();
  await remote.branch('side');
  await remote.commit({ files: { side: 'x' }, message: 'on the side' });
  await remote.branch('main');
  await remote.publish({ ...sayRepository('two'), message: 'say two' });
  await remote.git('merge', '--quiet', '--no-edit', '-m', 'merge side', 'side');
  await remote.push();
  const ran = await host.run(['rollback', 'it', '--to', first.slice(0, 7), '--branch', 'review/back']);
  expect(ran.code, ran.stderr).toBe(0);
  expect((await subjects(remote, 'review/back')).slice(0, 2)).toEqual([
    'Revert "say two"',
    'Revert "merge side"',
  ]);
  expect(await treeOf(remote, 'review/back')).toBe(await treeOf(remote, first));
  expect((await subjects(remote))[0]).toBe('merge side');
  const none = await host.run(['rollback', '--to', await remote.head()]);
  expect(none.stderr).toContain('nothing to revert: main is at');
  expect(none.code).toBe(2);
});

test('what later commits changed too is left to the person, in the checkout', async () => {
  using remote = await createRemote();
  await using host = await sayingHost(remote);
  const bad = await remote.publish({ files: { 'say.sh': '#!/bin/sh\nexit 0\n' }, message: 'bad' });
  await remote.publish({
    files: { 'say.sh': '#!/bin/sh\n# no action of its own\nexit 0\n' },
    message: 'x',
  });
  await remote.publish({
    files: { other: 'x' },
    message: `x\n\nThis reverts commit ${await remote.head()}.`,
  });
  const ran = await host.run(['rollback']);
  expect(ran.code).toBe(1);
  const checkout = join(host.state, 'repos/it/try/checkout');
  expect(ran.stderr).toContain(`error: ${bad.slice(0, 7)} cannot be reverted by itself`);
  expect(ran.stderr).toContain(`hint: mend the files in ${checkout}`);
  expect(await git(['status', '--porcelain'], { cwd: checkout })).toMatch(/^(UU|AA|UD|DU) say\.sh/m);
  // An open checkout with work in it is nothing that a rollback may take.
  expect((await host.run(['rollback'])).stderr).toContain('expected no work in the open try of it');
});

test('an open try without work is used, and is there afterwards', async () => {
  using remote = await createRemote();
  await using host = await sayingHost(remote);
  const checkout = await openTry(host);
  await remote.publish({ ...sayRepository('two'), message: 'say two' });
  expect((await host.run(['rollback'])).code).toBe(0);
  expect((await subjects(remote))[0]).toBe('Revert "say two"');
  expect(existsSync(checkout)).toBe(true);
  writeFileSync(join(checkout, 'text'), 'mine\n');
  expect((await host.run(['rollback'])).code).toBe(4);
});

needsProgram('nginx')('with a key that may only read it says what to type elsewhere', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await git(['-C', remote.bare, 'config', 'http.receivepack', 'false']);
  await using server = await startNginx({ folder: remote.folder });
  await using host = await sayingHost(remote, { repos: { it: server.url(remote.path) } });
  const bad = await remote.publish({ ...sayRepository('two'), message: 'say two' });
  const ran = await host.run(['rollback']);
  expect(ran.code).toBe(4);
  expect(ran.stderr).toContain(
    `git switch main && git pull && git revert --no-edit ${bad} && git push origin HEAD:main`,
  );
  expect(existsSync(join(host.state, 'repos/it/try/checkout'))).toBe(false);
  expect(said(host.state)).toBe('one');
});
