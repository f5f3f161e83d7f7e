import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, nearest } from './nearest.ts';

const KEYS = ['run', 'hosts', 'paths', 'timeout', 'catchUp', 'after', 'env'];

test.each([
  ['runn', 'run'],
  ['rnu', 'run'],
  ['timout', 'timeout'],
  ['host', 'hosts'],
  ['catchup', 'catchUp'],
  ['afetr', 'after'],
  ['password', null],
  ['x', null],
  ['', null],
])('for "%s" the nearest known word is %s', (word, expected) => {
  expect(nearest(word, KEYS)).toBe(expected);
});

test('a distance is zero only to itself, the same both ways, and at most the longer length', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      const distance = editDistance(a, b);
      expect(distance === 0).toBe(a === b);
      expect(distance).toBe(editDistance(b, a));
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
});
