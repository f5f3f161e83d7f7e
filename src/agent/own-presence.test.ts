import { expect, test } from 'vitest';
import type { RunId } from '../model/ids.ts';
import type { Run, RunIntent, RunResult } from '../model/run.ts';
import { endedSince } from './own-presence.ts';

function run(id: string, startedAt: number, endedAt: number | null): Run {
  const intent = { id: id as RunId, startedAt } as RunIntent;
  return { intent, result: endedAt === null ? null : ({ id, endedAt, outcome: 'ok' } as RunResult) };
}

/** Newest first, as a journal has them. */
const since = (last: { id: string; endedAt: number } | null, ...runs: Run[]) => {
  const found = endedSince({ runs: () => runs.toReversed() }, last);
  return { ids: found.runs.map(({ intent }) => intent.id as string), leftOut: found.leftOut };
};

test('what ended since is told, oldest first, and what is open is not', () => {
  const runs = [run('a', 1, 2), run('b', 3, 4), run('c', 5, 6), run('d', 7, null)];
  expect(since({ id: 'a', endedAt: 2 }, ...runs).ids).toEqual(['b', 'c']);
  expect(since({ id: 'c', endedAt: 6 }, ...runs).ids).toEqual([]);
  expect(since(null, ...runs).ids).toEqual(['a', 'b', 'c']);
});

test('a clock that was set back hides no run', () => {
  const runs = [run('a', 9_000, 9_001), run('b', 10, 11), run('c', 12, 13)];
  expect(since({ id: 'a', endedAt: 9_001 }, ...runs).ids).toEqual(['b', 'c']);
});

test('a run that the journal has forgotten is told from later ones by its time', () => {
  const runs = [run('old', 1, 2), run('new', 20, 21)];
  expect(since({ id: 'gone', endedAt: 10 }, ...runs).ids).toEqual(['new']);
});

test('of more runs than fit the newest are told, and the others counted', () => {
  const runs = Array.from({ length: 130 }, (_, n) => run(`r${n}`, n, n));
  const { ids, leftOut } = since({ id: 'r9', endedAt: 9 }, ...runs);
  expect([ids.length, ids[0], ids.at(-1), leftOut]).toEqual([100, 'r30', 'r129', 20]);
});
