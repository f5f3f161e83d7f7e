import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DutyInput, heartbeatDuty, isLate, lateAfterMs } from './duty.ts';

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;

function duty(more: Partial<DutyInput>) {
  return heartbeatDuty({
    now: NOW,
    lastLookAt: NOW - MINUTE,
    intervalMs: MINUTE,
    daemonAlive: false,
    ...more,
  });
}

test('a daemon that looked within three intervals is left alone', () => {
  expect(duty({ daemonAlive: true, lastLookAt: NOW - 3 * MINUTE })).toBe('rest');
});

test('a daemon that is alive but has not looked for more than three intervals is replaced', () => {
  expect(duty({ daemonAlive: true, lastLookAt: NOW - 3 * MINUTE - 1 })).toBe('replace');
  expect(duty({ daemonAlive: true, lastLookAt: null, daemonLifeAt: NOW - 4 * MINUTE })).toBe('replace');
});

test('a daemon that was just started has three intervals for its first look', () => {
  expect(duty({ daemonAlive: true, lastLookAt: null, daemonLifeAt: NOW - MINUTE })).toBe('rest');
  expect(duty({ daemonAlive: true, lastLookAt: NOW - 30 * MINUTE, daemonLifeAt: NOW - MINUTE })).toBe('rest');
});

test('without a daemon, cron looks itself once a minute, also when it comes a little early', () => {
  expect(duty({ lastLookAt: NOW - MINUTE })).toBe('look');
  expect(duty({ lastLookAt: NOW - 59_500 })).toBe('look');
  expect(duty({ lastLookAt: null })).toBe('look');
});

test('an interval of ten minutes lets nine calls of cron go by', () => {
  const calls = Array.from({ length: 10 }, (_, i) =>
    duty({ intervalMs: 10 * MINUTE, lastLookAt: NOW - (i + 1) * MINUTE }),
  );
  expect(calls).toEqual([...Array<string>(9).fill('rest'), 'look']);
});

test('an interval shorter than cron can call starts a daemon, unless something else supervises it', () => {
  expect(duty({ intervalMs: 5_000 })).toBe('start');
  expect(duty({ intervalMs: 5_000, supervised: true })).toBe('look');
});

test('a clock that was set back never keeps a host from looking', () => {
  expect(duty({ lastLookAt: NOW + 365 * 24 * 60 * MINUTE })).toBe('look');
  expect(duty({ daemonAlive: true, lastLookAt: NOW + 365 * 24 * 60 * MINUTE })).toBe('replace');
});

test('a daemon with an interval of a few seconds is not late before a minute', () => {
  expect(isLate(NOW, NOW - 50_000, 1_000)).toBe(false);
  expect(isLate(NOW, NOW - 61_000, 1_000)).toBe(true);
});

test('whatever the times are, a host without a daemon looks within one interval and a tick', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 10 * 24 * 60 * MINUTE }),
      fc.integer({ min: 1, max: 24 * 60 * MINUTE }),
      (age, intervalMs) => {
        const result = duty({ lastLookAt: NOW - age, intervalMs });
        if (age >= intervalMs + MINUTE) expect(result).not.toBe('rest');
        expect(lateAfterMs(intervalMs)).toBeGreaterThanOrEqual(3 * intervalMs);
      },
    ),
  );
});
