import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import { until } from '../../tests/support/until.ts';
import { systemClock } from '../system/clock.ts';
import { decidePaths } from '../system/paths.ts';
import { isAlive } from '../system/processes.ts';
import type { HeartbeatContext } from './context.ts';
import { endDaemon, findDaemon, showLife } from './daemon.ts';
import { keepHeartbeat } from './keep.ts';

const MINUTE = 60_000;

/** A host whose `pullyu agent` is a shell script: takes the lock as the agent does, then lives. */
function createHost(folder: string, agent: 'lives' | 'dies' = 'lives') {
  const paths = decidePaths(folder, {}, 0);
  mkdirSync(paths.state, { recursive: true });
  const bin = join(folder, 'pullyu.sh');
  const script = `read -r stat </proc/$$/stat
    set -- $stat
    shift 21
    printf '{"pid":%s,"startTime":"%s","command":"agent"}\\n' $$ "$1" >${paths.state}/lock
    while :; do sleep 0.05; done\n`;
  writeFileSync(bin, agent === 'lives' ? script : 'exit 1\n');
  let ahead = 0;
  const now = () => Date.now() + ahead;
  const said: string[] = [];
  const context: HeartbeatContext = {
    paths,
    env: { PATH: process.env.PATH },
    uid: 0,
    clock: { ...systemClock, now },
    launcher: { node: '/bin/sh', bin },
    machine: {
      uid: 0,
      systemd: 'absent',
      userManager: false,
      lingers: false,
      cronFolder: true,
      crontab: true,
      cronDaemon: true,
    },
  };
  return {
    state: paths.state,
    said,
    call: (intervalMs: number, supervised = false) =>
      keepHeartbeat({ intervalMs, supervised, say: (text) => said.push(text) }, context),
    looked: (at = now()) =>
      writeFileSync(
        join(paths.state, 'state.json'),
        JSON.stringify({ version: 1, lastLookAt: at, repos: {} }),
      ),
    later: (ms: number) => {
      ahead += ms;
    },
    now,
    daemon: () => until(() => findDaemon(paths.state), { what: 'a daemon' }),
    [Symbol.asyncDispose]: async () => {
      const daemon = findDaemon(paths.state);
      if (daemon) await endDaemon(daemon, 5_000);
    },
  };
}

test('with an interval of a minute cron looks itself, quietly, and no more often than that', async () => {
  using folder = tempFolder('keep');
  await using host = createHost(folder.path);
  expect(await host.call(MINUTE)).toBe('look');
  host.looked();
  expect(await host.call(MINUTE)).toBe('rest');
  host.later(MINUTE);
  expect(await host.call(MINUTE)).toBe('look');
  expect(host.said).toEqual([]);
});

test('with an interval of seconds a daemon is started, left alone while it looks, and replaced when it stops looking', async () => {
  using folder = tempFolder('keep');
  await using host = createHost(folder.path);
  expect(await host.call(5_000)).toBe('rest');
  const first = await host.daemon();
  host.looked();
  expect(await host.call(5_000)).toBe('rest');
  expect(host.said).toEqual(['the agent was not running: started it']);

  host.later(2 * MINUTE);
  expect(await host.call(5_000)).toBe('rest');
  expect(isAlive(first)).toBe(false);
  expect((await host.daemon()).pid).not.toBe(first.pid);
  expect(host.said.at(-2)).toBe(
    `the agent (process ${first.pid}) has not looked for three intervals: it is replaced`,
  );
});

test('a daemon whose first look takes long but makes progress is not replaced', async () => {
  using folder = tempFolder('keep');
  await using host = createHost(folder.path);
  await host.call(5_000);
  const daemon = await host.daemon();
  host.later(30 * MINUTE);
  showLife(host.state, host.now());
  expect(await host.call(5_000)).toBe('rest');
  expect(isAlive(daemon)).toBe(true);
});

test('a daemon that cannot live here leaves the looking to cron', async () => {
  using folder = tempFolder('keep');
  await using host = createHost(folder.path, 'dies');
  expect(await host.call(5_000)).toBe('look');
});

test('a late daemon that systemd supervises is ended, and cron looks meanwhile', async () => {
  using folder = tempFolder('keep');
  await using host = createHost(folder.path);
  await host.call(5_000);
  const daemon = await host.daemon();
  host.later(5 * MINUTE);
  expect(await host.call(5_000, true)).toBe('look');
  expect(isAlive(daemon)).toBe(false);
});
