import { expect, test } from 'vitest';
import { PullyuError } from '../errors.ts';
import type { AgentEvent } from '../model/event.ts';
import { createErrands } from './errands.ts';
import type { Looker } from './look.ts';

function world(runByHand: Looker['runByHand'] = async () => null, holdMaxMs = 60_000) {
  const events: AgentEvent[] = [];
  const ending = new AbortController();
  let open: unknown = null;
  let woken = 0;
  const wake = () => {
    woken += 1;
  };
  const looker = { runByHand, openRun: () => open } as unknown as Looker;
  const errands = createErrands(looker, wake, ending.signal, {
    now: () => 5,
    emit: (event) => void events.push(event),
    holdMaxMs,
  });
  return {
    errands,
    ending,
    events,
    wakes: () => woken,
    setOpen: (run: unknown) => {
      open = run;
    },
  };
}

test('a run waits until no look is under way, and wakes the daemon for that', async () => {
  let ran = 0;
  const { errands, wakes } = world(async () => {
    ran += 1;
    return null;
  });
  const answer = errands.run('it', 'say');
  expect({ ran, wakes: wakes() }).toEqual({ ran: 0, wakes: 1 });
  await errands.carryOut();
  expect(await answer).toEqual({ run: null });
  expect(ran).toBe(1);
});

test('while a run is open, one waits or a person works, everybody else is told at once', async () => {
  const { errands, setOpen } = world();
  setOpen({});
  expect(await errands.run('it', 'say')).toMatchObject({ code: 'busy' });
  expect(await errands.hold(Promise.resolve())).toBe(false);
  setOpen(null);
  let release = () => {};
  const held = errands.hold(new Promise((resolve) => (release = resolve)));
  expect(await errands.run('it', 'say')).toMatchObject({ code: 'busy' });
  const carrying = errands.carryOut();
  expect(await held).toBe(true);
  expect([errands.isHeld(), errands.heldSince()]).toEqual([true, 5]);
  expect(await errands.hold(Promise.resolve())).toBe(false);
  release();
  await carrying;
  expect(errands.isHeld()).toBe(false);
});

test("a refusal is an answer; a surprise is the daemon's too", async () => {
  const refusing = world(async () => {
    throw new PullyuError('refused', 'not here', { hint: 'elsewhere' });
  });
  const refused = refusing.errands.run('it', 'say');
  await refusing.errands.carryOut();
  expect(await refused).toEqual({ code: 'refused', message: 'not here', hint: 'elsewhere' });
  const failing = world(async () => {
    throw new Error('disk on fire');
  });
  const failed = expect(failing.errands.run('it', 'say')).rejects.toThrow('disk on fire');
  await expect(failing.errands.carryOut()).rejects.toThrow('disk on fire');
  await failed;
});

test('the end of the daemon ends a hold', async () => {
  const { errands, ending } = world();
  void errands.hold(new Promise(() => {}));
  const carrying = errands.carryOut();
  ending.abort();
  await carrying;
  expect(errands.isHeld()).toBe(false);
});

test('a hold that nobody ends is ended after a time, and told', async () => {
  const { errands, events } = world(undefined, 1);
  void errands.hold(new Promise(() => {}));
  await errands.carryOut();
  expect([errands.isHeld(), errands.heldSince()]).toEqual([false, null]);
  expect(events.map((event) => event.type)).toEqual(['warning']);
});
