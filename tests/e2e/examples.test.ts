/** examples/, pushed as they are to a bare repository and run by a host below a temporary root: their effect is looked at. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { actionState, bootstrapExample, namesIn, writeBelow } from '../support/example.ts';
import { needsProgram } from '../support/needs.ts';
import { until } from '../support/until.ts';

const DAY_MS = 86_400_000;

test('backup: packs the data, rotates, and copies elsewhere as soon as that is there', async () => {
  await using example = await bootstrapExample('backup', {
    labels: { part: 'db' },
    files: { 'srv/db/table': 'one\n' },
  });
  const { remote, host } = example;
  // The other place is not mounted yet: that is no reason to give up, and none to lose the backup.
  expect(example.bootstrapped.stdout).toContain('expected');
  const [archive] = namesIn(host, 'srv/backups');
  expect(archive).toMatch(/^db-\d{8}T\d{6}Z\.tar\.gz$/);
  expect(await actionState(host, 'backup')).toBe('ok');
  expect(await actionState(host, 'offload')).toBe('failed');

  mkdirSync(join(host.root, 'mnt/elsewhere'), { recursive: true });
  await host.run(['redo', 'offload']);
  expect((await host.look()).code).toBe(0);
  expect(namesIn(host, 'mnt/elsewhere')).toEqual([archive]);

  // Older ones, and a smaller number to keep.
  for (const day of ['01', '02', '03'])
    writeBelow(host.root, `srv/backups/db-202001${day}T000000Z.tar.gz`, 'old');
  writeBelow(host.root, 'srv/db/table', 'two\n');
  const settings = readFileSync(join(remote.work, 'db/settings.sh'), 'utf8');
  await remote.publish({ files: { 'db/settings.sh': settings.replace('keep=7', 'keep=2') } });
  expect((await host.look()).code).toBe(0);
  const kept = namesIn(host, 'srv/backups');
  expect(kept).toHaveLength(2);
  const restored = join(host.root, 'restored');
  mkdirSync(restored);
  const { execFileSync } = await import('node:child_process');
  execFileSync('tar', ['-C', restored, '-xzf', join(host.root, 'srv/backups', kept[1]!)]);
  expect(readFileSync(join(restored, 'table'), 'utf8')).toBe('two\n');

  // A schedule that comes every second.
  const yaml = readFileSync(join(remote.work, 'pullyu.yaml'), 'utf8');
  await remote.publish({ files: { 'pullyu.yaml': yaml.replace('"17 3 * * *"', '"* * * * * *"') } });
  await until(
    async () => {
      await host.look();
      return (await host.history()).some((run) => run.action === 'backup' && run.reason === 'schedule');
    },
    { what: 'a run at its scheduled time' },
  );
  expect(namesIn(host, 'srv/backups')).toHaveLength(2);
});

test('backup: missing data parks it for a human, and removes nothing', async () => {
  await using example = await bootstrapExample('backup', {
    labels: { part: 'db' },
    files: { 'srv/backups/db-20200101T000000Z.tar.gz': 'the last good one' },
  });
  expect(example.bootstrapped.code).toBe(1);
  expect(await actionState(example.host, 'backup')).toBe('parked');
  expect((await example.host.status()).host.state).toBe('wedged');
  expect(namesIn(example.host, 'srv/backups')).toEqual(['db-20200101T000000Z.tar.gz']);
});

test('log-offload: old logs move, large ones are emptied, and otherwise nothing is done', async () => {
  await using example = await bootstrapExample('log-offload', { files: { 'var/log/shop/new.log': 'new\n' } });
  const { host } = example;
  const logs = join(host.root, 'var/log/shop');
  const archive = 'srv/log-archive/host-1';
  expect(example.bootstrapped.code, example.bootstrapped.stdout).toBe(0);
  expect(namesIn(host, archive)).toEqual([]);

  writeBelow(host.root, 'var/log/shop/2020/old.log', 'old\n');
  const longAgo = new Date(Date.now() - 30 * DAY_MS);
  utimesSync(join(logs, '2020/old.log'), longAgo, longAgo);
  writeFileSync(join(logs, 'large.log'), Buffer.alloc(11 * 1024 * 1024, 'x'));
  writeBelow(host.root, `${archive}/ancient.gz`, 'ancient');
  const ages = new Date(Date.now() - 400 * DAY_MS);
  utimesSync(join(host.root, archive, 'ancient.gz'), ages, ages);
  expect((await host.look()).code).toBe(0);

  const stored = namesIn(host, archive);
  expect(stored).toEqual([
    expect.stringMatching(/^2020_old\.log-\d{8}T\d{6}Z\.gz$/),
    expect.stringMatching(/^large\.log-\d{8}T\d{6}Z\.gz$/),
  ]);
  expect(gunzipSync(readFileSync(join(host.root, archive, stored[0]!))).toString()).toBe('old\n');
  expect(readdirSync(logs).sort()).toEqual(['2020', 'large.log', 'new.log']);
  expect(existsSync(join(logs, '2020/old.log'))).toBe(false);
  expect(readFileSync(join(logs, 'large.log'), 'utf8')).toBe('');
  expect(readFileSync(join(logs, 'new.log'), 'utf8')).toBe('new\n');

  expect((await host.look()).code).toBe(0);
  expect(namesIn(host, archive)).toEqual(stored);
});

/** Stand-ins for dpkg and apt: what is installed is a file each below PULLYU_ROOT/installed. */
const DPKG_QUERY = `#!/bin/sh
for package; do :; done
[ -f "$PULLYU_ROOT/installed/$package" ] && printf installed
`;
const APT_GET = `#!/bin/sh
echo "apt-get $*" >> "$PULLYU_ROOT/apt.log"
case " $* " in
  *" update "*) touch "$PULLYU_ROOT/updated"; exit 0 ;;
esac
for word; do
  case $word in
    sqlite3) [ -f "$PULLYU_ROOT/updated" ] || { echo "E: Unable to locate package $word" >&2; exit 100; } ;;
  esac
done
take=
for word; do
  [ "$take" ] && case $word in -*) ;; *) touch "$PULLYU_ROOT/installed/$word" ;; esac
  [ "$word" = install ] && take=1
done
exit 0
`;

test('packages: each part gets its packages, once', async () => {
  await using example = await bootstrapExample('packages', {
    labels: { part: 'db' },
    files: { 'installed/git': '' },
    prepare: async (remote) => {
      const yaml = readFileSync(join(remote.work, 'pullyu.yaml'), 'utf8');
      await remote.commit({
        scripts: { 'stand-ins/dpkg-query': DPKG_QUERY, 'stand-ins/apt-get': APT_GET },
        files: { 'pullyu.yaml': `${yaml}    env: {PATH: "${remote.work}/stand-ins:/usr/bin:/bin"}\n` },
      });
    },
  });
  const { remote, host } = example;
  expect(example.bootstrapped.code, example.bootstrapped.stdout).toBe(0);
  expect(namesIn(host, 'installed')).toEqual(['ca-certificates', 'git', 'sqlite3']);
  // Known at once or only after an update: both were tried, in that order, and nothing that was there was asked for.
  expect(host.read('apt.log')!.match(/update|install .*/g)).toEqual([
    'install --yes --no-install-recommends ca-certificates sqlite3',
    'update',
    'install --yes --no-install-recommends ca-certificates sqlite3',
  ]);

  rmSync(join(host.root, 'apt.log'));
  await remote.publish({ files: { 'packages/common.txt': 'git\nca-certificates\ntmux # for the night\n' } });
  expect((await host.look()).code).toBe(0);
  expect(namesIn(host, 'installed')).toContain('tmux');
  expect(host.read('apt.log')).toMatch(/install .* tmux\n$/);

  rmSync(join(host.root, 'apt.log'));
  await host.run(['redo', 'packages']);
  expect((await host.look()).code).toBe(0);
  expect(host.read('apt.log')).toBeNull();
});

needsProgram('dpkg-query')('packages: asks the real dpkg what is installed', async () => {
  await using example = await bootstrapExample('packages', {
    prepare: (remote) => remote.commit({ files: { 'packages/common.txt': 'dpkg\ntar\n' } }),
  });
  expect(example.bootstrapped.code, example.bootstrapped.stdout).toBe(0);
  expect((await example.host.run(['logs', 'packages'])).stdout).toContain(
    'all packages are installed: dpkg tar',
  );
});
