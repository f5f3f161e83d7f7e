import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';
import { formatSize, parseSize } from './size.ts';

test('a duration is a whole number and a unit', () => {
  expect(['5s', '60s', '500ms', '10m', '2h', '1d', '0s'].map(parseDuration)).toEqual([
    5_000, 60_000, 500, 600_000, 7_200_000, 86_400_000, 0,
  ]);
});

test('anything else is no duration', () => {
  const texts = ['', '5', 's', '5 s', '1.5h', '-5s', '5S', '1h30m', '9999999999s', '5s\n'];
  expect(texts.map(parseDuration)).toEqual(texts.map(() => null));
});

test('a size is a whole number and a unit of 1024', () => {
  expect(['1 B', '512KiB', '100 MiB', '8 GiB', '1TiB'].map(parseSize)).toEqual([
    1, 524_288, 104_857_600, 8_589_934_592, 1_099_511_627_776,
  ]);
  expect(['', '5', '5 MB', '1.5 GiB', '-1 B', '5  MiB'].map(parseSize)).toEqual(Array(6).fill(null));
});

test('what is formatted is parsed to the same', () => {
  fc.assert(fc.property(fc.nat(999_999_999), (ms) => parseDuration(formatDuration(ms)) === ms));
  fc.assert(fc.property(fc.nat(999_999_999), (bytes) => parseSize(formatSize(bytes)) === bytes));
});
