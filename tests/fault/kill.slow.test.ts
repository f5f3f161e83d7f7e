/** The long form of the kill tests: every step of a look, three hundred random moments, and every write that fails. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fault, faultEnvironment, readSteps } from '../support/fault.ts';
import { createKilledHost, type KilledHost } from '../support/killed-host.ts';
import { killAtRandom } from '../support/random-kills.ts';
import { tempFolder } from '../support/temp.ts';

let world: KilledHost;

beforeAll(async () => {
  world = await createKilledHost();
  for (let n = 0; n < 3; n += 1) {
    await world.push();
    expect((await world.host.look()).code).toBe(0);
  }
});

afterAll(() => world?.[Symbol.asyncDispose]());

/** The steps of a look with work, by their names. */
async function recordSteps(): Promise<string[]> {
  using folder = tempFolder('steps');
  const log = join(folder.path, 'log');
  await world.push();
  expect((await world.host.look({ env: faultEnvironment(world.host.root, { log }) })).code).toBe(0);
  return readSteps(log);
}

async function expectSurvived(fault: Fault, step: string, killed: boolean): Promise<void> {
  const pushed = await world.push();
  const first = await world.lookWith(fault);
  const said = `${JSON.stringify(fault)} (${step})\n${first.stdout}${first.stderr}`;
  // A look may take fewer steps than the one that was recorded.
  if (killed) expect([null, 0], said).toContain(first.code);
  else if (fault.do === 'fail' && fault.code !== 'EIO') expect(said).not.toContain('defect of pullyu');
  await world.expectWholeTree();
  const next = await world.host.look();
  expect(next, said + next.stdout + next.stderr).toMatchObject({ code: 0 });
  await world.expectDone(pushed).catch((error: unknown) => {
    throw new Error(`${said}\n${String(error)}`);
  });
}

test('a kill before each step of a look loses, repeats and leaks nothing', async () => {
  const steps = await recordSteps();
  expect(steps.length).toBeGreaterThan(80);
  for (const [index, step] of steps.entries())
    await expectSurvived({ do: 'kill-before', number: index + 1 }, step, true);
});

test('half of each write, then a kill', async () => {
  for (const [index, step] of (await recordSteps()).entries())
    if (/^write .*(?:\.tmp|journal\.log|lock)$/.test(step))
      await expectSurvived({ do: 'tear', number: index + 1 }, step, true);
});

for (const code of ['ENOSPC', 'EDQUOT', 'EIO'] as const) {
  test(`each call that fails with ${code} is made good for by the next look`, async () => {
    for (const [index, step] of (await recordSteps()).entries())
      if (/^(?:create|write|sync|rename|mkdir|link|truncate) /.test(step))
        await expectSurvived({ do: 'fail', code, number: index + 1 }, step, false);
  });
}

test('three hundred kills at random moments lose, repeat and leak nothing', () => killAtRandom(world, 300));
