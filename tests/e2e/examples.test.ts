/** examples/, pushed as they are to a bare repository and run by a host below a temporary root: their effect is looked at. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { bootstrapExample, namesIn, pushExample, writeBelow } from '../support/example.ts';
import { git } from '../support/git.ts';
import type { TestHost } from '../support/host.ts';
import { needsProgram } from '../support/needs.ts';
import { until } from '../support/until.ts';

const DAY_MS = 86_400_000;

async function actionState(host: TestHost, name: string): Promise<string | undefined> {
  return (await host.status()).actions.find((action) => action.name === name)?.state;
}

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

  // Older ones, a smaller number to keep, and a schedule that comes every second.
  for (const day of ['01', '02', '03'])
    writeBelow(host.root, `srv/backups/db-202001${day}T000000Z.tar.gz`, 'old');
  writeBelow(host.root, 'srv/db/table', 'two\n');
  const settings = readFileSync(join(remote.work, 'db/settings.sh'), 'utf8');
  const yaml = readFileSync(join(remote.work, 'pullyu.yaml'), 'utf8');
  await remote.publish({
    files: {
      'db/settings.sh': settings.replace('keep=7', 'keep=2'),
      'pullyu.yaml': yaml.replace('"17 3 * * *"', '"* * * * * *"'),
    },
  });
  expect((await host.look()).code).toBe(0);
  const kept = namesIn(host, 'srv/backups');
  expect(kept).toHaveLength(2);
  const restored = join(host.root, 'restored');
  mkdirSync(restored);
  const { execFileSync } = await import('node:child_process');
  execFileSync('tar', ['-C', restored, '-xzf', join(host.root, 'srv/backups', kept[1]!)]);
  expect(readFileSync(join(restored, 'table'), 'utf8')).toBe('two\n');

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

test('fetch-repo: a site that one repository pins, and a preview that follows the other', async () => {
  const application = await pushExample('fetch-repo/application');
  await application.tag('v1');
  try {
    await using example = await bootstrapExample('fetch-repo/it', {
      labels: { part: 'app', application: application.url },
    });
    const { remote, host } = example;
    const site = (folder = 'current') => host.read(`srv/application/${folder}/index.html`);
    expect(example.bootstrapped.code, example.bootstrapped.stdout).toBe(0);
    expect(site()).toBe('<h1>The first version</h1>\n');

    const second = await application.publish({ files: { 'index.html': 'second\n' } });
    await application.tag('v2');
    expect((await host.look()).code).toBe(0);
    expect(site()).toBe('<h1>The first version</h1>\n');
    await remote.publish({ files: { 'application/version': 'v2\n' } });
    expect((await host.look()).code).toBe(0);
    expect(site()).toBe('second\n');
    expect(readlinkSync(join(host.root, 'srv/application/current'))).toBe(`releases/${second}`);
    expect((await host.history()).slice(0, 2).map((run) => run.action)).toEqual(['site', 'source']);

    const more = ['bootstrap', application.url, '--name', 'application', '--heartbeat', 'none'];
    expect((await host.run(more)).code).toBe(0);
    expect(site('preview')).toBe('second\n');
    await application.publish({ files: { 'index.html': 'third\n' } });
    expect((await host.look()).code).toBe(0);
    expect([site(), site('preview')]).toEqual(['second\n', 'third\n']);

    // A version that is not there: the site waits for it and stays what it is.
    await remote.publish({ files: { 'application/version': 'v9\n' } });
    const failed = await host.look();
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain('expected the version v9');
    expect(await actionState(host, 'site')).toBe('waiting');
    expect(site()).toBe('second\n');
    await remote.revert();
    expect((await host.look()).code).toBe(0);
    expect(site()).toBe('second\n');
  } finally {
    application[Symbol.dispose]();
  }
});

test('migrations: a host that was away runs every commit that it missed, once, in order', async () => {
  await using example = await bootstrapExample('migrations');
  const { remote, host } = example;
  const table = () => host.read('srv/shop/products.csv');
  expect(example.bootstrapped.code, example.bootstrapped.stdout).toBe(0);
  expect(table()).toBe('name,price\nTea,0\nBread,0\n');

  const add = (number: string, line: string) =>
    remote.publish({ files: { [`db/migrations/${number}.sh`]: `${line}\n` }, message: number });
  const third = await add('003', 'echo "Milk,1" >> "$table"');
  await remote.publish({ files: { 'README.md': 'no migration\n' } });
  const fourth = await add('004', 'sed -i \'s/Milk,1/Milk,2/\' "$table"');
  const fifth = await add('005', 'echo "Salt,3" >> "$table"');
  expect((await host.look()).code).toBe(0);
  expect(table()).toBe('name,price\nTea,0\nBread,0\nMilk,2\nSalt,3\n');
  const commits = (await host.history()).map((run) => run.commit);
  expect(commits.slice(0, 3)).toEqual([fifth, fourth, third]);

  // One that fails: later ones wait until a human has looked.
  await add('006', '[ -f "$PULLYU_ROOT/srv/ready" ]');
  await add('007', 'echo "Rice,4" >> "$table"');
  expect((await host.look()).code).toBe(1);
  expect(await actionState(host, 'migrate')).toBe('parked');
  expect(table()).not.toContain('Rice');
  writeBelow(host.root, 'srv/ready', '');
  await host.run(['redo', 'migrate']);
  expect((await host.look()).code).toBe(0);
  expect(table()).toContain('Rice,4');

  // One that is wrong itself: the next commit says that it is skipped.
  await add('008', 'exit 1');
  expect((await host.look()).code).toBe(1);
  const yaml = readFileSync(join(remote.work, 'pullyu.yaml'), 'utf8');
  await remote.commit({ files: { 'pullyu.yaml': `${yaml}    env: {SKIP: db/migrations/008.sh}\n` } });
  await add('009', 'echo "Oil,5" >> "$table"');
  await host.run(['redo', 'migrate']);
  expect((await host.look()).code).toBe(0);
  expect(table()).toContain('Oil,5');
});

test('convention: every layer that is meant runs, most general first, and only when there is something to do', async () => {
  const facts = (host: TestHost) => join(host.root, 'root/nodeinfo');
  await using example = await bootstrapExample('convention', {
    files: {
      'root/nodeinfo/nodepart.txt': 'app\n',
      'root/nodeinfo/stackkey.txt': 'shop1\n',
      'root/nodeinfo/stacktype.txt': 'small\n',
    },
    more: (host) => ['--nodeinfo', facts(host)],
  });
  const { remote, host } = example;
  const layers = ['10-common', '20-part', '30-stack', '40-stacktype', '50-stack-part', '60-stacktype-part'];
  const files = layers.map((name) => `${name}.conf`);
  expect(example.bootstrapped.code, example.bootstrapped.stdout).toBe(0);
  expect(namesIn(host, 'srv/app/settings.d')).toEqual(files);
  expect((await host.run(['logs', 'init-common'])).stdout).toBe(
    'init of common\ninit of part app\ninit of stacktype small\ninit of part app in stacktype small\n',
  );
  expect((await host.history()).map((run) => run.action).reverse()).toEqual([
    'init-common',
    'work-common',
    'work-part-app',
    'work-stack-shop1',
    'work-stacktype-small',
    'work-stack-shop1-part-app',
    'work-stacktype-small-part-app',
  ]);
  expect(host.read('srv/app/settings.d/20-part.conf')).toBe('workers=4\nlisten=8080\n');

  const changed = await remote.publish({ files: { 'settings/part-app.conf': 'workers=8\n' } });
  expect((await host.look()).code).toBe(0);
  expect(host.read('srv/app/settings.d/20-part.conf')).toBe('workers=8\n');
  const temp = join(host.root, 'var/lib/pullyu/repos/it/current/.temp');
  expect(readFileSync(join(temp, 'acted/20-part'), 'utf8').trim()).toBe(changed);
  expect(readFileSync(join(temp, 'acted/10-common'), 'utf8').trim()).toBe(
    await git(['rev-parse', 'HEAD~1'], { cwd: remote.work }),
  );
  expect(readFileSync(join(temp, 'nodeinfo/lastaction.txt'), 'utf8').trim()).toBe(changed);
  expect((await host.run(['logs', 'work-common'])).stdout).toBe('');
});
