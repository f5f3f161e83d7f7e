import { expect, test } from 'vitest';
import { standingCommits } from './undone.ts';

const c = (id: string, reverts: string | null = null) => ({ id, reverts });
const standing = (...commits: ReturnType<typeof c>[]) => standingCommits(commits).map(({ id }) => id);

test('commits without reverts all stand', () => {
  expect(standing(c('3'), c('2'), c('1'))).toEqual(['3', '2', '1']);
});

test('a revert and what it took back do not stand', () => {
  expect(standing(c('4', '3'), c('3'), c('2'))).toEqual(['2']);
});

test('the revert of a revert lets the first one stand again', () => {
  expect(standing(c('5', '4'), c('4', '3'), c('3'), c('2'))).toEqual(['3', '2']);
});

test('a revert of what is not seen stands for nothing', () => {
  expect(standing(c('2', 'far'), c('1'))).toEqual(['1']);
});
