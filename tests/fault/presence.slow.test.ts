/** The long form of presence.test.ts: every step of a look that has something to tell, and two hundred random moments. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fault, faultEnvironment, readSteps } from '../support/fault.ts';
import { killAtRandom } from '../support/random-kills.ts';
import { tempFolder } from '../support/temp.ts';
import { createToldHost, type ToldHost } from '../support/told-host.ts';

let world: ToldHost;

beforeAll(async () => {
  world = await createToldHost();
  expect((await world.host.look()).code).toBe(0);
});

afterAll(() => world?.[Symbol.asyncDispose]());

const faultsAt = (number: number, step: string): Fault[] => [
  { do: 'kill-before', number },
  ...(/^write .*\.tmp$/.test(step) ? [{ do: 'tear', number } as const] : []),
];

test('a kill before each step of publishing, or in the middle of a write: all is told once', async () => {
  using folder = tempFolder('steps');
  const log = join(folder.path, 'log');
  await world.push();
  expect((await world.host.look({ env: faultEnvironment(world.host.root, { log }) })).code).toBe(0);
  const steps = readSteps(log);
  for (const [index, step] of steps.entries()) {
    if (!/ status\//.test(step)) continue;
    for (const fault of faultsAt(index + 1, step)) {
      const pushed = await world.push();
      const killed = await world.lookWith(fault);
      // A look may take fewer steps than the one that was recorded.
      expect([null, 0], `${fault.do} ${step}: ${killed.stdout}${killed.stderr}`).toContain(killed.code);
      expect((await world.host.look()).code).toBe(0);
      await world.expectDone(pushed);
    }
  }
});

test('two hundred kills at random moments: all is told once', () => killAtRandom(world, 200));
