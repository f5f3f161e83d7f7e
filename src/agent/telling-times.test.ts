import { expect, test } from 'vitest';
import type { CommitId } from '../model/ids.ts';
import type { Own } from '../presence/outbox.ts';
import { AT, somePresence } from '../presence/presence.testing.ts';
import { isBeatDue, spreadMs } from './telling-times.ts';

const MINUTE = 60_000;
const before = somePresence({ repos: [{ name: 'it', wanted: null, applied: null, trouble: null }] });
const commit = '9b1c2d3e4f5061728394a5b6c7d8e9f001122334' as CommitId;
const after = somePresence({ repos: [{ name: 'it', wanted: commit, applied: commit, trouble: null }] });

test('what a commit brings is spread over the time that the server needs for all hosts', () => {
  expect(spreadMs('git', 1, before, after)).toBe(25);
  expect(spreadMs('git', 1_000, before, after)).toBe(25_000);
  expect(spreadMs('git', 100_000, before, after)).toBe(5 * MINUTE);
  expect(spreadMs('nats', 10_000, before, after)).toBe(30_000);
});

test('a first presence, a start of the machine and another version come to many at once', () => {
  for (const one of [null, { ...after, bootId: 'another' }, { ...after, agent: '0.0.9' }])
    expect(spreadMs('git', 1_000, one, after)).toBe(25_000);
});

test('what happens on one host alone hardly waits', () => {
  const wedged = { ...after, state: 'wedged' as const };
  expect(spreadMs('git', 10, after, wedged)).toBe(25);
  expect(spreadMs('git', 1_000, after, wedged)).toBe(2_500);
  expect(spreadMs('git', 100_000, after, wedged)).toBe(30_000);
});

function own(sequence: number, more: { intervalMs?: number; heartbeatMs?: number } = {}): Own {
  const content = somePresence({ intervalMs: MINUTE, heartbeatMs: 10 * MINUTE, ...more });
  return { sequence, madeAt: AT, content } as unknown as Own;
}

test('heartbeats are early by up to a fifth, never late, and each by another part', () => {
  const early = Array.from({ length: 100 }, (_, n) =>
    Array.from({ length: 600 }, (_, second) => second).findIndex((second) =>
      isBeatDue(own(n), AT + second * 1_000),
    ),
  );
  expect(Math.min(...early)).toBeGreaterThanOrEqual(8 * 60);
  expect(Math.max(...early)).toBeLessThanOrEqual(9.5 * 60);
  expect(new Set(early).size).toBeGreaterThan(30);
});

test('who looks once in a heartbeat beats at each look, and a clock that was set back is no reason to wait', () => {
  expect(isBeatDue(own(1, { heartbeatMs: MINUTE }), AT + MINUTE - 100)).toBe(true);
  expect(isBeatDue(own(1), AT - 1)).toBe(true);
  expect(isBeatDue(own(1), AT + MINUTE)).toBe(false);
});
