import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PresenceTrigger } from '../model/action.ts';
import type { HostId } from '../model/ids.ts';
import type { RosterMember } from '../model/presence.ts';
import type { RosterPart } from '../model/run.ts';
import { exampleMember, NOW } from './example-values.ts';
import { presenceKey } from './relevant-roster.ts';
import {
  type RosterSettling,
  rosterViewOf,
  SETTLE_CAP,
  settleRoster,
  settleRosters,
  settlesAt,
} from './settle-roster.ts';

const SETTLE = 10_000;
const part = (digest: string): RosterPart => ({ digest, count: digest.length, members: null });

/** What counts after each observation, as `[milliseconds, digest]`. */
function observe(sequence: readonly (readonly [number, string])[], settleMs = SETTLE): string[] {
  let state: RosterSettling | null = null;
  return sequence.map(([at, digest]) => {
    state = settleRoster(state, part(digest), NOW + at, settleMs);
    return state.settled.digest;
  });
}

test('the first observation counts at once', () => {
  expect(observe([[0, 'a']])).toEqual(['a']);
});

test('a change counts when it has lasted, and not a millisecond before', () => {
  expect(
    observe([
      [0, 'a'],
      [1000, 'b'],
      [10_999, 'b'],
      [11_000, 'b'],
    ]),
  ).toEqual(['a', 'a', 'a', 'b']);
});

test('a change that is taken back is none', () => {
  expect(
    observe([
      [0, 'a'],
      [1000, 'b'],
      [9000, 'a'],
      [12_000, 'b'],
      [21_999, 'b'],
    ]),
  ).toEqual(['a', 'a', 'a', 'a', 'a']);
});

test('a further change begins to wait anew', () => {
  expect(
    observe([
      [0, 'a'],
      [1000, 'b'],
      [9000, 'c'],
      [12_000, 'c'],
      [19_000, 'c'],
    ]),
  ).toEqual(['a', 'a', 'a', 'a', 'c']);
});

test('a host that flaps does not keep another one, which joined for good, from being seen', () => {
  const flapping = Array.from({ length: 60 }, (_, n) => [n * 4000, n % 2 ? 'web+new' : 'new'] as const);
  const seen = observe([[-1, 'web'], ...flapping]);
  const first = seen.findIndex((digest) => digest !== 'web');
  expect(flapping[first - 1]![0]).toBe(SETTLE_CAP * SETTLE);
  // After that one of its two states is what counts, and it flaps for itself.
  expect(new Set(seen.slice(first)).size).toBe(1);
});

test('it says when a change will count', () => {
  const first = settleRoster(null, part('a'), NOW, SETTLE);
  expect(settlesAt(first, SETTLE)).toBeNull();
  const second = settleRoster(first, part('b'), NOW + 5, SETTLE);
  expect(settlesAt(second, SETTLE)).toBe(NOW + 5 + SETTLE);
  expect(settleRoster(second, part('b'), NOW + 6, SETTLE)).toBe(second);
});

test('a clock that is set back holds nothing up for longer than settle', () => {
  const first = settleRoster(null, part('a'), NOW, SETTLE);
  const pending = settleRoster(first, part('b'), NOW, SETTLE);
  const back = settleRoster(pending, part('b'), NOW - 3_600_000, SETTLE);
  expect(settlesAt(back, SETTLE)).toBe(NOW - 3_600_000 + SETTLE);
});

const steps = fc.array(
  fc.record({ wait: fc.integer({ min: 0, max: 15_000 }), digest: fc.constantFrom('a', 'b', 'c', 'd') }),
  { maxLength: 200 },
);

test('however it flaps, what counts changes at most once in each settle', () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      let state: RosterSettling | null = null;
      let now = NOW;
      let changedAt = Number.NEGATIVE_INFINITY;
      for (const { wait, digest } of sequence) {
        now += wait;
        const next = settleRoster(state, part(digest), now, SETTLE);
        if (state !== null && next.settled.digest !== state.settled.digest) {
          expect(now - changedAt).toBeGreaterThanOrEqual(SETTLE);
          expect(next.settled.digest).toBe(digest);
          changedAt = now;
        }
        state ??= next;
        state = next;
      }
    }),
  );
});

test('what is never as settled again counts after ten times settle at the latest, observed often enough', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('b', 'c', 'd'), { minLength: 110, maxLength: 110 }), (digests) => {
      const seen = observe([[0, 'a'], ...digests.map((digest, n) => [n * 1000, digest] as const)]);
      expect(seen.slice(0, 102).at(-1)).not.toBe('a');
    }),
  );
});

test('what stays counts in the end', () => {
  fc.assert(
    fc.property(steps, fc.constantFrom('a', 'b'), (sequence, last) => {
      let at = 0;
      const before = sequence.map(({ wait, digest }) => {
        at += wait;
        return [at, digest] as const;
      });
      expect(observe([...before, [at, last], [at + SETTLE, last]]).at(-1)).toBe(last);
    }),
  );
});

const apps: PresenceTrigger = { type: 'presence', of: { part: 'app' }, settleMs: SETTLE, facts: [] };
const self: RosterMember = exampleMember('lb-1', { labels: { part: 'lb' }, id: 'self' as HostId });

test('all triggers are settled at once, and those that are gone are forgotten', () => {
  const slow = { ...apps, settleMs: 60_000 };
  const one = settleRosters(new Map(), [apps, slow], { roster: [exampleMember('web-1')], self, now: NOW });
  expect([...one.keys()]).toEqual([presenceKey(apps), presenceKey(slow)]);
  const two = settleRosters(one, [apps, slow], { roster: [], self, now: NOW + 1 });
  expect(settleRosters(two, [apps, slow], { roster: [], self, now: NOW + 2 })).toBe(two);
  const three = settleRosters(two, [apps, slow], { roster: [], self, now: NOW + 20_000 });
  expect([...three.values()].map(({ settled }) => settled.count)).toEqual([0, 1]);
  expect([...settleRosters(three, [slow], { roster: [], self, now: NOW + 20_001 }).keys()]).toEqual([
    presenceKey(slow),
  ]);
});

test('the view says what counts, what is pending and when that counts', () => {
  const before = settleRosters(new Map(), [apps], { roster: [exampleMember('web-1')], self, now: NOW });
  const after = settleRosters(before, [apps], { roster: [], self, now: NOW + 1000 });
  const other = { ...apps, facts: ['port'] };
  const view = rosterViewOf(after, [apps, other], true);
  expect(view.triggers.get(presenceKey(apps))).toMatchObject({
    settled: { count: 1 },
    pending: { count: 0 },
    wakeAt: NOW + 1000 + SETTLE,
  });
  expect(view.triggers.has(presenceKey(other))).toBe(false);
});
