import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import { until } from '../../tests/support/until.ts';
import { readFileOrNull } from '../system/files.ts';
import { processIdentity, readProcessStat } from '../system/processes.ts';
import { endDaemon, findDaemon, startDaemon } from './daemon.ts';

/** An agent that says so in the lock file and lives until it is ended; deaf to TERM when asked. */
function host(folder: string, deaf = false) {
  const state = join(folder, 'var/lib/pullyu');
  const bin = join(folder, 'pullyu.sh');
  mkdirSync(state, { recursive: true });
  writeFileSync(
    bin,
    `${deaf ? `trap '' TERM\n` : ''}echo "$*"
     read -r stat </proc/$$/stat
     set -- $stat
     shift 21
     printf '{"pid":%s,"startTime":"%s","command":"agent"}\\n' $$ "$1" >${state}/lock
     while :; do sleep 0.05; done\n`,
  );
  const log = join(state, 'heartbeat.log');
  const start = () =>
    startDaemon({ launcher: { node: '/bin/sh', bin }, root: folder, log, env: { PATH: '/usr/bin:/bin' } });
  return {
    state,
    log,
    start,
    found: () => until(() => findDaemon(state), { what: 'the daemon to hold the lock' }),
  };
}

test('a daemon starts in a session of its own, says everything to the log, and is found by its lock', async () => {
  using folder = tempFolder('daemon');
  const { state, log, start, found } = host(folder.path);
  expect(findDaemon(state)).toBeNull();
  const pid = await start();
  const daemon = await found();
  expect(daemon).toMatchObject({ pid, command: 'agent' });
  expect(readProcessStat(pid)?.session).toBe(pid);
  expect(await endDaemon(daemon, 10_000)).toBe(true);
  expect(findDaemon(state)).toBeNull();
  expect(readFileOrNull(log)).toBe(`--root ${folder.path} agent\n`);
});

test('a daemon that does not hear TERM is killed', async () => {
  using folder = tempFolder('daemon');
  const { start, found } = host(folder.path, true);
  await start();
  expect(await endDaemon(await found(), 100)).toBe(true);
});

test('a pid that was given to another process is nobody we know', async () => {
  using folder = tempFolder('daemon');
  const { state } = host(folder.path);
  const self = { ...processIdentity(process.pid)!, startTime: '1', command: 'agent' };
  writeFileSync(join(state, 'lock'), JSON.stringify(self));
  expect(findDaemon(state)).toBeNull();
  expect(await endDaemon(self, 100)).toBe(true);
});

test('a one-shot look that holds the lock is no daemon', () => {
  using folder = tempFolder('daemon');
  const { state } = host(folder.path);
  writeFileSync(join(state, 'lock'), JSON.stringify({ ...processIdentity(process.pid)!, command: 'look' }));
  expect(findDaemon(state)).toBeNull();
});
