import { expect, test } from 'vitest';
import type { ActionMemory } from '../model/plan.ts';
import {
  exampleAction,
  exampleCommit,
  exampleInput,
  exampleMemory,
  exampleRepo,
  exampleRun,
  failing,
  NOW,
  succeeded,
} from './example-values.ts';
import { explainAction } from './explain.ts';
import { planLook } from './look.ts';

const shop = exampleAction();

function why(memory: ActionMemory | null, content = 'content'): string[] {
  const repos = [exampleRepo({ content, target: exampleCommit(2) })];
  const { steps } = planLook(exampleInput({ repos, memory: memory ? [memory] : [] }));
  return explainAction(steps, memory, NOW).map((line) =>
    line.replace(/\b[0-9a-f]{7}\b/g, (hex) => (hex.endsWith('000000') ? hex : 'digest')),
  );
}

test('why: an action that runs says what differs and when it last succeeded', () => {
  expect(why(succeeded(shop), 'new')).toEqual([
    'shop: runs, its content differs from that of its last success (1000000).',
    'content: digest, was digest',
    'definition: digest, the same',
    'labels: digest, the same',
    'last success: run-shop, attempt 1 at 1000000, reason first, succeeded at 2026-11-25T10:00:00Z',
    'next: with the next look',
  ]);
});

test('why: an action that waits says what went wrong and when it is tried again', () => {
  const failed = failing(shop, {
    commit: exampleCommit(2),
    endedAt: NOW,
    result: { note: 'no \u001b[2Jspace' },
  });
  expect(why(failed)).toEqual([
    expect.stringMatching(/^shop: waits until 2026-11-25T11:0\d:\d\dZ, attempt 1 failed with exit code 1\.$/),
    'content: digest, nothing to compare with',
    'definition: digest, nothing to compare with',
    'labels: digest, nothing to compare with',
    'last success: none',
    'last run: run-shop, attempt 1 at 2000000, reason first, failed with exit code 1 at 2026-11-25T11:00:00Z (no \\x1b[2Jspace)',
    'attempts in a row: 1, failures that count: 1',
    expect.stringMatching(/^next: not before 2026-11-25T11:0\d:\d\dZ, unless a new commit comes$/),
  ]);
});

test('why: an open run, and one that only a human or a commit can go on with', () => {
  const open = exampleMemory(shop, { lastRun: exampleRun(shop, { outcome: null }), attempts: 1 });
  expect(why(open)).toContain('next: decided when this run has ended');
  expect(why(open)).toContain(
    'last run: run-shop, attempt 1 at 1000000, reason first, open since 2026-11-25T09:59:00Z',
  );
  const parked = failing(shop, { commit: exampleCommit(2), exitCode: 78 });
  expect(why(parked)).toContain('next: when a human or a new commit decides it');
  expect(why(succeeded(shop))).toContain('next: when something that it depends on changes');
});

test('why: an action that the plan does not have', () => {
  expect(explainAction([], null, NOW)[0]).toBe('The plan has no step for it.');
});
