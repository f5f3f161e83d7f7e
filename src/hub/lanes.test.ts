import { expect, test } from 'vitest';
import { createLane, retryAfterSeconds } from './lanes.ts';

const never = new AbortController().signal;
const place = (entered: (() => void) | string) => {
  if (typeof entered === 'string') throw new Error(`expected a place, found ${entered}`);
  return entered;
};

test('so many run, so many wait in order, and one more is told that it is full', async () => {
  const lane = createLane({ running: 1, waiting: 2, waitMs: 60_000 });
  const order: string[] = [];
  const noting = async (name: string, entering: ReturnType<typeof lane.enter>) => {
    const entered = place(await entering);
    order.push(name);
    return entered;
  };
  const first = place(await lane.enter(never));
  const second = noting('second', lane.enter(never));
  const third = noting('third', lane.enter(never));
  expect(await lane.enter(never)).toBe('full');
  first();
  (await second)();
  (await third)();
  expect({ order, running: lane.running, waiting: lane.waiting }).toEqual({
    order: ['second', 'third'],
    running: 0,
    waiting: 0,
  });
});

test('a place that is given back twice is one place', async () => {
  const lane = createLane({ running: 1, waiting: 0, waitMs: 1 });
  const leave = place(await lane.enter(never));
  leave();
  leave();
  await lane.enter(never);
  expect(lane.running).toBe(1);
  expect(await lane.enter(never)).toBe('full');
});

test('who has gone, or waited for too long, does not keep the place of others', async () => {
  const lane = createLane({ running: 1, waiting: 3, waitMs: 20 });
  const leave = place(await lane.enter(never));
  const going = new AbortController();
  const gone = lane.enter(going.signal);
  const late = lane.enter(never);
  going.abort();
  expect(await gone).toBe('aborted');
  expect(await late).toBe('full');
  expect(await lane.enter(going.signal)).toBe('aborted');
  leave();
  expect(lane).toMatchObject({ running: 0, waiting: 0 });
});

test('who is sent away comes back later the more are waiting, at most after a minute, and not all at once', () => {
  expect([0, 0.5, 0.999].map((random) => retryAfterSeconds({ waiting: 0 }, random))).toEqual([1, 2, 2]);
  expect([0, 0.5, 0.999].map((random) => retryAfterSeconds({ waiting: 1_000 }, random))).toEqual([1, 31, 60]);
});
