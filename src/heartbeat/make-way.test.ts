import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import { systemClock } from '../system/clock.ts';
import { decidePaths } from '../system/paths.ts';
import { isAlive, processIdentity } from '../system/processes.ts';
import type { HeartbeatContext } from './context.ts';
import { makeWay } from './make-way.ts';
import { decidePlaces } from './places.ts';

/** A host on which systemd runs, says that its unit has that main process, and another process holds the lock as an agent. */
async function createHost(folder: string, options: { mainPid: 'none' | 'agent'; cron: boolean }) {
  const paths = decidePaths(folder, {}, 0);
  mkdirSync(paths.state, { recursive: true });
  const places = { ...decidePlaces(paths, { uid: 0, env: {}, cronFolder: true }), registered: true };
  const agent = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(agent, 'spawn');
  const identity = processIdentity(agent.pid!)!;
  writeFileSync(join(paths.state, 'lock'), `${JSON.stringify({ ...identity, command: 'agent' })}\n`);
  const systemctl = join(folder, 'systemctl');
  const mainPid = options.mainPid === 'agent' ? agent.pid : 0;
  writeFileSync(systemctl, `#!/bin/sh\necho MainPID=${mainPid}\n`, { mode: 0o755 });
  if (options.cron) {
    mkdirSync(dirname(places.script), { recursive: true });
    writeFileSync(places.script, '#!/bin/sh\n');
  }
  const context: HeartbeatContext = {
    paths,
    env: { PATH: process.env.PATH },
    uid: 0,
    clock: systemClock,
    launcher: { node: '/usr/bin/node', bin: '/opt/pullyu/bin/pullyu' },
    tools: { systemctl: [systemctl] },
  };
  const machine = {
    uid: 0,
    systemd: 'running',
    userManager: false,
    lingers: false,
    cronFolder: true,
    crontab: false,
    cronDaemon: true,
  } as const;
  return {
    pid: agent.pid,
    lives: () => isAlive(identity),
    makeWay: () => makeWay(places, machine, context),
    [Symbol.dispose]: () => void agent.kill('SIGKILL'),
  };
}

test("the agent of the unit stays, whether cron's script is there or not", async () => {
  for (const cron of [true, false]) {
    using folder = tempFolder('way');
    using host = await createHost(folder.path, { mainPid: 'agent', cron });
    expect(await host.makeWay()).toEqual([]);
    expect(host.lives()).toBe(true);
  }
});

test('the daemon that cron keeps is ended', async () => {
  using folder = tempFolder('way');
  using host = await createHost(folder.path, { mainPid: 'none', cron: true });
  expect(await host.makeWay()).toEqual([{ did: 'stopped', what: `the agent (process ${host.pid})` }]);
  expect(host.lives()).toBe(false);
});

test('an agent of somebody else is not ended, but named', async () => {
  using folder = tempFolder('way');
  using host = await createHost(folder.path, { mainPid: 'none', cron: false });
  await expect(host.makeWay()).rejects.toMatchObject({
    code: 'busy',
    hint: expect.stringContaining(`kill ${host.pid}`),
  });
  expect(host.lives()).toBe(true);
});
