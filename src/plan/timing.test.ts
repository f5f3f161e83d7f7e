import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Trigger } from '../model/action.ts';
import type { HostId } from '../model/ids.ts';
import { DAY, HOUR, MINUTE, NOW } from './example-values.ts';
import { dueLookAt, type NextLookInput, nextLookAt } from './next-look.ts';
import { retryAt } from './retry.ts';
import { nextOccurrence, readSchedule } from './schedule.ts';

const hostId = fc.stringMatching(/^[a-z2-7]{26}$/).map((id) => id as HostId);
const intervalMs = fc.oneof(fc.integer({ min: 20, max: 999 }), fc.integer({ min: 1000, max: DAY }));
const time = fc.integer({ min: 0, max: 4_000_000_000_000 });

function peace(values: Partial<NextLookInput>): NextLookInput {
  return { now: NOW, intervalMs: MINUTE, hostId: 'a' as HostId, failures: 0, retryAfterMs: null, ...values };
}

test('in peace a host keeps its slot inside the interval', () => {
  fc.assert(
    fc.property(hostId, intervalMs, time, (id, interval, now) => {
      const at = nextLookAt(peace({ hostId: id, intervalMs: interval, now }));
      expect(at).toBeGreaterThan(now);
      expect(at - now).toBeLessThanOrEqual(interval * 1.1 + 1);
      const following = nextLookAt(peace({ hostId: id, intervalMs: interval, now: at }));
      expect(following - at).toBe(interval);
      // A timer that fires a little early does not look twice.
      expect(nextLookAt(peace({ hostId: id, intervalMs: interval, now: at - 1 }))).toBeOneOf(
        interval >= 10 ? [following] : [at, following],
      );
    }),
  );
});

test('in trouble a host is never quicker than its interval, and never slower than sixteen or ten minutes', () => {
  fc.assert(
    fc.property(
      hostId,
      intervalMs,
      time,
      fc.integer({ min: 1, max: 5000 }),
      (id, interval, now, failures) => {
        const wait = nextLookAt(peace({ hostId: id, intervalMs: interval, now, failures })) - now;
        expect(wait).toBeGreaterThanOrEqual(interval);
        expect(wait).toBeLessThanOrEqual(Math.max(interval, Math.min(16 * interval, 10 * MINUTE)));
        if (failures < 4) {
          const later =
            nextLookAt(peace({ hostId: id, intervalMs: interval, now, failures: failures + 2 })) - now;
          expect(later).toBeGreaterThanOrEqual(wait);
        }
      },
    ),
  );
});

test('what a server asks for is kept, up to an hour', () => {
  fc.assert(
    fc.property(
      hostId,
      intervalMs,
      fc.integer({ min: 0, max: 9 * DAY }),
      fc.nat(20),
      (id, interval, asked, failures) => {
        const input = peace({ hostId: id, intervalMs: interval, retryAfterMs: asked, failures });
        const wait = nextLookAt(input) - NOW;
        expect(wait).toBeGreaterThanOrEqual(Math.max(interval, Math.min(asked, HOUR)));
        expect(wait).toBeLessThanOrEqual(Math.max(HOUR, 16 * interval) + interval);
      },
    ),
  );
});

test('a thousand hosts that come back together look at a thousand moments of the interval', () => {
  const looks = Array.from(
    { length: 1000 },
    (_, i) => nextLookAt(peace({ hostId: `host-${i}` as HostId })) - NOW,
  );
  for (let tenth = 0; tenth < 10; tenth++) {
    const share = looks.filter((wait) => Math.floor((wait % MINUTE) / (MINUTE / 10)) === tenth).length;
    expect(share).toBeGreaterThan(60);
    expect(share).toBeLessThan(140);
  }
});

test('a retry doubles its wait, with a jitter that is the same twice, up to its maximum', () => {
  const policy = { delayMs: MINUTE, delayMaxMs: HOUR, attempts: 9 };
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), time, fc.string(), (attempts, endedAt, seed) => {
      const wait = retryAt(policy, attempts, endedAt, seed) - endedAt;
      const wanted = Math.min(MINUTE * 2 ** (attempts - 1), HOUR);
      expect(wait).toBeGreaterThanOrEqual(Math.floor(wanted * 0.8));
      expect(wait).toBeLessThanOrEqual(Math.min(Math.ceil(wanted * 1.2), HOUR));
      expect(retryAt(policy, attempts, endedAt, seed) - endedAt).toBe(wait);
    }),
  );
  expect(retryAt({ ...policy, delayMs: 0 }, 5000, NOW, 'x')).toBe(NOW);
});

function at(text: string): number {
  return Date.parse(text);
}

function berlin(cron: string): Extract<Trigger, { type: 'schedule' }> {
  return { type: 'schedule', cron, tz: 'Europe/Berlin' };
}

test('a time that summer time leaves out moves to the end of the gap, and one that comes twice occurs once', () => {
  const nightly = berlin('30 2 * * *');
  const occurrences = (from: string, count: number) => {
    const found: string[] = [];
    for (let next = nextOccurrence(nightly, at(from)); found.length < count && next !== null; ) {
      found.push(new Date(next).toISOString());
      next = nextOccurrence(nightly, next);
    }
    return found;
  };
  expect(occurrences('2026-03-28T12:00:00Z', 2)).toEqual([
    '2026-03-29T01:00:00.000Z',
    '2026-03-30T00:30:00.000Z',
  ]);
  expect(occurrences('2026-10-24T12:00:00Z', 2)).toEqual([
    '2026-10-25T00:30:00.000Z',
    '2026-10-26T01:30:00.000Z',
  ]);
});

test('occurrences that were missed are one', () => {
  const times = { base: at('2026-11-01T00:00:00Z'), now: NOW, bootedAt: 0 };
  expect(readSchedule([berlin('17 3 * * *')], times)).toEqual({
    missed: at('2026-11-01T02:17:00Z'),
    next: at('2026-11-26T02:17:00Z'),
  });
});

test('a clock that was set back does not run anything again', () => {
  const ran = at('2026-11-25T03:17:01Z');
  const times = { base: ran, now: ran - 2 * HOUR, bootedAt: 0 };
  expect(readSchedule([{ type: 'schedule', cron: '17 3 * * *', tz: 'UTC' }], times)).toEqual({
    missed: null,
    next: at('2026-11-26T03:17:00Z'),
  });
});

test('a clock that was years ahead does not keep a schedule waiting for years', () => {
  const times = { base: NOW + 3650 * DAY, now: NOW, bootedAt: NOW - HOUR };
  expect(readSchedule([berlin('17 3 * * *')], times)).toEqual({
    missed: null,
    next: at('2026-11-26T02:17:00Z'),
  });
});

test('a date that never comes, a pattern or a zone that nobody knows: never', () => {
  for (const trigger of [
    berlin('0 0 31 2 *'),
    berlin('x y z'),
    { ...berlin('* * * * *'), tz: 'Mars/Olympus' },
  ]) {
    expect(readSchedule([trigger], { base: 0, now: NOW, bootedAt: 0 })).toEqual({ missed: null, next: null });
  }
});

test('what is remembered of a schedule never changes its answers', () => {
  const trigger = { type: 'schedule', cron: '*/7 3 * * *', tz: 'UTC' } as const;
  fc.assert(
    fc.property(fc.array(fc.integer({ min: NOW, max: NOW + 3 * DAY }), { maxLength: 20 }), (moments) => {
      for (const moment of moments) {
        const next = nextOccurrence(trigger, moment) ?? 0;
        expect(next).toBeGreaterThan(moment);
        const date = new Date(next);
        expect([date.getUTCHours(), date.getUTCMinutes() % 7]).toEqual([3, 0]);
        expect(next - moment).toBeLessThanOrEqual(DAY);
      }
    }),
  );
});

test('what is due is looked at at once, and what look after look leaves due makes the wait double up to the slot', () => {
  const look = { now: 1_000, at: 61_000 };
  expect(dueLookAt({ ...look, dueAt: null, leftDue: 0 })).toBe(61_000);
  expect(dueLookAt({ ...look, dueAt: 5_000, leftDue: 0 })).toBe(5_000);
  expect(dueLookAt({ ...look, dueAt: 70_000, leftDue: 0 })).toBe(61_000);
  const waits = [1, 2, 3, 10, 1_000].map((leftDue) => dueLookAt({ ...look, dueAt: 900, leftDue }) - look.now);
  expect(waits).toEqual([20, 40, 80, 10_240, 60_000]);
});
