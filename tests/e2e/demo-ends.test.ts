/** The demo when it does not come to its end: what it started ends all the same. */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { signalProcess } from '../../src/system/processes.ts';
import { startDemo } from '../support/demo.ts';
import { processesOf } from '../support/leaks.ts';
import { until } from '../support/until.ts';

test('Ctrl-C ends the demo and everything that it started, also when it is pressed twice', async () => {
  await using demo = startDemo();
  await demo.untilSays('3. A push');
  demo.child.kill('SIGINT');
  await demo.untilSays('Ends what was started.');
  demo.child.kill('SIGINT');
  expect((await demo.child.ended).exitCode).toBe(1);
  expect(demo.child.output()).toMatch(/Everything that was started is ended, and \S+ is removed\.\n$/);
  expect(demo.left()).toEqual([]);
});

test('an expectation that does not hold ends it with what was expected, what was found, and the logs', async () => {
  await using demo = startDemo();
  await demo.untilSays('4. A commit');
  const agent = processesOf(demo.folder).find(({ command }) => command.endsWith('bin/pullyu agent'))!;
  signalProcess(agent.identity, 'SIGKILL');
  expect((await demo.child.ended).exitCode).toBe(1);
  const text = demo.child.output();
  expect(text).toMatch(/error: expected an agent that goes on, found that it ended/);
  expect(text).toMatch(/pullyu status:\nweb-1 is /);
  expect(text).toMatch(/pullyu logs shop:\nthe shop of [0-9a-f]{40} answers/);
  expect(text).toMatch(/The last words of the agent:\n\S+Z agent \S+ follows the repo it/);
  expect(demo.left()).toEqual([]);
});

test('what a demo leaves that is killed itself is removed by the next one', async () => {
  await using demo = startDemo();
  await demo.untilSays('3. A push');
  demo.child.kill('SIGKILL');
  await demo.child.ended;
  expect(demo.left()).not.toEqual([]);
  const [abandoned] = readdirSync(demo.folder);
  await using next = demo.startAnother();
  await until(() => next.output().includes('1. A repository'), { what: 'the next demo to begin' });
  expect(readdirSync(demo.folder)).not.toContain(abandoned);
  next.kill('SIGTERM');
  await next.ended;
  expect(demo.left()).toEqual([]);
});
