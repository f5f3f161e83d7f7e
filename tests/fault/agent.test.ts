/** The agent as a program among others, over time and after what happens to its own files: PAINS section 5. */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { type GitServer, startGitServer } from '../../src/demo/git-server.ts';
import { formatRecord } from '../../src/journal/record.ts';
import { processIdentity } from '../../src/system/processes.ts';
import { type Child, startChild } from '../support/child.ts';
import { createHost, program, runProgram, type StatusJson, type TestHost } from '../support/host.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';
import { createWitness, nextText, type Witness } from '../support/witness.ts';

let remote: Remote;
let server: GitServer;
let host: TestHost;

beforeAll(async () => {
  remote = await createRemote();
  await remote.publish(sayRepository('one'));
  server = await startGitServer({ folder: remote.folder });
  host = createHost({ interval: '100ms', repos: { it: server.url(remote.path) } });
  expect((await host.look()).code).toBe(0);
});

afterAll(async () => {
  await host?.close();
  await server?.close();
  remote?.[Symbol.dispose]();
});

let serial = 0;

async function expectNextGood(): Promise<void> {
  const text = `good ${++serial}`;
  const before = said(host);
  const commit = await remote.publish(say(text));
  const ran = await host.look();
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
  expect((await host.status()).repos[0]).toMatchObject({ applied: commit, trouble: null });
  expect(said(host)).toEqual([...before, text]);
  await host.expectNoLeaks();
}

describe('two agents on one host', () => {
  test('cannot be: the second says who is at work, and ends', async () => {
    const agent = await host.start();
    for (const [args, code] of [
      [['agent'], 5],
      [['look'], 0],
    ] as const) {
      const second = await host.run(args, { timeoutMs: 30_000 });
      expect(second.code, second.stdout + second.stderr).toBe(code);
    }
    const { stderr } = await host.run(['agent']);
    expect(stderr).toMatch(new RegExp(`^error: .*${agent.pid}.*\\nhint: `));
    expect((await host.status()).agent.pid).toBe(agent.pid);
    await agent.close();
    await expectNextGood();
  });

  test('many looks at once do the work once', async () => {
    const before = said(host);
    const commit = await remote.publish(say('by one of many'));
    const looks = await Promise.all(Array.from({ length: 8 }, () => host.look()));
    const codes = looks.map(({ code }) => code);
    expect(
      codes.every((code) => code === 0 || code === 5),
      codes.join(),
    ).toBe(true);
    expect(codes).toContain(0);
    expect((await host.look()).code).toBe(0);
    expect((await host.status()).repos[0]?.applied).toBe(commit);
    expect(said(host)).toEqual([...before, 'by one of many']);
    expect(existsSync(join(host.state, 'dirty'))).toBe(false);
  });

  test('a daemon that is started during a look waits for its end', async () => {
    await using other = createHost({ repos: { it: server.url(remote.path) } });
    await remote.publish({
      scripts: { 'say.sh': '#!/bin/sh\nsleep 1\ncat text >> "$PULLYU_STATE_DIR/said"\n' },
    });
    await using look = startChild([program, '--root', other.root, 'look'], { env: { ...other.env } });
    await until(() => look.output().includes('runs'));
    const agent = await other.start();
    expect((await look.ended).exitCode).toBe(0);
    expect(agent.output()).toContain('waits for pullyu look');
    await agent.close();
    await remote.revert();
    await host.look();
  });
});

describe('a lock file', () => {
  const lock = () => join(host.state, 'lock');
  test('says nothing by what is in it: only the kernel knows who holds it', async () => {
    const stranger = spawn('sleep', ['600'], { stdio: 'ignore' });
    try {
      const { startTime } = processIdentity(stranger.pid!)!;
      for (const content of [
        { pid: 1, startTime: '1', command: 'agent' },
        { pid: stranger.pid, startTime, command: 'agent' },
        { pid: 2 ** 22, startTime: '7', command: 'look' },
        'not what is written there',
        null,
      ]) {
        writeFileSync(lock(), content === null ? '\0\0\0' : `${JSON.stringify(content)}\n`);
        await expectNextGood();
      }
      expect(stranger.exitCode).toBeNull();
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  test('of a daemon whose process id somebody else has by now does not make status believe it', async () => {
    const self = processIdentity(process.pid)!;
    writeFileSync(lock(), `${JSON.stringify({ pid: self.pid, startTime: '1', command: 'agent' })}\n`);
    expect((await host.status()).agent.pid).toBeNull();
    await expectNextGood();
  });
});

test('a run that lasts longer than many intervals is one run, and looks go on beside it', async () => {
  using witness: Witness = createWitness();
  using far = await createRemote();
  await far.publish(witness.repository('long'));
  await using near = await startGitServer({ folder: far.folder });
  await using other = createHost({ interval: '50ms', repos: { it: near.url(far.path) } });
  witness.hold();
  const agent = await other.start();
  await witness.untilBegun('again', 'long');
  const looked = async () => Date.parse((await other.status()).agent.lastLookAt ?? '');
  const first = await looked();
  await until(async () => (await looked()) > first + 500);
  const busy = await other.status();
  expect(busy.host.state).toBe('busy');
  expect(busy.actions.find(({ name }) => name === 'again')?.state).toBe('running');
  // What is pushed meanwhile is seen, and its turn comes; what is left of the older commit gives way.
  const { text, change } = nextText();
  const commit = await far.publish(change);
  await until(async () => (await other.status()).repos[0]?.seen === commit);
  expect((await other.look()).code).toBe(5);
  witness.release();
  await other.untilApplied(commit);
  expect(witness.of('again', 'long')).toHaveLength(1);
  expect(witness.of('once', 'long')).toHaveLength(0);
  for (const kind of ['again', 'once', 'probed'] as const) expect(witness.of(kind, text)).toHaveLength(1);
  await agent.close();
  await other.expectNoLeaks();
});

describe('a journal that is', () => {
  const file = () => join(host.state, 'journal.log');
  const aside = () => `${file()}.aside`;

  async function expectRefused(damage: () => void, message: RegExp): Promise<void> {
    cpSync(file(), aside());
    damage();
    const damaged = existsSync(file()) ? readFileSync(file()) : null;
    await remote.publish(say(`not with this journal ${++serial}`));
    const before = said(host);
    for (const args of [['look'], ['look'], ['history'], ['status']]) {
      const ran = await host.run(args);
      expect(ran, args.join()).toMatchObject({ code: 4, stderr: expect.stringMatching(message) });
      expect(ran.stderr).toMatch(/\nhint: \S/);
    }
    // Refused, never reset.
    expect(existsSync(file()) ? readFileSync(file()) : null).toEqual(damaged);
    expect(said(host)).toEqual(before);
    renameSync(aside(), file());
    await expectNextGood();
  }

  test('empty is refused with what to do', () =>
    expectRefused(() => truncateSync(file(), 0), /expected the journal.*an empty file/));
  test('gone is refused with what to do', () =>
    expectRefused(() => rmSync(file()), /expected the journal.*none/));
  test('of a newer version is refused with what to do', () =>
    expectRefused(
      () => writeFileSync(file(), formatRecord({ type: 'journal', version: 99, baseBytes: 0 }, 0)),
      /version 1 or older, found version 99/,
    ));
  test('damaged in the middle is refused with the place', () =>
    expectRefused(() => {
      const bytes = readFileSync(file());
      bytes[bytes.length >> 1]! ^= 0x20;
      writeFileSync(file(), bytes);
    }, /wrong checksum at line \d+, byte \d+/));

  test('torn at its end is normal', async () => {
    for (const cut of [1, 20, 60]) {
      await expectNextGood();
      // As if the last record had not been written to its end: the work of that look is not repeated.
      const bytes = readFileSync(file());
      const last = bytes.lastIndexOf(10, bytes.length - 2) + 1;
      writeFileSync(file(), bytes.subarray(0, Math.max(last, bytes.length - cut)));
      const before = said(host);
      expect((await host.look()).code).toBe(0);
      expect(said(host)).toEqual(before);
    }
    writeFileSync(file(), Buffer.concat([readFileSync(file()), Buffer.alloc(4096)]));
    await expectNextGood();
  });

  test('refused does not end a daemon, which goes on when it is restored', async () => {
    const agent = await host.start();
    const saved = readFileSync(file());
    const commit = await remote.publish(say(`again ${++serial}`));
    await host.untilApplied(commit);
    const whole = readFileSync(file());
    expect(whole.length).toBeGreaterThan(saved.length);
    await agent.close();
    truncateSync(file(), 0);
    const second = startChild([program, '--root', host.root, 'agent'], { env: { ...host.env } });
    try {
      await until(() => second.output().includes('expected the journal'), { found: () => second.output() });
      expect(second.isRunning()).toBe(true);
      writeFileSync(file(), whole);
      await until(async () => (await host.status()).agent.pid === second.pid);
      const next = await remote.publish(say(`restored ${++serial}`));
      await host.untilApplied(next);
    } finally {
      await second.close();
    }
    await expectNextGood();
  });
});

test('a host.yaml that is broken under a running daemon stops nothing for good', async () => {
  const agent = await host.start();
  const text = readFileSync(host.hostFile, 'utf8');
  writeFileSync(host.hostFile, 'repos: [\n');
  await until(() => agent.output().includes('host.yaml'), { found: () => agent.output() });
  expect(agent.isRunning()).toBe(true);
  const commit = await remote.publish(say(`with a mended host.yaml ${++serial}`));
  writeFileSync(host.hostFile, text);
  await host.untilApplied(commit);
  await agent.close();
  await host.expectNoLeaks();
});

test('a heartbeat that nobody keeps any more is visible as late', async () => {
  await using other = createHost({ interval: '1s', repos: { it: server.url(remote.path) } });
  expect((await other.look()).code).toBe(0);
  expect(await other.status()).toMatchObject({ agent: { late: false, pid: null } });
  // As read an hour later.
  const stateFile = join(other.state, 'state.json');
  const state = JSON.parse(readFileSync(stateFile, 'utf8'));
  writeFileSync(stateFile, JSON.stringify({ ...state, lastLookAt: Date.now() - 3_600_000 }));
  expect(await other.status()).toMatchObject({ agent: { late: true, pid: null } });
  const { stdout } = await other.run(['status']);
  expect(stdout).toMatch(/no agent is running.*late/);
  expect(stdout).toMatch(/hint: pullyu install/);
});

test('a clock that was wrong, in the past and in the future, holds nothing back', async () => {
  const stateFile = join(host.state, 'state.json');
  const idleFile = join(host.state, 'idle.json');
  for (const shift of [-10 * 365, -1, 1, 10 * 365].map((days) => days * 86_400_000)) {
    // What a look wrote while the clock was wrong.
    for (const file of [stateFile, idleFile]) {
      const text = readFileSync(file, 'utf8');
      const moved = text.replace(
        /("(?:lastLookAt|nextLookAt|lastContactAt|checkedAt|since)":)(\d+)/g,
        (_, key, time) => `${key}${Math.max(1, Number(time) + shift)}`,
      );
      writeFileSync(file, moved);
    }
    await expectNextGood();
  }
  const agent = await host.start();
  const state = JSON.parse(readFileSync(stateFile, 'utf8'));
  expect(Math.abs(state.nextLookAt - Date.now())).toBeLessThan(3_600_000);
  await agent.close();
});

test('a script that upgrades the agent under its feet is waited for, and reported by the new one', async () => {
  using folder = tempFolder('package');
  const own = dirname(dirname(program));
  const installed = join(folder.path, 'installed');
  const bin = join(installed, 'bin/pullyu');
  for (const name of nativeModules(own))
    cpSync(join(own, 'node_modules', name), join(installed, 'node_modules', name), { recursive: true });
  for (const [n, build] of ['zero', 'one', 'two'].entries()) {
    const to = build === 'zero' ? installed : join(folder.path, build);
    for (const name of ['bin', 'dist', 'package.json'])
      cpSync(join(own, name), join(to, name), { recursive: true });
    if (n > 0) renameChunks(join(to, 'dist'), `BUILD${n}`);
  }
  using far = await createRemote();
  await using near = await startGitServer({ folder: far.folder });
  await using other = createHost({ interval: '100ms', repos: { it: near.url(far.path) } });
  const pullyu = (...args: string[]) =>
    runProgram(['--root', other.root, ...args], { env: { ...other.env }, program: bin });
  const upgrade = [
    '#!/bin/sh',
    'set -e',
    `rm -rf ${installed}/dist ${installed}/bin`,
    'sleep 0.3',
    `cp -r ${folder.path}/$(cat text)/dist ${folder.path}/$(cat text)/bin ${installed}/`,
    'cat text >> "$PULLYU_STATE_DIR/said"',
    '',
  ].join('\n');
  await far.publish({ ...sayRepository('one'), scripts: { 'say.sh': upgrade } });

  // A single look.
  const first = await pullyu('look');
  expect([0, 1], first.stdout + first.stderr).toContain(first.code);
  expect(first.stderr).not.toContain('defect');
  const second = await pullyu('look');
  expect(second, second.stdout + second.stderr).toMatchObject({ code: 0 });
  expect(said(other)).toEqual(['one']);

  // A daemon, which its supervisor starts again when it ends.
  const starts: Child[] = [];
  const start = () =>
    starts.push(startChild([bin, '--root', other.root, 'agent'], { env: { ...other.env } }));
  const untilApplied = (commit: string) =>
    until(
      async () => {
        if (starts.at(-1)?.isRunning() !== true && existsSync(bin)) start();
        const [repo] = (await pullyu('status', '--json')).json<StatusJson>().repos;
        return repo?.applied === commit && repo.trouble === null;
      },
      { found: () => starts.map((agent) => agent.output()), everyMs: 100 },
    );
  try {
    await untilApplied(await far.publish(say('two')));
    // Whatever the old one has not loaded yet is gone: it ends and says why, instead of limping.
    const { repos } = parse(readFileSync(other.hostFile, 'utf8'));
    writeFileSync(other.hostFile, stringify({ repos, interval: '150ms', labels: { new: 'label' } }));
    await untilApplied(await far.publish({ ...say('two'), files: { text: 'two\n', readme: 'x\n' } }));
    expect(said(other)).toEqual(['one', 'two']);
    for (const agent of starts) expect(agent.output()).not.toContain('defect');
    expect((await pullyu('status', '--json')).json<StatusJson>().host.labels).toEqual({ new: 'label' });
  } finally {
    for (const agent of starts) await agent.close();
  }
  await other.expectNoLeaks();
});

/** Its parts have other names in every build: what was not loaded before an upgrade cannot be loaded after it. */
function renameChunks(dist: string, build: string): void {
  const files = readdirSync(dist).filter((name) => name.endsWith('.js'));
  const renamed = (text: string) => text.replace(/-([0-9A-Z]{8})\.js\b/g, `-$1${build}.js`);
  for (const name of files) {
    const text = readFileSync(join(dist, name), 'utf8');
    rmSync(join(dist, name));
    writeFileSync(join(dist, renamed(name)), renamed(text));
  }
}

/** What the bundle still asks for at run time. */
function nativeModules(own: string): string[] {
  const found = new Set<string>();
  const add = (name: string) => {
    if (found.has(name)) return;
    found.add(name);
    const { dependencies = {} } = JSON.parse(
      readFileSync(join(own, 'node_modules', name, 'package.json'), 'utf8'),
    );
    for (const dependency of Object.keys(dependencies))
      if (existsSync(join(own, 'node_modules', dependency))) add(dependency);
  };
  add('fs-native-extensions');
  return [...found];
}
