/** `pullyu plan`: what the next look would run, at another commit, for another host, and for what is not pushed yet. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { git } from '../support/git.ts';
import { createHost, type TestHost } from '../support/host.ts';
import { createRemote } from '../support/repo.ts';
import { say, sayRepository } from '../support/say.ts';
import { tempFolder } from '../support/temp.ts';

interface PlanJson {
  readonly steps: readonly {
    readonly repo: string;
    readonly action: string;
    readonly due: boolean;
    readonly reason: string;
    readonly sentence: string;
    readonly commit: string | null;
    readonly attempt: number;
    readonly notBefore: string | null;
  }[];
  readonly nextDueAt: string | null;
}

const plan = async (host: TestHost, ...args: string[]) =>
  (await host.run(['plan', '--json', ...args])).json<PlanJson>();

const TWO = `actions:
  app: {run: app/deploy.sh, hosts: {part: app}}
  db: {run: db/deploy.sh, hosts: {part: db}}
`;

const twoActions = {
  files: { 'pullyu.yaml': TWO },
  scripts: { 'app/deploy.sh': '#!/bin/sh\n', 'db/deploy.sh': '#!/bin/sh\n' },
};

test('the plan is what the look then runs, and afterwards nothing is due', async () => {
  using remote = await createRemote();
  const first = await remote.publish(sayRepository('one'));
  await using host = createHost({ repos: { it: remote.bare } });
  const before = await host.run(['plan']);
  expect(before.code).toBe(2);
  expect(before.stderr).toContain('pullyu bootstrap URL');
  await host.look();
  await host.run(['redo', 'say']);
  const planned = await plan(host);
  expect(planned.steps).toMatchObject([
    { repo: 'it', action: 'say', due: true, reason: 'redo', commit: first, attempt: 1 },
  ]);
  expect((await host.look()).stdout).toContain(planned.steps[0]!.sentence);
  expect((await host.run(['plan'])).stdout).toBe('nothing is due\n1 rests; --all says why\n');
  expect((await host.run(['plan', '--all'])).stdout).toContain('say: ');
});

test('an older commit is planned against what the host has done, by a short id too', async () => {
  using remote = await createRemote();
  const one = await remote.publish(sayRepository('one'));
  const two = await remote.publish(say('two'));
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  expect((await plan(host, '--commit', two)).steps).toMatchObject([{ due: false, reason: 'current' }]);
  for (const id of [one, one.slice(0, 8)])
    expect((await plan(host, '--commit', id)).steps).toMatchObject([
      { due: true, reason: 'changed', commit: one },
    ]);
  const unknown = await host.run(['plan', '--commit', 'abcdef1']);
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toMatch(
    /expected one commit of it, found none that is abcdef1[\s\S]*hint: .*--tree/,
  );
  expect((await host.run(['plan', '--commit', 'main'])).stderr).toContain('git rev-parse');
  expect((await host.run(['plan', '--commit', one, '--tree', '.'])).code).toBe(2);
});

test('a working directory is planned with no host at all, and is left as it was', async () => {
  using remote = await createRemote();
  await remote.commit(twoActions);
  await using host = createHost();
  const objects = () => readdirSync(join(remote.work, '.git'), { recursive: true }).sort();
  writeFileSync(join(remote.work, 'app/new'), 'not committed');
  const before = objects();
  const found = await plan(host, '--tree', remote.work, '--host', 'part=app');
  expect(found.steps).toMatchObject([
    { repo: 'work', action: 'app', due: true, reason: 'first', commit: null },
    { action: 'db', due: false, reason: 'not-selected' },
  ]);
  expect(objects()).toEqual(before);
  expect(host.read('var/lib/pullyu')).toBeNull();
  const text = (await host.run(['plan', '--tree', '.', '--host', 'part=db'], { cwd: remote.work })).stdout;
  expect(text).toContain('for a host that has done nothing yet, with part=db');
  expect(text).toContain('db: runs for the first time on this host.');
  expect(text).toContain('1 rests');
});

test('a folder with the layout of the convention is planned without git and without pullyu.yaml', async () => {
  using folder = tempFolder('layout');
  await using host = createHost();
  for (const layer of ['common', 'part/app', 'part/db']) {
    mkdirSync(join(folder.path, 'bin/work', layer), { recursive: true });
    writeFileSync(join(folder.path, 'bin/work', layer, 'work.sh'), '#!/bin/sh\n', { mode: 0o755 });
  }
  const found = await plan(host, '--tree', folder.path, '--host', 'part=app', 'deployment=prod');
  expect(found.steps.map(({ action, due }) => ({ action, due }))).toEqual([
    { action: 'work-common', due: true },
    { action: 'work-part-app', due: true },
  ]);
  const nothing = await host.run(['plan', '--tree', join(folder.path, 'bin')]);
  expect(nothing).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing is due') });
  expect(nothing.stderr).toContain(
    'looked for pullyu.yaml, bin/init/common/init.sh, bin/work/common/work.sh',
  );
});

test('on a host the working directory is compared with the last success, edits included', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  const clone = join(host.root, 'elsewhere');
  await git(['clone', '--quiet', remote.bare, clone]);
  const same = await plan(host, '--tree', clone);
  expect(same.steps).toMatchObject([{ repo: 'it', due: false, reason: 'current' }]);
  writeFileSync(join(clone, 'unrelated'), 'x');
  expect((await plan(host, '--tree', clone)).steps).toMatchObject([{ due: false }]);
  writeFileSync(join(clone, 'text'), 'edited');
  expect((await plan(host, '--tree', clone)).steps).toMatchObject([
    { due: true, reason: 'changed', commit: null },
  ]);
  expect(readFileSync(join(clone, '.git/HEAD'), 'utf8')).toContain('ref:');
  expect((await host.run(['plan', '--tree', clone])).stdout).toContain(
    'for host-1 after what it has done, with no labels',
  );
});

test('what is wrong is said with what was expected and what to do', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  using folder = tempFolder('broken');
  writeFileSync(join(folder.path, 'pullyu.yaml'), 'actions:\n  say: {rnu: x.sh}\n');
  const broken = await host.run(['plan', '--tree', folder.path]);
  expect(broken.code).toBe(2);
  expect(broken.stderr).toMatch(/pullyu.yaml:2:\d+: .*rnu[\s\S]*hint: .*pullyu lint/);
  const missing = await host.run(['plan', '--tree', join(folder.path, 'nowhere')]);
  expect(missing).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('expected a folder after --tree'),
  });
  const label = await host.run(['plan', '--host', 'app']);
  expect(label).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('expected key=value after --host'),
  });
  const repo = await host.run(['plan', '--repo', 'other']);
  expect(repo).toMatchObject({ code: 2, stderr: expect.stringContaining('expected --repo to be one of it') });
});

test('another host is planned by giving its labels', async () => {
  using remote = await createRemote();
  await remote.publish(twoActions);
  await using host = createHost({ labels: { part: 'app' }, repos: { it: remote.bare } });
  await host.look();
  const found = await plan(host, '--host', 'part=db');
  expect(found.steps.find(({ action }) => action === 'db')).toMatchObject({ due: true, reason: 'first' });
});
