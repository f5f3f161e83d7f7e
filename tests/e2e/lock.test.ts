/** `pullyu lock`: not two at once, whatever dies; and the notes that scripts of the practice read. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { processesMarked, signalProcess } from '../../src/system/processes.ts';
import { type Child, startChild } from '../support/child.ts';
import { faultEnvironment, killBefore } from '../support/fault.ts';
import { gitEnvironment } from '../support/git.ts';
import { createHost, program, runProgram } from '../support/host.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { until } from '../support/until.ts';

const env = { ...gitEnvironment, NO_COLOR: '1' };

const lock = (cwd: string, ...args: string[]) => runProgram(['lock', ...args], { cwd, env });

const note = (remote: Remote, name: string) => join(remote.work, '.temp/nodeinfo', name);
const noted = (remote: Remote, name: string) =>
  existsSync(note(remote, name)) ? readFileSync(note(remote, name), 'utf8').trim() : null;

/** A command that says that it has begun and then waits to be told to end. */
const WAITS = 'touch begun; while [ ! -e end ]; do sleep 0.05; done';

async function startLock(remote: Remote, action: string, script: string, more = {}): Promise<Child> {
  const child = startChild([program, 'lock', action, '--', 'sh', '-c', script], {
    cwd: remote.work,
    env: { ...env, ...more },
  });
  await until(() => existsSync(join(remote.work, 'begun')), {
    what: 'the command to begin',
    found: child.output,
  });
  return child;
}

test('the command runs with the markers, and its success is recorded; its failure is passed on and is not', async () => {
  using remote = await createRemote();
  const head = await remote.commit({ files: { a: '1' } });
  const shows = 'cd .temp/nodeinfo; for f in currentaction*.txt; do echo "$f $(cat "$f")"; done';
  const good = await lock(remote.work, 'deploy', '--', 'sh', '-c', shows);
  expect(good).toMatchObject({
    code: 0,
    stdout: `currentaction.deploy.txt ${head}\ncurrentaction.txt ${head}\n`,
    stderr: '',
  });
  expect(noted(remote, 'lastaction.txt')).toBe(head);
  expect(noted(remote, 'lastaction.deploy.txt')).toBe(head);
  expect(readdirSync(note(remote, '')).sort()).toEqual([
    'deploy.lock',
    'lastaction.deploy.txt',
    'lastaction.txt',
  ]);
  const two = await remote.commit({ files: { a: '2' } });
  expect((await lock(remote.work, 'deploy', '--', 'sh', '-c', 'exit 7')).code).toBe(7);
  expect((await lock(remote.work, 'deploy', '--', 'sh', '-c', 'kill -9 $$')).code).toBe(137);
  expect(noted(remote, 'lastaction.txt')).toBe(head);
  expect(noted(remote, 'currentaction.txt')).toBeNull();
  // Options of the command are its own, with and without the dashes.
  expect((await lock(remote.work, 'deploy', 'sh', '-c', 'echo "$1"', 'sh', '--json')).stdout).toBe(
    '--json\n',
  );
  expect(noted(remote, 'lastaction.deploy.txt')).toBe(two);
});

test('a second caller is busy with one line and exit code 5; another action runs beside it', async () => {
  using remote = await createRemote();
  const head = await remote.commit({ files: { a: '1' } });
  await using first = await startLock(remote, 'deploy', WAITS);
  const second = await lock(remote.work, 'deploy', '--', 'touch', 'second');
  expect(second).toMatchObject({
    code: 5,
    stdout: '',
    stderr: `busy: deploy is at work (process ${first.pid})\n`,
  });
  expect(existsSync(join(remote.work, 'second'))).toBe(false);
  expect((await lock(remote.work, 'backup', '--', 'true')).code).toBe(0);
  // The checkout as a whole is still being acted upon.
  expect(noted(remote, 'currentaction.txt')).toBe(head);
  writeFileSync(join(remote.work, 'end'), '');
  expect((await first.ended).exitCode).toBe(0);
  expect(noted(remote, 'currentaction.txt')).toBeNull();
});

test('what a crash left behind blocks nobody; a command that outlived its lock does', async () => {
  using remote = await createRemote();
  await remote.commit({ files: { a: '1' } });
  await using first = await startLock(remote, 'deploy', WAITS, { TEST_MARK: remote.work });
  // The markers, the lock's file and the command's process stay, whether it was noted yet or not.
  signalProcess({ pid: first.pid, startTime: startTimeOf(first.pid) }, 'SIGKILL');
  await first.ended;
  expect(noted(remote, 'currentaction.txt')).not.toBeNull();
  const commands = processesMarked('TEST_MARK', remote.work);
  expect(commands.length).toBeGreaterThan(0);
  expect(await lock(remote.work, 'deploy', '--', 'true')).toMatchObject({ code: 5 });
  writeFileSync(join(remote.work, 'end'), '');
  await until(() => processesMarked('TEST_MARK', remote.work).length === 0, { what: 'the command to end' });
  expect(await lock(remote.work, 'deploy', '--', 'true')).toMatchObject({ code: 0, stderr: '' });
  expect(readdirSync(note(remote, '')).sort()).toEqual([
    'deploy.lock',
    'lastaction.deploy.txt',
    'lastaction.txt',
  ]);
});

test('killed before it notes which process its command is, it leaves a note that finds the command', async () => {
  using remote = await createRemote();
  await remote.commit({ files: { a: '1' } });
  const fault = killBefore('create .temp/nodeinfo/deploy.process.*.tmp', 2);
  await using first = await startLock(remote, 'deploy', WAITS, faultEnvironment(remote.work, { fault }));
  await first.ended;
  expect(await lock(remote.work, 'deploy', '--', 'true')).toMatchObject({
    code: 5,
    stderr: expect.stringMatching(/^busy: deploy is at work \(process \d+\)\n$/),
  });
  writeFileSync(join(remote.work, 'end'), '');
  const again = async () => (await lock(remote.work, 'deploy', '--', 'true')).code === 0;
  await until(again, { what: 'the command to end' });
  expect(existsSync(note(remote, 'deploy.process'))).toBe(false);
});

test('of ten at once exactly one runs', async () => {
  using remote = await createRemote();
  await remote.commit({ files: { a: '1' } });
  const all = Array.from({ length: 10 }, () =>
    lock(remote.work, 'deploy', '--', 'sh', '-c', 'echo x >> ran; while [ ! -e end ]; do sleep 0.05; done'),
  );
  let busy = 0;
  for (const one of all)
    void one.then(({ code }) => {
      if (code === 5) busy += 1;
    });
  await until(() => busy === 9, { what: 'nine to be busy', found: () => busy });
  writeFileSync(join(remote.work, 'end'), '');
  const codes = (await Promise.all(all)).map(({ code }) => code).sort();
  expect(codes).toEqual([0, 5, 5, 5, 5, 5, 5, 5, 5, 5]);
  expect(readFileSync(join(remote.work, 'ran'), 'utf8')).toBe('x\n');
});

test('signals reach the command, and what it makes of them is the answer', async () => {
  using remote = await createRemote();
  await remote.commit({ files: { a: '1' } });
  const script = 'trap "echo got it; exit 9" TERM; touch begun; while :; do sleep 0.05; done';
  await using child = await startLock(remote, 'deploy', script);
  process.kill(child.pid, 'SIGTERM');
  expect((await child.ended).exitCode).toBe(9);
  expect(child.output()).toBe('got it\n');
  expect(noted(remote, 'lastaction.deploy.txt')).toBeNull();
  expect(noted(remote, 'currentaction.deploy.txt')).toBeNull();
});

test('a wrong name, no command, a program that is not there and no checkout are errors', async () => {
  using remote = await createRemote();
  await remote.commit({ files: { a: '1' } });
  expect(await lock(remote.work, '../x', '--', 'true')).toMatchObject({ code: 2 });
  expect((await lock(remote.work, 'deploy', '--')).stderr).toContain('expected a command after --');
  const missing = await lock(remote.work, 'deploy', '--', 'no-such-program');
  expect(missing).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('expected the program "no-such-program"'),
  });
  expect(readdirSync(note(remote, ''))).toEqual(['deploy.lock']);
  const outside = await lock('/', 'deploy', '--', 'true');
  expect(outside).toMatchObject({ code: 2, stderr: expect.stringContaining('expected a git checkout') });
});

test("inside a run of the agent the notes of the whole checkout stay the agent's", async () => {
  using remote = await createRemote();
  const script = `#!/bin/sh
set -eu
if commit=$(${program} detect path app --action deploy) && [ -n "$commit" ]; then
  ${program} lock deploy -- sh -c 'ls .temp/nodeinfo > "$PULLYU_STATE_DIR/notes"; echo deployed "$1" >> "$PULLYU_STATE_DIR/said"' sh "$commit"
fi
`;
  const one = await remote.publish({
    files: { 'app/a': '1' },
    scripts: { 'bin/work/common/work.sh': script },
  });
  await using host = createHost({ repos: { it: remote.bare } });
  const at = (path: string) => host.read(`var/lib/pullyu/repos/it/${path}`);
  expect((await host.look()).code).toBe(0);
  expect(at('state/work-common/said')).toBe(`deployed ${one}\n`);
  expect(at('state/work-common/notes')?.split('\n').filter(Boolean)).toEqual([
    'currentaction.deploy.txt',
    'currentaction.txt',
    'deploy.lock',
    'deploy.process',
  ]);
  expect(at('temp/nodeinfo/lastaction.deploy.txt')).toBe(`${one}\n`);
  const two = await remote.publish({ files: { unrelated: '1' } });
  await host.look();
  expect(at('temp/nodeinfo/lastaction.txt')).toBe(`${two}\n`);
  expect(at('state/work-common/said')).toBe(`deployed ${one}\n`);
  const three = await remote.publish({ files: { 'app/a': '2' } });
  await host.look();
  expect(at('state/work-common/said')).toBe(`deployed ${one}\ndeployed ${three}\n`);
});

function startTimeOf(pid: number): string {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]!;
}
