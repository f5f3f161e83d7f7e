/** What actions promise, over the real command line: one-shot looks, so that every step is seen. */
import { expect, test } from 'vitest';
import { createHost, type TestHost } from '../support/host.ts';
import { createRemote } from '../support/repo.ts';

/** Appends a line to the action's own log: an independent witness of every start. */
const WITNESS = `#!/bin/sh
echo "$PULLYU_REASON $PULLYU_ATTEMPT $(cat version 2>/dev/null)" >> "$PULLYU_STATE_DIR/witness"
`;

function witness(host: TestHost, action: string): string[] {
  return (host.read(`var/lib/pullyu/repos/it/state/${action}/witness`) ?? '').split('\n').filter(Boolean);
}

async function hostWith(
  remote: { url: string },
  more: Parameters<typeof createHost>[0] = {},
): Promise<TestHost> {
  return createHost({ interval: '10s', ...more, repos: { it: remote.url } });
}

test('an action runs once per change of what it declares, and an unrelated commit runs nothing', async () => {
  using remote = await createRemote();
  await remote.publish({
    files: {
      'pullyu.yaml': 'actions:\n  shop:\n    run: apps/shop/run.sh\n    paths: [version, "apps/shop/**"]\n',
      version: '1\n',
    },
    scripts: { 'apps/shop/run.sh': WITNESS },
  });
  await using host = await hostWith(remote);
  expect((await host.look()).code).toBe(0);
  await remote.publish({ files: { 'README.md': 'hello\n' } });
  expect((await host.look()).code).toBe(0);
  await remote.publish({ files: { version: '2\n' } });
  expect((await host.look()).code).toBe(0);
  expect((await host.look()).code).toBe(0);
  expect(witness(host, 'shop')).toEqual(['first 1 1', 'changed 1 2']);
  const why = await host.run(['why', 'shop']);
  expect(why.stdout).toContain('shop: rests, nothing that it depends on changed since its last success');
});

test('a failure is never forgotten: it is retried, given up by a fix, and a revert runs the older content again', async () => {
  using remote = await createRemote();
  const yaml =
    'actions:\n  shop:\n    run: run.sh\n    paths: [run.sh, version]\n    retry: {delay: 100ms, max: 100ms, attempts: 3}\n  other:\n    run: other.sh\n    paths: [other.sh]\n';
  await remote.publish({
    files: { 'pullyu.yaml': yaml, version: '1\n' },
    scripts: { 'run.sh': WITNESS, 'other.sh': WITNESS },
  });
  await using host = await hostWith(remote);
  await host.look();
  const bad = `${WITNESS}exit 3\n`;
  await remote.publish({ files: { version: '2\n' }, scripts: { 'run.sh': bad } });
  expect((await host.look()).code).toBe(1);
  for (let n = 0; n < 20 && witness(host, 'shop').length < 4; n += 1) await host.look();
  const parked = await host.status();
  expect(parked.host.state).toBe('wedged');
  expect(parked.actions.find((action) => action.name === 'shop')).toMatchObject({
    state: 'parked',
    reason: 'parked',
  });
  expect(parked.repos[0]!.applied).not.toBe(parked.repos[0]!.seen);
  await remote.publish({ files: { version: '3\n' }, scripts: { 'run.sh': WITNESS } });
  expect((await host.look()).code).toBe(0);
  await remote.publish({ files: { version: '1\n' } });
  expect((await host.look()).code).toBe(0);
  expect(witness(host, 'shop')).toEqual([
    'first 1 1',
    'changed 1 2',
    'retry 2 2',
    'retry 3 2',
    'changed 1 3',
    'changed 1 1',
  ]);
  expect(witness(host, 'other')).toEqual(['first 1 1']);
  expect((await host.status()).host.state).toBe('working');
});

test('exit code 75 means try again, 78 means that a human is needed', async () => {
  using remote = await createRemote();
  const yaml =
    'actions:\n  soon:\n    run: soon.sh\n    paths: [soon.sh]\n    retry: {delay: 100ms, max: 100ms, attempts: 2}\n  human:\n    run: human.sh\n    paths: [human.sh]\n';
  await remote.publish({
    files: { 'pullyu.yaml': yaml },
    scripts: { 'soon.sh': `${WITNESS}exit 75\n`, 'human.sh': `${WITNESS}exit 78\n` },
  });
  await using host = await hostWith(remote);
  for (let n = 0; n < 8; n += 1) await host.look();
  expect(witness(host, 'soon').length).toBeGreaterThan(2);
  expect(witness(host, 'human')).toHaveLength(1);
  const status = await host.status();
  expect(status.actions.find((action) => action.name === 'human')).toMatchObject({ state: 'parked' });
  expect(status.actions.find((action) => action.name === 'soon')).not.toMatchObject({ state: 'parked' });
  await host.run(['redo', 'human']);
  await host.look();
  expect(witness(host, 'human').at(-1)).toMatch(/^redo/);
});

test('once is started at most once per fingerprint, also when it fails; check asks its probe', async () => {
  using remote = await createRemote();
  const yaml =
    'actions:\n  migrate:\n    run: migrate.sh\n    paths: [migrate.sh]\n    kind: once\n' +
    '  ensure:\n    run: ensure.sh\n    check: needed.sh\n    kind: check\n    on: [look]\n';
  await remote.publish({
    files: { 'pullyu.yaml': yaml },
    scripts: {
      'migrate.sh': `${WITNESS}exit 1\n`,
      'ensure.sh': `${WITNESS}touch "$PULLYU_STATE_DIR/there"\n`,
      'needed.sh': '#!/bin/sh\ntest ! -e "$PULLYU_STATE_DIR/there"\n',
    },
  });
  await using host = await hostWith(remote);
  for (let n = 0; n < 3; n += 1) await host.look();
  expect(witness(host, 'migrate')).toHaveLength(1);
  expect(witness(host, 'ensure')).toHaveLength(1);
  await remote.publish({ scripts: { 'migrate.sh': WITNESS } });
  expect((await host.look()).code).toBe(0);
  await host.look();
  expect(witness(host, 'migrate')).toHaveLength(2);
});

test('catchUp: each runs every commit that touched its paths, in order, in the tree of that commit', async () => {
  using remote = await createRemote();
  const yaml = 'actions:\n  migrate:\n    run: run.sh\n    paths: [version]\n    catchUp: each\n';
  await remote.publish({ files: { 'pullyu.yaml': yaml, version: '1\n' }, scripts: { 'run.sh': WITNESS } });
  await using host = await hostWith(remote);
  await host.look();
  for (const version of ['2', '3']) await remote.publish({ files: { version: `${version}\n` } });
  await remote.publish({ files: { other: 'x\n' } });
  await remote.publish({ files: { version: '4\n' } });
  expect((await host.look()).code).toBe(0);
  await host.look();
  expect(witness(host, 'migrate').map((line) => line.split(' ').at(-1))).toEqual(['1', '2', '3', '4']);
});

test('an action that leaves this host is undone, also when it vanished from the repository', async () => {
  using remote = await createRemote();
  const yaml = (shop: string) => `actions:\n${shop}  stay:\n    run: run.sh\n    paths: [run.sh]\n`;
  const shop = '  shop:\n    run: run.sh\n    paths: [run.sh]\n    hosts: {part: app}\n    undo: undo.sh\n';
  await remote.publish({
    files: { 'pullyu.yaml': yaml(shop) },
    scripts: { 'run.sh': WITNESS, 'undo.sh': '#!/bin/sh\necho undone >> "$PULLYU_STATE_DIR/witness"\n' },
  });
  await using host = await hostWith(remote, { labels: { part: 'app' } });
  await host.look();
  host.configure({ labels: { part: 'db' } });
  expect((await host.look()).code).toBe(0);
  await host.look();
  expect(witness(host, 'shop')).toEqual(['first 1', 'undone'].map((text) => expect.stringContaining(text)));
  host.configure({ labels: { part: 'app' } });
  await host.look();
  await remote.publish({ files: { 'pullyu.yaml': yaml('') }, delete: ['undo.sh'] });
  expect((await host.look()).code).toBe(0);
  await host.look();
  expect(witness(host, 'shop').filter((line) => line === 'undone')).toHaveLength(2);
});

test('after holds an action back until what it comes after has succeeded', async () => {
  using remote = await createRemote();
  const yaml =
    'actions:\n  app:\n    run: app.sh\n    paths: [app.sh]\n    after: [java]\n  java:\n    run: java.sh\n    paths: [java.sh]\n';
  await remote.publish({
    files: { 'pullyu.yaml': yaml },
    scripts: { 'app.sh': WITNESS, 'java.sh': `${WITNESS}exit 1\n` },
  });
  await using host = await hostWith(remote);
  expect((await host.look()).code).toBe(1);
  expect(witness(host, 'app')).toEqual([]);
  await remote.publish({ scripts: { 'java.sh': WITNESS } });
  expect((await host.look()).code).toBe(0);
  expect(witness(host, 'app')).toHaveLength(1);
});

test('a broken pullyu.yaml stops nothing that was valid, and the fix is applied', async () => {
  using remote = await createRemote();
  const yaml = 'actions:\n  beat:\n    run: run.sh\n    on: [look]\n';
  await remote.publish({ files: { 'pullyu.yaml': yaml }, scripts: { 'run.sh': WITNESS } });
  await using host = await hostWith(remote);
  await host.look();
  await remote.publish({ files: { 'pullyu.yaml': 'actions:\n  beat:\n    rnu: run.sh\n' } });
  expect((await host.look()).code).toBe(2);
  const status = await host.status();
  expect(status.repos[0]!.trouble).toMatchObject({ code: 'config' });
  expect(status.repos[0]!.trouble!.message).toMatch(/pullyu\.yaml:\d+:\d+: .*rnu.*run/);
  expect(witness(host, 'beat')).toHaveLength(2);
  const fixed = await remote.publish({ files: { 'pullyu.yaml': `${yaml}# fixed\n` } });
  expect((await host.look()).code).toBe(0);
  expect((await host.status()).repos[0]).toMatchObject({ applied: fixed, trouble: null });
});

test('all repos are brought to their targets before anything is run', async () => {
  using it = await createRemote('it');
  using app = await createRemote('app');
  await app.publish({ files: { version: '1\n' } });
  await it.publish({
    files: { 'pullyu.yaml': 'actions:\n  deploy:\n    run: run.sh\n    on: [look]\n' },
    scripts: { 'run.sh': '#!/bin/sh\ncat ../../../app/current/version >> "$PULLYU_STATE_DIR/witness"\n' },
  });
  await using host = createHost({ interval: '10s', repos: { it: it.url, app: app.url } });
  await host.look();
  await app.publish({ files: { version: '2\n' } });
  await host.look();
  expect(witness(host, 'deploy')).toEqual(['1', '2']);
});

test('a pause runs nothing, says what it would do, and ends', async () => {
  using remote = await createRemote();
  await remote.publish({
    files: {
      'pullyu.yaml': 'actions:\n  shop:\n    run: run.sh\n    paths: [run.sh, version]\n',
      version: '1\n',
    },
    scripts: { 'run.sh': WITNESS },
  });
  await using host = await hostWith(remote);
  await host.look();
  expect((await host.run(['pause', '--for', '1h', '--reason', 'audit'])).code).toBe(0);
  await remote.publish({ files: { version: '2\n' } });
  await host.look();
  expect(witness(host, 'shop')).toHaveLength(1);
  const status = await host.status();
  expect(status.host.state).toBe('paused');
  expect((await host.run(['why', 'shop'])).stdout).toMatch(/is paused until .*audit.*runs/);
  await host.run(['resume']);
  await host.look();
  expect(witness(host, 'shop')).toHaveLength(2);
});

test('two looks at once: the second says who is at work, and one more look follows', async () => {
  using remote = await createRemote();
  const go =
    '#!/bin/sh\necho start >> "$PULLYU_STATE_DIR/witness"\nwhile [ ! -e "$PULLYU_STATE_DIR/go" ]; do sleep 0.05; done\n';
  await remote.publish({
    files: {
      'pullyu.yaml': 'actions:\n  slow:\n    run: run.sh\n    paths: [run.sh, version]\n',
      version: '1\n',
    },
    scripts: { 'run.sh': go },
  });
  await using host = await hostWith(remote);
  const first = host.look();
  for (let n = 0; n < 200 && witness(host, 'slow').length === 0; n += 1) await host.run(['--version']);
  const second = await host.look();
  expect(second.code).toBe(5);
  expect(second.stderr).toContain('is at work on this host');
  expect((await host.status()).host.state).toBe('busy');
  await remote.publish({ files: { version: '2\n' } });
  await host.run(['look']);
  (await import('node:fs')).writeFileSync(`${host.state}/repos/it/state/slow/go`, '');
  expect((await first).code).toBe(0);
  expect(witness(host, 'slow')).toHaveLength(2);
});

test('triggers: a schedule, a boot, a change of a declared label', async () => {
  using remote = await createRemote();
  const yaml =
    'actions:\n  clock:\n    run: run.sh\n    on: [{schedule: "* * * * * *", tz: Europe/Berlin}]\n' +
    '  up:\n    run: run.sh\n    on: [boot]\n' +
    '  role:\n    run: run.sh\n    paths: [run.sh]\n    hosts: {deployment: [staging, prod]}\n';
  await remote.publish({ files: { 'pullyu.yaml': yaml }, scripts: { 'run.sh': WITNESS } });
  await using host = await hostWith(remote, { labels: { deployment: 'staging', zone: 'eu' } });
  const boot = (id: string) => ({ env: { PULLYU_BOOT_ID: id } });
  await host.look(boot('one'));
  await host.look(boot('one'));
  expect(witness(host, 'up')).toHaveLength(1);
  host.configure({ labels: { deployment: 'staging', zone: 'us' } });
  await host.look(boot('two'));
  expect(witness(host, 'up').map((line) => line.split(' ')[0])).toEqual(['first', 'boot']);
  expect(witness(host, 'role')).toHaveLength(1);
  host.configure({ labels: { deployment: 'prod', zone: 'us' } });
  await host.look(boot('two'));
  for (let n = 0; n < 40 && witness(host, 'clock').length < 2; n += 1) await host.look(boot('two'));
  expect(witness(host, 'role').map((line) => line.split(' ')[0])).toEqual(['first', 'labels']);
  expect(witness(host, 'clock').at(-1)).toMatch(/^schedule/);
});

test('tags by version, exact tags, commit ids and refs made of labels can be tracked', async () => {
  using remote = await createRemote();
  const version = (text: string) => ({ files: { version: `${text}\n` } });
  const first = await remote.publish({
    files: { 'pullyu.yaml': 'actions:\n  shop:\n    run: run.sh\n    paths: [version]\n', version: '1\n' },
    scripts: { 'run.sh': WITNESS },
  });
  await remote.tag('v1.9.0', { push: true });
  const second = await remote.publish(version('2'));
  await remote.tag('v1.10.0', { annotated: true, push: true });
  await remote.branch('deploy/prod');
  const third = await remote.publish(version('3'));
  const follow = async (track: unknown) => {
    const host = createHost({
      interval: '10s',
      labels: { deployment: 'prod' },
      repos: { it: { remotes: [remote.url], track: track as string } },
    });
    await host.look();
    return host;
  };
  const cases: [unknown, string][] = [
    ['tag: v*', second],
    [{ tag: 'v*' }, second],
    ['refs/tags/v1.9.0', first],
    [first, first],
    ['deploy/{deployment}', third],
  ];
  for (const [track, commit] of cases) {
    await using host = await follow(track);
    expect((await host.status()).repos[0], JSON.stringify(track)).toMatchObject({
      applied: commit,
      trouble: null,
    });
  }
  await using host = await follow('tag: v*');
  await remote.git('checkout', '--quiet', 'main');
  const fourth = await remote.publish(version('4'));
  await host.look();
  expect((await host.status()).repos[0]!.applied).toBe(second);
  await remote.tag('v2.0.0', { push: true });
  await host.look();
  expect((await host.status()).repos[0]!.applied).toBe(fourth);
  // The operator chose another rule on this host: that is his word for a move which is no descent.
  host.configure({ repos: { it: { remotes: [remote.url], track: 'refs/tags/v1.9.0' } } });
  await host.look();
  expect((await host.status()).repos[0]).toMatchObject({ applied: first, trouble: null });
});

test('what was done by hand can be said: it counts as done, and what waited for it goes on', async () => {
  using remote = await createRemote();
  const yaml =
    'actions:\n  migrate:\n    run: run.sh\n    paths: [version, run.sh]\n    catchUp: each\n    kind: once\n' +
    '  app:\n    run: app.sh\n    paths: [app.sh]\n    after: [migrate]\n';
  await remote.publish({
    files: { 'pullyu.yaml': yaml, version: '1\n' },
    scripts: { 'run.sh': WITNESS, 'app.sh': WITNESS },
  });
  await using host = await hostWith(remote);
  await host.look();
  expect((await host.run(['done', 'migrate', '--note', 'too early'])).code).toBe(4);
  await remote.publish({ files: { version: '2\n' }, scripts: { 'run.sh': '#!/bin/sh\nexit 1\n' } });
  await remote.publish({
    files: { version: '3\n' },
    scripts: { 'run.sh': WITNESS, 'app.sh': `${WITNESS}# 2\n` },
  });
  expect((await host.look()).code).toBe(1);
  expect((await host.look()).code).toBe(1);
  const said = await host.run(['done', 'migrate', '--note', 'the column was added with psql']);
  expect(said).toMatchObject({ code: 0, stdout: expect.stringContaining('it/migrate counts as done at') });
  expect((await host.look()).code).toBe(0);
  expect(witness(host, 'migrate').map((line) => line.split(' ').at(-1))).toEqual(['1', '3']);
  expect(witness(host, 'app')).toHaveLength(2);
  expect((await host.run(['history', 'migrate'])).stdout).toContain(
    'done by hand: the column was added with psql',
  );
});
