/**
 * A script of the repository upgrades pullyu to a version that does not work. PAINS section 4: after it, the next good commit is applied
 * without a human, and the trouble is visible. The heartbeat is called as cron or systemd would call it.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type GitServer, startGitServer } from '../../src/demo/git-server.ts';
import { type Child, startChild } from '../support/child.ts';
import { createHost, program, runProgram, type TestHost } from '../support/host.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { type TempFolder, tempFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

let folder: TempFolder;
let installed: string;
let remote: Remote;
let server: GitServer;
let host: TestHost;
let children: Child[];

/** Where an upgrade of the script takes the new version from. */
const next = () => join(folder.path, 'next');

beforeEach(async () => {
  folder = tempFolder('upgrade');
  installed = join(folder.path, 'installed');
  children = [];
  copyPackage(installed);
  copyPackage(next());
  remote = await createRemote();
  server = await startGitServer({ folder: remote.folder });
  await remote.publish(sayRepository('one'));
});

afterEach(async () => {
  for (const child of children) await child.close();
  await host?.close();
  await server?.close();
  remote?.[Symbol.dispose]();
  folder[Symbol.dispose]();
});

function copyPackage(to: string): void {
  const own = dirname(dirname(program));
  const native = dirname(
    createRequire(join(own, 'dist/main.cjs')).resolve('fs-native-extensions/package.json'),
  );
  cpSync(native, join(to, 'node_modules/fs-native-extensions'), { recursive: true });
  for (const name of ['bin', 'dist', 'package.json'])
    cpSync(join(own, name), join(to, name), { recursive: true });
}

async function installWith(interval: string): Promise<void> {
  host = createHost({ interval, repos: { it: server.url(remote.path) } });
  const ran = await pullyu('install', '--heartbeat', 'cron');
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
}

const pullyu = (...args: string[]) =>
  runProgram(['--root', host.root, ...args], {
    env: { ...host.env },
    program: join(installed, 'bin/pullyu'),
  });
const startScript = () => join(host.root, 'etc/pullyu/start.sh');

/** Cron's minute has passed, and what a repo in trouble waits: what the last look left is older. */
function minutePasses(): void {
  const file = join(host.state, 'state.json');
  if (!existsSync(file)) return;
  const { backOff: _, ...state } = JSON.parse(readFileSync(file, 'utf8'));
  const aged = { ...state, lastLookAt: (state.lastLookAt ?? Date.now()) - 120_000, nextLookAt: null };
  writeFileSync(file, JSON.stringify(aged));
}

/** Not synchronous: the git server is in this process. */
async function heartbeat(): Promise<string> {
  minutePasses();
  const argv: [string, ...string[]] = ['/bin/sh', startScript(), 'look', '--heartbeat'];
  await using child = startChild(argv, { env: { ...host.env } });
  await child.ended;
  await child.close();
  return child.output();
}

/** A supervisor: `start.sh agent`, again whenever it ends. */
function supervise(): void {
  if (children.at(-1)?.isRunning() !== true)
    children.push(startChild(['/bin/sh', startScript(), 'agent'], { env: { ...host.env } }));
}
const log = () => children.map((child) => child.output()).join('');

async function untilSaid(text: string): Promise<void> {
  const isSaid = () => {
    supervise();
    return said(host).includes(text);
  };
  await until(isSaid, { what: `${text} to be said`, found: log, everyMs: 50, timeoutMs: 60_000 });
}

/** The upgrade is done by an action, as anybody would do it. */
const UPGRADE = () => ({
  scripts: {
    'say.sh': `#!/bin/sh\nset -e\ncat text >>"$PULLYU_STATE_DIR/said"\n[ ! -e '${next()}' ] || { rm -rf '${installed}'; mv '${next()}' '${installed}'; }\n`,
  },
});

const BROKEN: Readonly<Record<string, (at: string) => void>> = {
  'exits 1': (at) => writeFileSync(join(at, 'bin/pullyu'), '#!/usr/bin/env node\nprocess.exit(1);\n'),
  'is not there': (at) => renameSync(join(at, 'dist'), join(at, 'gone')),
  'cannot fetch': (at) => {
    for (const name of ['main.cjs', 'look.cjs']) {
      const file = join(at, 'dist', name);
      const text = readFileSync(file, 'latin1').replaceAll('git-upload-pack', 'git-upload-pack-x');
      writeFileSync(file, text, 'latin1');
    }
  },
};

test.each(Object.keys(BROKEN))('by cron, an upgrade to a version that %s is got over', async (how) => {
  await installWith('60s');
  expect(await heartbeat()).not.toContain('warning');
  expect(said(host)).toEqual(['one']);
  BROKEN[how]!(next());
  await remote.publish({ ...say('two'), ...UPGRADE() });
  await heartbeat();
  expect(said(host)).toEqual(['one', 'two']);
  await remote.publish(say('three'));
  const starts = [await heartbeat(), await heartbeat(), await heartbeat()];
  expect(starts[0]).toContain('is new: start 1 of 3');
  expect(said(host)).toEqual(['one', 'two']);
  expect(await heartbeat()).toContain('the last version that did is started in its place');
  expect(said(host)).toEqual(['one', 'two', 'three']);
  // And so it goes on.
  await remote.publish(say('four'));
  expect(await heartbeat()).toContain('in its place');
  expect(said(host)).toEqual(['one', 'two', 'three', 'four']);
  const doctor = await host.run(['doctor', '--offline']);
  expect(doctor.stdout).toContain('the installed pullyu reached no remote in its first starts');
  expect((await host.run(['status'])).stdout).toContain('the installed pullyu does not work');
  // Another version comes: it is tried at once.
  copyPackage(installed);
  await remote.publish(say('five'));
  expect(await heartbeat()).toContain('is new: start 1 of 3');
  expect(said(host).at(-1)).toBe('five');
  expect(await heartbeat()).toBe('');
  expect((await host.run(['status'])).stdout).not.toContain('does not work');
  await host.expectNoLeaks();
});

test('by cron, a version that hangs is ended, and got over', async () => {
  await installWith('60s');
  await heartbeat();
  writeFileSync(
    join(next(), 'bin/pullyu'),
    '#!/usr/bin/env node\nprocess.on("SIGTERM", () => {}); setInterval(() => {}, 1000);\n',
  );
  await remote.publish({ ...say('two'), ...UPGRADE() });
  await heartbeat();
  for (let n = 0; n < 3; n++) {
    const child = startChild(['/bin/sh', startScript(), 'look', '--heartbeat'], { env: { ...host.env } });
    children.push(child);
    await until(() => child.output().includes(`start ${n + 1} of 3`));
  }
  await remote.publish(say('three'));
  expect(await heartbeat()).toMatch(/hangs: it is ended[\s\S]*in its place/);
  expect(said(host)).toEqual(['one', 'two', 'three']);
  for (const child of children) expect((await child.ended).signal).toBe('SIGKILL');
});

test.each(['exits 1', 'cannot fetch'])(
  'as a daemon, an upgrade to a version that %s is got over',
  async (how) => {
    await installWith('100ms');
    await untilSaid('one');
    BROKEN[how]!(next());
    await remote.publish({ ...say('two'), ...UPGRADE() });
    await untilSaid('two');
    // The daemon goes on without the files that it was started from.
    await remote.publish(say('three'));
    await untilSaid('three');
    await children.at(-1)!.close();
    await remote.publish(say('four'));
    await untilSaid('four');
    expect(log()).toContain('in its place');
    copyPackage(installed);
    await remote.publish(say('five'));
    await untilSaid('five');
    const isProven = () => {
      supervise();
      return !existsSync(join(host.state, 'trial'));
    };
    await until(isProven, { found: log, timeoutMs: 60_000 });
    expect((await host.run(['status'])).stdout).not.toContain('does not work');
  },
);

test('a network that is away is not held against a new version', async () => {
  await installWith('60s');
  await heartbeat();
  appendFileSync(join(installed, 'dist/main.cjs'), '//\n');
  host.configure({ repos: { it: 'http://127.0.0.1:9/it.git' } });
  const turns: string[] = [];
  for (let n = 0; n < 8; n++) turns.push(/start \d of 3/.exec(await heartbeat())?.[0] ?? 'copy');
  expect(turns).toEqual([
    'start 1 of 3',
    'start 2 of 3',
    'start 3 of 3',
    'copy',
    'start 1 of 3',
    'start 2 of 3',
    'start 3 of 3',
    'copy',
  ]);
  host.configure({});
  await heartbeat();
  await remote.publish(say('two'));
  expect(await heartbeat()).not.toContain('warning');
  expect(said(host)).toEqual(['one', 'two']);
  expect(existsSync(join(host.state, 'trial'))).toBe(false);
});

test('a version that did not work is tried again after an hour, then after two', async () => {
  await installWith('60s');
  await heartbeat();
  BROKEN['exits 1']!(installed);
  for (let n = 0; n < 3; n++) expect(await heartbeat()).toContain(`start ${n + 1} of 3`);
  const trial = join(host.state, 'trial');
  const hoursPass = (hours: number) =>
    writeFileSync(
      trial,
      readFileSync(trial, 'utf8').replace(/^(\d+) (\d+)/, (_, n, at) => `${n} ${Number(at) - hours * 3_600}`),
    );
  for (const hours of [1, 2, 4]) {
    hoursPass(hours - 0.5);
    expect(await heartbeat()).toContain('in its place');
    hoursPass(0.5);
    expect(await heartbeat()).toContain('is tried again');
    expect(await heartbeat()).toContain('in its place');
  }
});

test('a heartbeat that has nothing to do, because a daemon of the old version does it, is no try of the new one', async () => {
  await installWith('100ms');
  await untilSaid('one');
  await until(() => existsSync(join(host.state, 'proven/identity')));
  rmSync(installed, { recursive: true });
  copyPackage(installed);
  for (let n = 0; n < 5; n++) expect(await heartbeat()).toContain('start 1 of 3');
  await remote.publish(say('two'));
  await untilSaid('two');
  expect(children).toHaveLength(1);
});

test('a copy that is not ours, or a link, is not started', async () => {
  await installWith('60s');
  await heartbeat();
  renameSync(join(host.state, 'proven'), join(folder.path, 'elsewhere'));
  spawnSync('ln', ['-s', join(folder.path, 'elsewhere'), join(host.state, 'proven')]);
  writeFileSync(join(installed, 'bin/pullyu'), '#!/usr/bin/env node\nconsole.log("installed");\n');
  for (let n = 0; n < 5; n++) expect(await heartbeat()).toBe('installed\n');
});
