import { expect, test } from 'vitest';
import { rankOfSender } from './senders.ts';

const roster = ['a', 'b', 'c', 'd'].map((name) => ({
  name,
  labels: { part: name === 'd' ? 'app' : 'control' },
}));
const from = { part: 'control' };

test('each of the hosts that may send has a place of its own, whoever asks in whatever order', () => {
  const ranks = ['a', 'b', 'c'].map((name) => rankOfSender(name, roster, from));
  expect([...ranks].sort()).toEqual([0, 1, 2]);
  expect(['a', 'b', 'c'].map((name) => rankOfSender(name, [...roster].reverse(), from))).toEqual(ranks);
});

test('when the first is gone the second is the first', () => {
  const first = roster.find(({ name }) => rankOfSender(name, roster, from) === 0)!;
  const second = roster.find(({ name }) => rankOfSender(name, roster, from) === 1)!;
  const left = roster.filter((member) => member !== first);
  expect(rankOfSender(second.name, left, from)).toBe(0);
});

test('who has not the label, or is not heard of, does not send', () => {
  expect([rankOfSender('d', roster, from), rankOfSender('x', roster, from)]).toEqual([null, null]);
});
