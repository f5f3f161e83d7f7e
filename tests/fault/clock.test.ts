/** A clock that is wrong and jumps: PAINS section 2, on one host. */
import { expect } from 'vitest';
import { startGitServer } from '../../src/demo/git-server.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createHost } from '../support/host.ts';
import { needsProgram } from '../support/needs.ts';
import { createRemote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

const test = needsProgram('faketime');

test('a daemon whose clock jumps by years goes on looking and working', async () => {
  using folder = tempFolder('clock');
  const clock = createFakeClock(folder.path)!;
  using remote = await createRemote();
  const first = await remote.publish(sayRepository('at the beginning'));
  await using server = await startGitServer({ folder: remote.folder });
  await using host = createHost({ interval: '100ms', repos: { it: server.url(remote.path) } });
  // As a machine without a battery: it starts in 1976.
  clock.jump('-50y');
  const agent = await host.start({ env: clock.env });
  await host.untilApplied(first);
  const texts = ['at the beginning'];
  for (const offset of ['+0', '+10y', '-1h', '+1h', '-20y', '+0']) {
    clock.jump(offset);
    const text = `after a jump to ${offset} (${texts.length})`;
    await host.untilApplied(await remote.publish(say(text)));
    texts.push(text);
  }
  expect(agent.isRunning()).toBe(true);
  expect(said(host)).toEqual(texts);
  expect(await host.status()).toMatchObject({ agent: { late: false }, host: { state: 'working' } });
  await host.expectNoLeaks();
});

test('what waits for a time gets its turn when that time is skipped, or set back', async () => {
  using folder = tempFolder('clock');
  const clock = createFakeClock(folder.path)!;
  using remote = await createRemote();
  await remote.publish({
    files: {
      'pullyu.yaml': JSON.stringify({
        actions: {
          fails: { run: 'fails.sh', retry: { delay: '1h', max: '1h', attempts: 9 } },
          nightly: { run: 'nightly.sh', on: [{ schedule: '17 3 * * *', tz: 'UTC' }] },
        },
      }),
    },
    scripts: { 'fails.sh': '#!/bin/sh\nexit 1\n', 'nightly.sh': '#!/bin/sh\n' },
  });
  await using server = await startGitServer({ folder: remote.folder });
  await using host = createHost({ interval: '100ms', repos: { it: server.url(remote.path) } });
  const agent = await host.start({ env: clock.env });
  /** Runs that ended, as the agent tells. */
  const runs = (action: string) =>
    agent.output().match(new RegExp(`${action} (?:ok|failed)`, 'g'))?.length ?? 0;
  const untilRuns = (fits: () => boolean) => until(fits, { found: () => agent.output() });
  await untilRuns(() => runs('fails') === 1);
  // Two hours and then two days are skipped: each once, however many times were missed.
  clock.jump('+2h');
  await untilRuns(() => runs('fails') === 2);
  const nights = runs('nightly');
  clock.jump('+50h');
  await untilRuns(() => runs('nightly') === nights + 1 && runs('fails') === 3);
  // Set back: nobody knows how long ago anything was, so what failed is tried, and what was done is not done again.
  clock.jump('-1d');
  await untilRuns(() => runs('fails') >= 4);
  expect(runs('nightly')).toBe(nights + 1);
  await host.expectNoLeaks();
});
