import { expect, test } from 'vitest';
import { commitId } from '../model/ids.ts';
import { changedBelow, newOnRemote, notActedUpon } from './acted-upon.ts';

const [one, two] = [commitId('1'.repeat(40)), commitId('2'.repeat(40))];

test('by fetch: another commit on the remote is new, the same one is not', () => {
  expect([newOnRemote(two, one), newOnRemote(one, one)]).toEqual([two, null]);
});

test('by last action: a commit that was not acted upon, or nothing acted upon yet', () => {
  expect([notActedUpon(two, one), notActedUpon(one, null), notActedUpon(one, one)]).toEqual([two, one, null]);
});

test('by path: of the four cases the changed path and "never acted" ask for an action', () => {
  expect(changedBelow(one, one, false)).toBeNull();
  expect(changedBelow(two, one, false)).toBeNull();
  expect(changedBelow(two, one, true)).toBe(two);
  expect(changedBelow(one, null, null)).toBe(one);
  // The old commit is not known any more: nobody can say that nothing changed.
  expect(changedBelow(two, one, null)).toBe(two);
});
