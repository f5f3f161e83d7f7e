/** `pullyu try`: a change is tested on this very host before it is pushed. */
import { appendFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { git } from '../support/git.ts';
import { createHost } from '../support/host.ts';
import { createRemote } from '../support/repo.ts';
import { said, sayRepository } from '../support/say.ts';
import { openTry, sayingHost, subjects, trying } from '../support/trying.ts';
import { until } from '../support/until.ts';

test('edit, run here, push: the host then applies what it has tried', async () => {
  using remote = await createRemote();
  await using host = await sayingHost(remote);
  const checkout = await openTry(host);
  expect(checkout).toBe(join(host.state, 'repos/it/try/checkout'));
  expect(await git(['-C', checkout, 'status', '--porcelain', '--branch'])).toBe(
    '## try/host-1-1...origin/main',
  );
  writeFileSync(join(checkout, 'text'), 'tried\n');
  const ran = await trying(host, 'run', 'say');
  expect(ran.code, ran.stderr).toBe(0);
  expect(said(host)).toEqual(['one', 'tried']);
  expect(await host.history()).toHaveLength(1);
  expect((await host.look()).stdout).toContain('nothing to do');

  const silent = await trying(host, 'push');
  expect(silent).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('hint: pullyu try push -m MESSAGE'),
  });
  const pushed = await trying(host, 'push', '-m', 'say tried');
  expect(pushed.code, pushed.stderr).toBe(0);
  expect(await subjects(remote)).toEqual(['say tried', 'say one']);
  expect((await host.look()).code).toBe(0);
  expect(said(host)).toEqual(['one', 'tried', 'tried']);
  expect((await host.history())[0]).toMatchObject({ reason: 'changed', outcome: 'ok' });

  const ended = await trying(host, 'end');
  expect(ended).toMatchObject({ code: 0, stdout: 'try/host-1-1 is gone\n' });
  expect(existsSync(checkout)).toBe(false);
  expect(await openTry(host)).toBe(checkout);
  expect((await trying(host, 'status')).stdout).toContain('try/host-1-2');
  await host.expectNoLeaks();
});

test('the end of a try that was not pushed is refused, unless forced; then the host goes back', async () => {
  using remote = await createRemote();
  await using host = await sayingHost(remote);
  const checkout = await openTry(host);
  writeFileSync(join(checkout, 'text'), 'tried\n');
  await trying(host, 'run', 'say');
  const refused = await trying(host, 'end');
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain('found 1 edited path that is nowhere else');
  const ended = await trying(host, 'end', '--force');
  expect(ended.stdout).toContain('it/say runs at the next look');
  expect((await host.look()).code).toBe(0);
  expect(said(host)).toEqual(['one', 'tried', 'one']);
  expect((await host.history())[0]).toMatchObject({ reason: 'redo', outcome: 'ok' });
  const none = await trying(host, 'run', 'say');
  expect(none).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('expected an open try, found none'),
  });
  expect((await trying(host, 'status')).stdout).toBe('no try is open\n');
  // A checkout that somebody removed is over too.
  const again = await openTry(host);
  rmSync(again, { recursive: true });
  expect((await trying(host, 'end')).code).toBe(2);
  expect(await openTry(host)).toBe(again);
});

test('its runs have the state of the action but a .temp of their own, and another user may enter', async () => {
  using remote = await createRemote();
  const script =
    '#!/bin/sh\nset -eu\necho "$PULLYU_REASON $PULLYU_ACTION" >> .temp/said\npwd > "$PULLYU_STATE_DIR/pwd"\n';
  await remote.publish({ scripts: { 'bin/work/common/work.sh': script } });
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  const checkout = await openTry(host);
  expect((await trying(host, 'run', 'work-common')).code).toBe(0);
  expect(host.read('var/lib/pullyu/repos/it/temp/said')).toBe('first work-common\n');
  expect(readFileSync(join(checkout, '.temp/said'), 'utf8')).toBe('manual work-common\n');
  expect(host.read('var/lib/pullyu/repos/it/state/work-common/pwd')).toBe(`${checkout}\n`);
  expect(await git(['-C', checkout, 'status', '--porcelain'])).toBe('');
  expect(statSync(checkout).mode & 0o777).toBe(0o755);
});

test('a daemon runs nothing while a try runs, and applies what was pushed at once', async () => {
  using remote = await createRemote();
  await using host = await sayingHost(remote, { interval: '1h' });
  await host.start();
  const checkout = await openTry(host, 'it');
  writeFileSync(join(checkout, 'text'), 'tried\n');
  expect((await trying(host, 'run', 'it/say')).code).toBe(0);
  expect((await trying(host, 'push', '-m', 'say tried')).code).toBe(0);
  await host.untilApplied(await git(['-C', remote.bare, 'rev-parse', 'main']));
  expect(said(host)).toEqual(['one', 'tried', 'tried']);
});

test('of several repos the one is named, and an unknown one is refused', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using host = createHost({ repos: { it: remote.bare, web: remote.bare } });
  await host.look();
  expect((await trying(host)).stderr).toContain('expected which of the repos it, web is meant');
  expect((await trying(host, 'nope')).stderr).toContain('expected one of the repos it, web, found "nope"');
  await openTry(host, 'web');
  // Where one is open, that one is meant.
  expect((await trying(host, 'run', 'say')).stderr).toContain('web/say in the try: ok');
  await openTry(host, 'it');
  expect((await trying(host, 'push')).stderr).toContain('hint: name it');
  expect((await trying(host, 'end', '--repo', 'web')).code).toBe(0);
});

test('two at once: the second one is told', async () => {
  using remote = await createRemote();
  await using host = await sayingHost(remote);
  const checkout = await openTry(host);
  writeFileSync(
    join(checkout, 'say.sh'),
    '#!/bin/sh\ntouch begun; while [ ! -e end ]; do sleep 0.05; done\n',
  );
  const first = trying(host, 'run', 'say');
  await until(() => existsSync(join(checkout, 'begun')), { what: 'the first to begin' });
  const second = await trying(host, 'end', '--force');
  expect(second).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('another pullyu try of it is at work'),
  });
  appendFileSync(join(checkout, 'end'), '');
  expect((await first).code).toBe(0);
});
