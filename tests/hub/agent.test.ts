/** Real hosts on a hub: they follow a repository, publish their status with a token of their own, and keep its files few. */
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { git } from '../support/git.ts';
import { createHost } from '../support/host.ts';
import { startHub } from '../support/hub.ts';
import { until } from '../support/until.ts';

const SAY = '#!/bin/sh\ncat text >> "$PULLYU_STATE_DIR/said"\n';

test('a host follows a hub by tokens alone: what it reads, and what it publishes', async () => {
  await using hub = await startHub({ anonymousRead: false });
  await hub.createRepository('it');
  const status = await hub.createRepository('status');
  const work = join(hub.folder, 'work');
  await git(['init', '--quiet', '--initial-branch=main', work]);
  writeFileSync(join(work, 'say.sh'), SAY, { mode: 0o755 });
  writeFileSync(join(work, 'pullyu.yaml'), 'actions:\n  say: {run: say.sh, paths: [say.sh, text]}\n');
  const publish = async (text: string) => {
    writeFileSync(join(work, 'text'), `${text}\n`);
    await git(['add', '.'], { cwd: work });
    await git(['commit', '--quiet', '-m', text], { cwd: work });
    await git(['push', '--quiet', hub.url('it.git', write), 'main'], { cwd: work });
    return git(['rev-parse', 'HEAD'], { cwd: work });
  };
  const write = hub.token({ repos: ['it'] });
  const read = join(hub.folder, 'read.credentials');
  const own = join(hub.folder, 'status.credentials');
  writeFileSync(read, `${hub.token({ scope: 'read', repos: ['it'] })}\n`, { mode: 0o600 });
  writeFileSync(own, `${hub.token({ scope: 'status', repos: ['status'], host: 'web-1' })}\n`, {
    mode: 0o600,
  });
  await using host = createHost({
    name: 'web-1',
    repos: { it: { remotes: [hub.url('it.git')], credentials: read } },
    more: { status: { remote: hub.url('status.git'), credentials: own } },
  });
  await publish('one');
  const first = await host.look();
  expect(first.code, first.stderr).toBe(0);
  await host.start();
  await host.untilApplied(await publish('two'));
  await until(() => host.read('var/lib/pullyu/repos/it/state/say/said') === 'one\ntwo\n');
  await until(async () =>
    (await git(['for-each-ref', '--format=%(refname)'], { cwd: status })).includes('hosts/web-1'),
  );
  const refs = (await git(['for-each-ref', '--format=%(refname)'], { cwd: status })).split('\n');
  expect(refs).toEqual(['refs/heads/hosts/web-1', 'refs/heads/presence/web-1', 'refs/heads/roster']);
  expect(hub.events.filter(({ type }) => type === 'failed' || type === 'guessing')).toEqual([]);
});

test('many pushes do not become many files', async () => {
  await using hub = await startHub({ housekeeping: { everyMs: 20, looseMax: 10 } });
  const bare = await hub.createRepository('it');
  const work = join(hub.folder, 'work');
  await git(['init', '--quiet', '--initial-branch=main', work]);
  const to = hub.url('it.git', hub.token());
  const folders = () =>
    readdirSync(join(bare, 'objects')).filter((name) => /^[0-9a-f]{2}$/.test(name)).length;
  for (let n = 0; n < 3; n += 1) {
    for (let m = 0; m < 40; m += 1) writeFileSync(join(work, `file-${n}-${m}`), `${n} ${m}\n`);
    await git(['add', '.'], { cwd: work });
    await git(['commit', '--quiet', '-m', `${n}`], { cwd: work });
    await git(['push', '--quiet', to, 'main'], { cwd: work });
  }
  await until(() => folders() === 0, {
    what: 'the loose objects to be packed',
    found: () => [folders(), hub.events],
  });
  expect(await git(['ls-remote', hub.url('it.git'), 'main'])).toContain(
    await git(['rev-parse', 'main'], { cwd: work }),
  );
});

test('what a push left that died with an earlier hub is cleared away, and a push that is at work is not', async () => {
  await using hub = await startHub({ housekeeping: { everyMs: 20, looseMax: 1_000 } });
  const bare = await hub.createRepository('it');
  const [old, recent] = ['tmp_objdir-incoming-old', 'tmp_objdir-incoming-new'].map((name) =>
    join(bare, 'objects', name),
  );
  for (const folder of [old!, recent!]) mkdirSync(join(folder, 'pack'), { recursive: true });
  const yesterday = new Date(Date.now() - 86_400_000);
  utimesSync(old!, yesterday, yesterday);
  await git(['ls-remote', hub.url('it.git')]);
  await until(() => !existsSync(old!), { what: 'the old one to go' });
  expect(existsSync(recent!)).toBe(true);
});
