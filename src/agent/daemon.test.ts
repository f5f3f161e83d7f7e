import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { createRemote } from '../../tests/support/repo.ts';
import { say, sayRepository } from '../../tests/support/say.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { until } from '../../tests/support/until.ts';
import type { AgentEvent } from '../model/event.ts';
import { systemClock } from '../system/clock.ts';
import { decidePaths } from '../system/paths.ts';
import { runDaemon, tickWhileLooking } from './daemon.ts';
import { askForLook } from './one-look.ts';
import { type Session, takeLock } from './session.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const DAY_MS = 24 * 60 * 60_000;

/** A daemon in this very process, with a clock that can be set. */
function startDaemon(hostYaml: string, env: Readonly<Record<string, string | undefined>> = {}) {
  const temp = tempFolder('daemon');
  closers.push(() => temp[Symbol.dispose]());
  const paths = decidePaths(temp.path, {}, 0);
  mkdirSync(paths.config, { recursive: true });
  writeFileSync(paths.hostFile, hostYaml);
  const taken = takeLock(paths, 'agent');
  if (!('lock' in taken)) throw new Error('expected the lock');
  const ending = new AbortController();
  const events: AgentEvent[] = [];
  const looks: string[] = [];
  const offset = { ms: 0, monotonicAt: null as number | null };
  const running = runDaemon(
    taken.lock,
    {
      paths,
      env: { PATH: process.env.PATH, ...env },
      clock: {
        ...systemClock,
        now: () => systemClock.now() + offset.ms,
        monotonic: () => offset.monotonicAt ?? systemClock.monotonic(),
      },
      emit: (event) => void events.push(event),
      signal: ending.signal,
      mode: 'agent',
    },
    { onLook: (text) => void looks.push(text), onLife() {} },
  );
  closers.push(async () => {
    ending.abort();
    await running;
    taken.lock.release();
  });
  const untilEvent = (type: AgentEvent['type']) =>
    until(() => events.some((event) => event.type === type), { what: type, found: () => events });
  const end = async () => {
    ending.abort();
    await running;
  };
  return { paths, offset, events, looks, untilEvent, end };
}

test('remotes are asked again after a failure, also when the clock was set back meanwhile', async () => {
  using remote = await createRemote();
  const daemon = startDaemon(`interval: 100ms\nrepos: {it: {remotes: [${remote.bare}], track: main}}\n`);
  daemon.offset.ms = DAY_MS;
  await daemon.untilEvent('trouble-began');
  daemon.offset.ms = 0;
  await remote.publish(sayRepository('one'));
  await daemon.untilEvent('applied');
});

test('a host.yaml that was corrected is read at once, whatever the wait was', async () => {
  const daemon = startDaemon('interval: soon\n');
  await daemon.untilEvent('warning');
  writeFileSync(daemon.paths.hostFile, 'interval: 100ms\n');
  await daemon.untilEvent('agent-started');
});

test('a repo that is dead slows no other, and is asked again when a person asks for a look', async () => {
  using live = await createRemote();
  using dead = await createRemote();
  await live.publish(sayRepository('one'));
  const last = await dead.publish(sayRepository('away'));
  renameSync(dead.bare, `${dead.bare}.away`);
  const repos = `{dead: {remotes: [${dead.bare}], track: main}, it: {remotes: [${live.bare}], track: main}}`;
  const daemon = startDaemon(`interval: 100ms\nrepos: ${repos}\n`);
  await daemon.untilEvent('applied');
  // No back-off ends any more.
  daemon.offset.monotonicAt = systemClock.monotonic();
  const applied = (commit: string) =>
    until(() => daemon.events.some((event) => event.type === 'applied' && event.commit === commit), {
      what: `applied ${commit}`,
      found: () => daemon.events,
    });
  for (const text of ['two', 'three']) await applied(await live.publish(say(text)));
  daemon.looks.length = 0;
  await until(() => daemon.looks.includes('nothing to do'), { what: 'an idle look beside the dead repo' });
  expect(daemon.events.filter((event) => event.type === 'trouble-began')).toHaveLength(1);
  renameSync(`${dead.bare}.away`, dead.bare);
  await askForLook(daemon.paths, new AbortController().signal);
  await applied(last);
});

test('the word to end ends every git at once, whatever it does, and that is no trouble', async () => {
  using remote = await createRemote();
  using tools = tempFolder('tools');
  await remote.publish(sayRepository('one'));
  const git = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
  const mark = join(tools.path, 'scanning');
  // A scan lists the tree. This one would last an hour.
  const script = `#!/bin/sh\ncase " $* " in *" ls-tree "*) : > ${mark}; exec sleep 3600;; esac\nexec ${git} "$@"\n`;
  writeFileSync(join(tools.path, 'git'), script, { mode: 0o755 });
  const daemon = startDaemon(`interval: 100ms\nrepos: {it: {remotes: [${remote.bare}], track: main}}\n`, {
    PATH: `${tools.path}:${process.env.PATH}`,
  });
  await until(() => existsSync(mark), { what: 'a scan' });
  await daemon.end();
  expect(daemon.events.filter((event) => event.type.startsWith('trouble'))).toEqual([]);
});

test('the look beside a run ends before the next look begins', async () => {
  let ticks = 0;
  let answer = () => {};
  const looker = {
    openRun: () => ({}),
    view: () => ({ config: { intervalMs: 1 } }),
    busyTick: () => {
      ticks += 1;
      return new Promise<void>((resolve) => {
        answer = resolve;
      });
    },
  };
  const session = { looker, context: { clock: systemClock, emit() {} } } as unknown as Session;
  const stopTicking = tickWhileLooking(
    session,
    { isHeld: () => true },
    { onLook() {}, onLife() {} },
    () => {},
  );
  await until(() => ticks === 1, { what: 'a look beside the run' });
  let hasStopped = false;
  const stopping = stopTicking().then(() => {
    hasStopped = true;
  });
  await setImmediate();
  expect(hasStopped).toBe(false);
  answer();
  await stopping;
  expect(ticks).toBe(1);
});

test('a host.yaml that was emptied is told once, and what was valid stays in force', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  const daemon = startDaemon(`interval: 100ms\nrepos: {it: {remotes: [${remote.bare}], track: main}}\n`);
  await daemon.untilEvent('applied');
  writeFileSync(daemon.paths.hostFile, '');
  await daemon.untilEvent('warning');
  const two = await remote.publish(say('two'));
  await until(() => daemon.events.some((event) => event.type === 'applied' && event.commit === two), {
    what: 'applied',
  });
  expect(daemon.events.filter((event) => event.type === 'warning')).toHaveLength(1);
});
