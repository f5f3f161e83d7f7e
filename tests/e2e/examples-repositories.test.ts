/** examples/ about more than one repository, every commit, and layers of folders: pushed as they are, run below a temporary root. */
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { actionState, bootstrapExample, namesIn, pushExample, writeBelow } from '../support/example.ts';
import { git } from '../support/git.ts';
import type { TestHost } from '../support/host.ts';

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
