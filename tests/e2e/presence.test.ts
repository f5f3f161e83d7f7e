/** What a host publishes about itself: real git, real processes. Read here with git alone, as a person with a git viewer would. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { git } from '../support/git.ts';
import { createHost, type HostOptions, type TestHost } from '../support/host.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { until } from '../support/until.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface World {
  readonly it: Remote;
  readonly status: Remote;
  host(name: string, more?: HostOptions): TestHost;
  /** Lines of the branch `hosts/<name>`, newest first; empty before the first. */
  told(name: string): Promise<string[]>;
  presence(name: string): Promise<Record<string, unknown>>;
}

const ACTIONS = 'actions:\n  shop: {run: shop.sh, paths: [shop.sh]}\n';

async function world(statusMore: Record<string, unknown> = {}): Promise<World> {
  const it = await createRemote();
  const status = await createRemote('status');
  cleanups.push(
    () => it[Symbol.dispose](),
    () => status[Symbol.dispose](),
  );
  await it.publish({ files: { 'pullyu.yaml': ACTIONS }, scripts: { 'shop.sh': '#!/bin/sh\necho well\n' } });
  const ask = (...args: string[]) => git(['--git-dir', status.bare, ...args]);
  return {
    it,
    status,
    host(name, more = {}) {
      const host = createHost({
        name,
        repos: { it: it.url },
        ...more,
        more: { status: { remote: status.url, ...statusMore }, ...more.more },
      });
      cleanups.push(() => host.close());
      return host;
    },
    async told(name) {
      const log = await ask('log', '--format=%s', `refs/heads/hosts/${name}`).catch(() => '');
      return log.split('\n').filter((line) => line !== '');
    },
    presence: async (name) => JSON.parse(await ask('show', `refs/heads/presence/${name}:presence.json`)),
  };
}

test('a one-shot look tells who the host is and what it did, on a branch of its own', async () => {
  const w = await world();
  const host = w.host('web-1', { labels: { part: 'app' } });
  expect((await host.look()).code).toBe(0);
  expect(await w.told('web-1')).toEqual([
    'here, with pullyu 0.1.0',
    expect.stringMatching(/^shop ok at [0-9a-f]{7} in \d+\.\d s$/),
  ]);
  const commit = (await host.status()).repos[0]?.applied;
  expect(await w.presence('web-1')).toMatchObject({
    host: 'web-1',
    labels: { part: 'app' },
    state: 'working',
    repos: [{ name: 'it', wanted: commit, applied: commit, trouble: null }],
    actions: [{ repo: 'it', name: 'shop', outcome: 'ok', commit }],
  });
});

test('what is published is signed by the key of the host', async () => {
  const w = await world();
  const host = w.host('web-1');
  await host.look();
  const ask = (path: string) =>
    git(['--git-dir', w.status.bare, 'show', `refs/heads/presence/web-1:${path}`]);
  const folder = host.root;
  writeFileSync(join(folder, 'sig'), `${await ask('presence.json.sig')}\n`);
  const key = readFileSync(join(host.state, 'keys/host_ed25519.pub'), 'utf8');
  writeFileSync(join(folder, 'allowed'), `web-1 ${key}`);
  const text = `${await ask('presence.json')}\n`;
  const { execFileSync } = await import('node:child_process');
  const said = execFileSync(
    'ssh-keygen',
    ['-Y', 'verify', '-f', 'allowed', '-I', 'web-1', '-n', 'status@pullyu', '-s', 'sig'],
    { cwd: folder, input: text, encoding: 'utf8' },
  );
  expect(said).toContain('Good "status@pullyu" signature for web-1');
});

test('an idle look within the heartbeat pushes nothing, and after it one presence without history', async () => {
  const w = await world({ heartbeat: '1s' });
  const host = w.host('web-1');
  await host.look();
  const tip = () => git(['--git-dir', w.status.bare, 'rev-parse', 'refs/heads/presence/web-1']);
  const lines = await w.told('web-1');
  const first = await tip();
  const later = await until(
    async () => {
      await host.look();
      const now = await tip();
      return now === first ? null : now;
    },
    { what: 'another presence' },
  );
  expect(await git(['--git-dir', w.status.bare, 'rev-list', '--count', later])).toBe('1');
  expect(await w.told('web-1')).toEqual(lines);
});

test('a failing run tells its log, a fixed one that all is well again', async () => {
  const w = await world();
  const host = w.host('web-1');
  await host.look();
  await w.it.publish({ scripts: { 'shop.sh': '#!/bin/sh\necho "password=hunter2 no space"; exit 78\n' } });
  await host.look();
  const [parked, failed] = await w.told('web-1');
  expect(failed).toMatch(/^shop failed \(exit code 78\) at [0-9a-f]{7} in/);
  expect(parked).toMatch(/^wedged: shop /);
  const log = await git(['--git-dir', w.status.bare, 'show', 'refs/heads/hosts/web-1:logs/it-shop.log']);
  expect(log).toContain('no space');
  expect(log).not.toContain('hunter2');
  expect(await w.presence('web-1')).toMatchObject({ state: 'wedged' });
  await w.it.publish({ scripts: { 'shop.sh': '#!/bin/sh\nexit 0\n' } });
  await host.look();
  expect((await w.told('web-1')).slice(0, 2)).toEqual([
    'working again, no longer wedged',
    expect.stringMatching(/^shop ok at/),
  ]);
  expect(await w.presence('web-1')).toMatchObject({ state: 'working' });
});

test('days without the status repository hold nothing up; then everything arrives, in order', async () => {
  const w = await world();
  const away = join(w.status.folder, 'away.git');
  const { renameSync } = await import('node:fs');
  renameSync(w.status.bare, away);
  const host = w.host('web-1');
  for (let n = 0; n < 3; n += 1) {
    const commit = await w.it.publish({ scripts: { 'shop.sh': `#!/bin/sh\necho ${n}\n` } });
    expect((await host.look()).code).toBe(0);
    expect((await host.status()).repos[0]?.applied).toBe(commit);
  }
  renameSync(away, w.status.bare);
  await host.look();
  // Nothing is new: what waited is delivered all the same.
  expect(await w.told('web-1')).toEqual([
    expect.stringMatching(/^shop ok/),
    expect.stringMatching(/^shop ok/),
    'here, with pullyu 0.1.0',
    expect.stringMatching(/^shop ok/),
  ]);
});

test('a daemon tells at once what a run did, and what trouble began', async () => {
  const w = await world();
  const host = w.host('web-1');
  await host.start();
  await until(async () => (await w.told('web-1')).length >= 2, { what: 'the first lines' });
  await w.it.publish({ files: { 'pullyu.yaml': 'actions: [' } });
  await until(async () => (await w.told('web-1'))[0]?.startsWith('it: config: '), { what: 'the trouble' });
  await w.it.publish({ files: { 'pullyu.yaml': ACTIONS } });
  await until(async () => (await w.told('web-1'))[0] === 'it: over: config', { what: 'its end' });
  await host.expectNoLeaks();
});

test('that a pause began and that its time is up is told at once, and what runs for long makes the host busy', async () => {
  const w = await world();
  const host = w.host('web-1');
  await host.start();
  await until(async () => (await w.told('web-1')).length >= 2, { what: 'the first lines' });
  expect((await host.run(['pause', '--for', '2s', '--reason', 'cables'])).code).toBe(0);
  await until(async () => (await w.told('web-1'))[0]?.startsWith('paused: '), { what: 'the pause' });
  await until(async () => (await w.told('web-1'))[0] === 'working again, no longer paused', {
    what: 'its end',
    found: () => w.told('web-1'),
  });
  await w.it.publish({
    scripts: { 'shop.sh': '#!/bin/sh\nwhile [ ! -e "$PULLYU_STATE_DIR/go" ]; do sleep 0.1; done\n' },
  });
  await until(async () => (await w.told('web-1'))[0]?.startsWith('busy: with shop at '), {
    what: 'that it is busy',
    timeoutMs: 30_000,
  });
  expect(await w.presence('web-1')).toMatchObject({ state: 'busy' });
  writeFileSync(join(host.state, 'repos/it/state/shop/go'), '');
  await until(async () => (await w.told('web-1'))[0]?.startsWith('shop ok at '), {
    what: 'the end of the run',
  });
  await until(async () => (await w.presence('web-1')).state === 'working', { what: 'the state after it' });
});

test('a copy of a machine and the original both say so, and neither overwrites the other', async () => {
  const w = await world({ heartbeat: '500ms' });
  const one = w.host('web-1', { env: { PULLYU_BOOT_ID: 'boot-one' } });
  await one.look();
  const two = w.host('web-1', { env: { PULLYU_BOOT_ID: 'boot-two' } });
  // A clone of the disk: the same id and key.
  const { cpSync } = await import('node:fs');
  cpSync(one.state, two.state, { recursive: true });
  rmSync(join(two.state, 'status'), { recursive: true, force: true });
  await one.start();
  await two.start();
  const conflictOf = (host: TestHost) => {
    const file = join(host.state, 'status/delivery-git.json');
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')).conflict as string | null) : null;
  };
  await until(() => conflictOf(one) !== null && conflictOf(two) !== null, {
    what: 'both to know of the conflict',
    found: () => [conflictOf(one), conflictOf(two)],
  });
  expect((await w.presence('web-1')).bootId).toBe('boot-one');
});

test('a status repository that is polled is refused by name', async () => {
  const w = await world();
  const host = w.host('web-1', { more: { status: { remote: w.it.url } } });
  const looked = await host.look();
  expect(looked.code).toBe(2);
  expect(looked.stderr).toContain('expected a repository of its own, found a remote of repo it');
});
