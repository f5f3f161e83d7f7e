import { expect, test } from 'vitest';
import type { Step, StepReason } from '../model/plan.ts';
import { stepByHand } from './by-hand.ts';
import { exampleAction, exampleCommit } from './example-values.ts';

function step(reason: StepReason, more: Partial<Step> = {}): Step {
  return {
    repo: 'it',
    action: 'shop',
    due: false,
    reason,
    sentence: `shop: is ${reason}.`,
    purpose: 'work',
    commit: exampleCommit(1),
    fingerprint: 'f',
    parts: { content: '', definition: '', labels: '' },
    attempt: 2,
    notBefore: null,
    definition: exampleAction(),
    undo: null,
    ...more,
  };
}

test.each<StepReason>(['current', 'backing-off', 'parked', 'unknown', 'waiting', 'not-yet', 'paused'])(
  'what rests because it is %s runs by hand all the same',
  (reason) => {
    expect(stepByHand([step(reason)], 'it', 'shop')).toMatchObject({
      kind: 'step',
      step: { due: true, reason: 'manual', sentence: 'shop: runs, started by hand.', attempt: 2 },
    });
  },
);

test('of an action that catches up, the oldest commit that is due is taken', () => {
  const steps = [1, 2, 3].map((n) => step('catch-up', { due: n > 1, commit: exampleCommit(n) }));
  expect(stepByHand(steps, 'it', 'shop')).toMatchObject({ step: { commit: exampleCommit(2) } });
});

test('what is for other hosts, or is being undone, is refused; what runs is busy; what is not there is unknown', () => {
  expect(stepByHand([step('not-selected')], 'it', 'shop')).toEqual({
    kind: 'refused',
    says: 'shop: is not-selected.',
  });
  expect(stepByHand([step('undo', { due: true, purpose: 'undo' })], 'it', 'shop').kind).toBe('refused');
  expect(stepByHand([step('running')], 'it', 'shop').kind).toBe('busy');
  for (const [repo, name] of [
    ['other', 'shop'],
    ['it', 'nope'],
  ] as const)
    expect(stepByHand([step('current')], repo, name).kind).toBe('unknown');
  // An action that is gone has no definition: there is nothing to run by hand.
  expect(stepByHand([step('undo', { definition: null })], 'it', 'shop').kind).toBe('unknown');
});
