/** Seeing the fleet: real hosts, a real status repository, and a person who has nothing but a checkout. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startChild } from '../support/child.ts';
import {
  createHost,
  type HostOptions,
  program,
  type Ran,
  runProgram,
  type TestHost,
} from '../support/host.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const ACTIONS = `actions:
  shop: {run: shop.sh, paths: [shop.sh], hosts: {part: app}, retry: {delay: 1h, max: 1h}}
`;
const WELL = '#!/bin/sh\necho well\n';
const ILL = '#!/bin/sh\necho "expected java 21, \u001b[31mfound none"\nexit 1\n';

interface World {
  readonly it: Remote;
  readonly status: Remote;
  host(name: string, part: string, more?: HostOptions): TestHost;
  /** A person on a laptop, in the checkout. */
  person(...args: string[]): Promise<Ran>;
  readonly env: Record<string, string>;
}

async function world(): Promise<World> {
  const it = await createRemote();
  const status = await createRemote('status');
  const home = tempFolder('home');
  cleanups.push(
    () => it[Symbol.dispose](),
    () => status[Symbol.dispose](),
    () => home[Symbol.dispose](),
  );
  await it.publish({ files: { 'pullyu.yaml': ACTIONS }, scripts: { 'shop.sh': WELL } });
  const env = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: home.path,
    NO_COLOR: '1',
    PULLYU_STATUS: status.url,
    // Whatever this machine itself is a host of.
    PULLYU_ROOT: join(home.path, 'nothing'),
  };
  return {
    it,
    status,
    env,
    host(name, part, more = {}) {
      const host = createHost({
        name,
        labels: { part },
        repos: { it: it.url },
        ...more,
        more: { status: { remote: status.url }, ...more.more },
      });
      cleanups.push(() => host.close());
      return host;
    },
    person: (...args) => runProgram(args, { env, cwd: it.work }),
  };
}

interface FleetJson {
  hosts: { name: string; state: string; reason: string | null; repos: { applied: string | null }[] }[];
  totals: Record<string, number>;
}

test('a person with nothing but a checkout sees who is well, who failed and who never came', async () => {
  const w = await world();
  const [web, db, bad] = [w.host('web-1', 'app'), w.host('db-1', 'db'), w.host('web-2', 'app')];
  for (const host of [web, db, bad]) expect((await host.look()).code).toBe(0);
  const head = await w.it.publish({ scripts: { 'shop.sh': ILL } });
  expect((await bad.look()).code).toBe(1);

  const fleet = (await w.person('fleet', '--json')).json<FleetJson>();
  expect(fleet.hosts.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'web-2 failed',
    'db-1 working',
    'web-1 working',
  ]);
  expect(fleet.totals).toMatchObject({ all: 3, failed: 1, working: 2, silent: 0 });
  const screen = await w.person('fleet');
  expect(screen.stdout.split('\n')[0]).toBe('3 hosts: 1 failed, 2 working');
  expect(screen.stdout).toMatch(
    /^failed {3}web-2 +it [0-9a-f]{7} +\d+ s ago +shop failed with exit code 1 at /m,
  );
  expect((await w.person('fleet', '--label', 'part=db', '--json')).json<FleetJson>().totals.all).toBe(1);

  const story = await w.person('fleet', 'web-2');
  expect(story.stdout).toContain('web-2 is failed: shop failed with exit code 1');
  expect(story.stdout).toMatch(
    /^\S+Z {2}shop failed \(exit code 1\) at [0-9a-f]{7} .*\n[\s\S]*^\S+Z {2}shop ok at /m,
  );
  expect(story.stdout).toContain('expected java 21, found none');
  expect(story.stdout).not.toContain('\u001b');
  expect(story.stdout).not.toContain('not signed');

  // Only those for which it has an action are waited for: db-1 has not looked since.
  const expected = await w.person('fleet', '--expect', 'HEAD');
  expect(expected.code).toBe(1);
  expect(expected.stdout).toContain(`${head.slice(0, 7)} of it: 0 of 2 hosts there, 1 failed, 1 on its way`);
  expect((await w.person('fleet', '--expect', 'HEAD~1')).code).toBe(0);

  writeFileSync(
    join(w.it.work, 'hosts.yaml'),
    'hosts:\n  web-1: {labels: {part: app}}\n  web-9: {labels: {part: app}}\n',
  );
  const strict = (await w.person('fleet', '--json')).json<FleetJson>();
  expect(strict.hosts.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'web-9 absent',
    'db-1 stranger',
    'web-2 stranger',
    'web-1 working',
  ]);
  expect((await w.person('roster', '--format', '{name} {label.part}')).stdout).toBe('web-1 app\n');
  expect((await w.person('fleet', 'nobody')).code).toBe(2);
});

test('watch follows a commit until it is everywhere, and says how it went', async () => {
  const w = await world();
  const hosts = [w.host('web-1', 'app'), w.host('web-2', 'app'), w.host('db-1', 'db')];
  for (const host of hosts) expect((await host.look()).code).toBe(0);
  const watch = (...args: string[]) => {
    const child = startChild([program, 'watch', ...args], { env: w.env, cwd: w.it.work });
    cleanups.push(() => child.close());
    return child;
  };

  await w.it.publish({ scripts: { 'shop.sh': `${WELL}# 2\n` } });
  const good = watch('HEAD');
  await until(() => good.output().includes('0 of 2 hosts there'), {
    what: 'the first line',
    found: good.output,
  });
  await hosts[0]!.look();
  await until(() => good.output().includes('1 of 2 hosts there'), { what: 'one', found: good.output });
  await hosts[1]!.look();
  expect(await good.ended).toMatchObject({ exitCode: 0 });
  expect(good.output()).toMatch(/web-1 there\n.*\n.*web-2 there\n[\s\S]*done: \w+ is on all 2 hosts/);

  await w.it.publish({ scripts: { 'shop.sh': ILL } });
  const bad = watch('HEAD', '--fail-fast', '--json');
  await until(() => bad.output().includes('progress'), { what: 'the first line', found: bad.output });
  await hosts[0]!.look();
  expect(await bad.ended).toMatchObject({ exitCode: 1 });
  const lines = bad.output().trim().split('\n');
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({
    verdict: 'failed',
    failed: ['web-1'],
    waiting: ['web-2'],
  });

  const late = await w.person('watch', 'HEAD', '--timeout', '100ms');
  expect({ code: late.code, stdout: late.stdout }).toMatchObject({
    code: 124,
    stdout: expect.stringMatching(/timed out[\s\S]*^failed +web-1 .*\non its way +web-2 /m),
  });

  const live = watch();
  await until(() => live.output().includes('3 hosts'), { what: 'the fleet', found: live.output });
  live.kill('SIGINT');
  expect(await live.ended).toMatchObject({ exitCode: 130 });
});

test('a status repository that is away for a while ends no watch, and what is deleted is made again', async () => {
  const w = await world();
  const host = w.host('web-1', 'app');
  await host.look();
  await w.it.publish({ scripts: { 'shop.sh': `${WELL}# 2\n` } });
  const watch = startChild([program, 'watch', 'HEAD'], { env: w.env, cwd: w.it.work });
  cleanups.push(() => watch.close());
  await until(() => watch.output().includes('0 of 1 host there'), {
    what: 'the first line',
    found: watch.output,
  });
  renameSync(w.status.bare, `${w.status.bare}.away`);
  await until(() => watch.output().includes('asks again'), { what: 'the note', found: watch.output });
  renameSync(`${w.status.bare}.away`, w.status.bare);
  await host.look();
  expect(await watch.ended).toMatchObject({ exitCode: 0 });
  expect(watch.output()).toContain('answers again');
  rmSync(join(w.env.HOME!, 'nothing'), { recursive: true });
  expect((await w.person('fleet')).stdout).toContain('1 host: 1 working');
});

test('a host knows its fleet by itself, and what is wrong with a question is said', async () => {
  const w = await world();
  const host = w.host('web-1', 'app');
  await host.look();
  expect((await host.run(['fleet', '--json'])).json<FleetJson>().totals).toMatchObject({
    all: 1,
    working: 1,
  });
  expect((await host.run(['fleet', '--expect', (await w.it.head()).slice(0, 8)])).code).toBe(0);
  expect((await host.run(['roster', '--json'])).json<{ name: string }[]>().map(({ name }) => name)).toEqual([
    'web-1',
  ]);
  const nowhere = await runProgram(['fleet'], { env: { ...w.env, PULLYU_STATUS: '' }, cwd: w.env.HOME! });
  expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('--status') });
  const gone = await w.person('fleet', '--status', 'file:///nowhere/at/all.git');
  expect([3, 4]).toContain(gone.code);
  const secret = await w.person('fleet', '--status', 'https://me:secret@git.example.com/status.git');
  expect(secret).toMatchObject({ code: 2, stderr: expect.not.stringContaining('secret@') });
  expect((await w.person('watch', 'HEAD', '--timeout', 'soon')).code).toBe(2);
  expect((await w.person('watch', 'HEAD', '--repo', 'other')).code).toBe(2);
  expect((await w.person('roster', '--format', '{nmae}')).code).toBe(2);
});
