import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, test } from 'vitest';
import { createRemote } from '../../tests/support/repo.ts';
import { sayRepository } from '../../tests/support/say.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { until } from '../../tests/support/until.ts';
import type { AgentEvent } from '../model/event.ts';
import { systemClock } from '../system/clock.ts';
import { decidePaths } from '../system/paths.ts';
import { runDaemon } from './daemon.ts';
import { takeLock } from './session.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const DAY_MS = 24 * 60 * 60_000;

/** A daemon in this very process, with a clock that can be set. */
function startDaemon(hostYaml: string) {
  const temp = tempFolder('daemon');
  closers.push(() => temp[Symbol.dispose]());
  const paths = decidePaths(temp.path, {}, 0);
  mkdirSync(paths.config, { recursive: true });
  writeFileSync(paths.hostFile, hostYaml);
  const taken = takeLock(paths, 'agent');
  if (!('lock' in taken)) throw new Error('expected the lock');
  const ending = new AbortController();
  const events: AgentEvent[] = [];
  const offset = { ms: 0 };
  const running = runDaemon(
    taken.lock,
    {
      paths,
      env: { PATH: process.env.PATH },
      clock: { ...systemClock, now: () => systemClock.now() + offset.ms },
      emit: (event) => void events.push(event),
      signal: ending.signal,
      mode: 'agent',
    },
    { onLook() {}, onLife() {} },
  );
  closers.push(async () => {
    ending.abort();
    await running;
    taken.lock.release();
  });
  const untilEvent = (type: AgentEvent['type']) =>
    until(() => events.some((event) => event.type === type), { what: type, found: () => events });
  return { paths, offset, events, untilEvent };
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
