import { expect, test } from 'vitest';
import { clockJump, endOutage, extendOutage, unseenSince } from './unseen-time.ts';

const MINUTE = 60_000;

test('an outage lasts from the first question that failed to the first that was answered', () => {
  const first = extendOutage(null, 100);
  const second = extendOutage(first, 100 + MINUTE);
  expect(endOutage([], second, 100 + 2 * MINUTE)).toEqual([{ from: 100, to: 100 + 2 * MINUTE }]);
  expect(endOutage([], null, 100)).toEqual([]);
});

test('between two questions that failed hours apart nobody knows of an outage', () => {
  const evening = extendOutage(extendOutage(null, 0), MINUTE);
  expect(extendOutage(evening, 600 * MINUTE)).toEqual({ from: 600 * MINUTE, to: 600 * MINUTE });
  expect(endOutage([], evening, 600 * MINUTE)).toEqual([{ from: 0, to: MINUTE }]);
});

test('only what was unseen after a contact counts', () => {
  const unseen = [
    { from: 100, to: 200 },
    { from: 300, to: 350 },
  ];
  expect(unseenSince(unseen, 0)).toBe(150);
  expect(unseenSince(unseen, 150)).toBe(100);
  expect(unseenSince(unseen, 400)).toBe(0);
});

test('a clock that was set is told from time that passed, asleep or not', () => {
  const before = { wall: 1_000_000, up: 5_000, bootId: 'one' };
  const after = (wall: number, up: number, bootId = 'one') => clockJump(before, { wall, up, bootId });
  expect(after(1_000_000 + 8 * MINUTE, 5_000 + 8 * MINUTE)).toBe(0);
  expect(after(1_000_000 + 61 * MINUTE, 5_000 + MINUTE)).toBe(60 * MINUTE);
  expect(after(0, 6_000)).toBe(-1_001_000);
  expect(after(2_000_000, 10, 'two')).toBe(0);
  expect(clockJump(null, before)).toBe(0);
});
