import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRetryAfter } from './retry-after.ts';

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

test.each([
  ['120', 120_000],
  [' 0 ', 0],
  ['99999999999', 24 * 3_600_000],
  ['Thu, 01 Jan 2026 12:05:00 GMT', 300_000],
  ['Thursday, 01-Jan-26 12:05:00 GMT', 300_000],
  ['Thu Jan  1 12:05:00 2026 GMT', 300_000],
  ['Thu, 01 Jan 2026 11:00:00 GMT', 0],
  ['Fri, 01 Jan 2100 12:00:00 GMT', 24 * 3_600_000],
  ['soon', null],
  ['-5', null],
  ['1.5', null],
  ['', null],
  [undefined, null],
])('Retry-After "%s" is %s ms', (text, expected) => {
  expect(parseRetryAfter(text, NOW)).toBe(expected);
});

test('whatever a server writes, the wait is null or between nothing and a day', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.date().map(String), fc.nat().map(String)), (text) => {
      const wait = parseRetryAfter(text, NOW);
      if (wait !== null) expect(wait >= 0 && wait <= 24 * 3_600_000).toBe(true);
    }),
  );
});
