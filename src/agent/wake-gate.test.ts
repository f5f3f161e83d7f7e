import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createWakeGate, wakeWindowMs } from './wake-gate.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function gateOf(hosts: number, random = 0.5) {
  let looks = 0;
  const gate = createWakeGate({
    clock: { monotonic: () => Date.now(), random: () => random },
    hosts: () => hosts,
    onWake: () => {
      looks += 1;
    },
  });
  return { gate, looks: () => looks };
}

test('a few hosts look at once; the window grows with the fleet, up to half a minute', () => {
  expect([1, 10, 11, 1_000, 15_000, 100_000].map(wakeWindowMs)).toEqual([0, 0, 22, 2_000, 30_000, 30_000]);
  const { gate, looks } = gateOf(3);
  gate.wake();
  vi.advanceTimersByTime(0);
  expect(looks()).toBe(1);
});

test('each host takes its own moment of the window', () => {
  const { gate, looks } = gateOf(1_000, 0.25);
  gate.wake();
  vi.advanceTimersByTime(499);
  expect(looks()).toBe(0);
  vi.advanceTimersByTime(1);
  expect(looks()).toBe(1);
});

test('many wakes are one look, and one more for what came after it began', () => {
  const { gate, looks } = gateOf(1);
  for (let n = 0; n < 1_000; n += 1) gate.wake();
  vi.advanceTimersByTime(0);
  expect(looks()).toBe(1);
  for (let n = 0; n < 1_000; n += 1) gate.wake();
  vi.advanceTimersByTime(999);
  expect(looks()).toBe(1);
  vi.advanceTimersByTime(1);
  expect(looks()).toBe(2);
});

test('nothing comes after the end', () => {
  const { gate, looks } = gateOf(1);
  gate.wake();
  gate.close();
  vi.advanceTimersByTime(5_000);
  expect(looks()).toBe(0);
});
