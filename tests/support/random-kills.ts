/** Kills at moments that nobody chose, of whatever is at work then, with pushes going on. */
import { randomInt } from 'node:crypto';
import { expect } from 'vitest';
import { delay } from '../../src/system/clock.ts';
import { signalProcess } from '../../src/system/processes.ts';
import { startChild } from './child.ts';
import { program } from './host.ts';
import type { KilledHost } from './killed-host.ts';
import { type OwnedProcess, processesOf } from './leaks.ts';
import { KINDS } from './witness.ts';

/** What is killed: the agent alone; one of the programs that it started; everything at once, and the machine is started again. */
type Victim = 'agent' | 'child' | 'machine';
const VICTIMS: readonly Victim[] = ['agent', 'agent', 'agent', 'child', 'machine'];

/** Every round: a push, a kill in the work on it, sometimes more in the middle of the recovery; then all must be well without a human. */
export async function killAtRandom(world: KilledHost, kills: number): Promise<void> {
  let boot = 0;
  const spanMs = await calibrate(world);
  for (let left = kills; left > 0; ) {
    const victim = VICTIMS[randomInt(VICTIMS.length)]!;
    let pushed = await world.push();
    let said = '';
    const inARow = Math.min(left, 1 + randomInt(3));
    for (let n = 1; n <= inARow; n += 1) {
      const afterMs = randomInt(spanMs);
      said += await lookAndKill(world, { victim, afterMs, bootId: `boot-${boot}` });
      if (victim === 'machine') boot += 1;
      await world.expectWholeTree();
      if (randomInt(3) === 0) pushed = await world.push();
    }
    await expectRecovery(world, pushed, { victim, bootId: `boot-${boot}`, said: `${left} to go: ${said}` });
    left -= inARow;
  }
}

/** How long a look with work takes here and now. */
async function calibrate(world: KilledHost): Promise<number> {
  await world.push();
  const begun = Date.now();
  expect((await world.host.look({ env: { PULLYU_BOOT_ID: 'boot-0' } })).code).toBe(0);
  return Math.round((Date.now() - begun) * 1.2);
}

interface Kill {
  readonly victim: Victim;
  readonly afterMs: number;
  readonly bootId: string;
}

async function lookAndKill(world: KilledHost, { victim, afterMs, bootId }: Kill): Promise<string> {
  const { host } = world;
  // Once is as good as daemon: each pass is the same pass.
  const command = randomInt(2) === 0 ? 'look' : 'agent';
  await using look = startChild([program, '--root', host.root, command], {
    env: { ...host.env, PULLYU_BOOT_ID: bootId },
    cwd: '/',
  });
  await Promise.race([delay(afterMs), look.ended]);
  const living = processesOf(host.root).filter(({ identity }) => identity.pid !== look.pid);
  if (victim === 'agent') look.kill('SIGKILL');
  else if (victim === 'machine') killMachine(world, look);
  else if (living.length > 0) signalProcess(living[randomInt(living.length)]!.identity, 'SIGKILL');
  if (victim === 'child' && command === 'agent') look.kill('SIGTERM');
  await look.ended;
  return `[${victim} of ${command} after ${afterMs} ms, beside ${living.map(({ command }) => command.slice(0, 60)).join('; ')}] ${look.output()}`;
}

/** As when the power goes: nothing of the host is left, and nothing had the time to say anything. */
export function killMachine(
  world: Pick<KilledHost, 'host'>,
  agent?: { kill(signal: 'SIGKILL'): void },
): void {
  agent?.kill('SIGKILL');
  for (let round = 0; round < 5; round += 1) {
    const left: OwnedProcess[] = processesOf(world.host.root);
    for (const { identity } of left) signalProcess(identity, 'SIGKILL');
    if (left.length === 0) return;
  }
}

async function expectRecovery(
  world: KilledHost,
  pushed: { text: string; commit: string },
  o: { victim: Victim; bootId: string; said: string },
): Promise<void> {
  const env = { PULLYU_BOOT_ID: o.bootId };
  const look = async () => {
    const ran = await world.host.look({ env });
    return { code: ran.code, said: `${o.said}${ran.stdout}${ran.stderr}` };
  };
  let last = await look();
  if (o.victim === 'agent') {
    expect(last, last.said).toMatchObject({ code: 0 });
    return await world.expectDone(pushed);
  }
  // What was cut off itself is tried again after its wait, as any failure.
  for (let n = 0; n < 10 && last.code !== 0; n += 1) {
    if (world.host.read('var/lib/pullyu/state.json') !== null && (await isUnknown(world))) {
      // A run that may happen once only was cut off: nobody but a person, or the next commit, can go on from there.
      expect(world.witness.of('once', pushed.text).length).toBeLessThanOrEqual(1);
      pushed = await world.push();
    }
    await delay(250);
    last = await look();
  }
  expect(last, last.said).toMatchObject({ code: 0 });
  await world.expectDone(
    pushed,
    KINDS.filter((kind) => kind !== 'once'),
  );
}

async function isUnknown(world: KilledHost): Promise<boolean> {
  const { actions } = await world.host.status();
  return actions.some(({ name, reason }) => name === 'once' && (reason === 'unknown' || reason === 'parked'));
}
