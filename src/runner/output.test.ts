import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import { boundOutput, harmless, LIVE_SLACK, outputTail } from './output.ts';

const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join('');

test('up to its limit output stays as it is', () => {
  using folder = tempFolder();
  const file = join(folder.path, 'output.log');
  expect(boundOutput(file, 1_000)).toBe(0);
  writeFileSync(file, 'x'.repeat(1_000));
  expect(boundOutput(file, 1_000)).toBe(1_000);
  writeFileSync(file, 'x'.repeat(1_240));
  expect(boundOutput(file, 1_000, LIVE_SLACK)).toBe(1_240);
  expect(boundOutput(file, 1_000)).toBeLessThan(1_100);
});

test('above it the first half and the last half are kept, however often it grows again', () => {
  using folder = tempFolder();
  const file = join(folder.path, 'output.log');
  writeFileSync(file, lines(0, 1_000));
  for (let round = 1; round < 6; round++) {
    boundOutput(file, 1_000);
    appendFileSync(file, lines(round * 1_000, (round + 1) * 1_000));
  }
  boundOutput(file, 1_000);
  const text = readFileSync(file, 'utf8');
  const [first, missing, last] = text.split(/\n\[pullyu: about (\d+) bytes of output are left out here\]\n/);
  expect(first).toBe(lines(0, 1_000).slice(0, 500));
  expect(lines(5_000, 6_000).endsWith(last!)).toBe(true);
  expect(last).toMatch(/^line 59\d\d\n/);
  expect(Number(missing) + first!.length + last!.length).toBe(lines(0, 6_000).length);
  expect(boundOutput(file, 1_000)).toBe(text.length);
});

test('a tail begins with a whole line, and one without line ends is cut at a character', () => {
  using folder = tempFolder();
  const file = join(folder.path, 'output.log');
  expect(outputTail(file, 100)).toBe('');
  writeFileSync(file, lines(0, 100));
  expect(outputTail(file, 30)).toBe('line 97\nline 98\nline 99\n');
  expect(outputTail(file, 10_000)).toBe(lines(0, 100));
  writeFileSync(file, 'ü'.repeat(100));
  expect(outputTail(file, 51)).toBe('ü'.repeat(25));
});

test('nothing in a tail can move a cursor, recolour, ring or reorder', () => {
  expect(harmless('a\x1b[31mred\x07\b\x9b1m')).toBe('a\\x1b[31mred\\x07\\x08\\x9b1m');
  expect(harmless('10%\r20%\r\ndone\ttab')).toBe('10%\n20%\ndone\ttab');
  expect(harmless('\u202eevil\u2066')).toBe('\\u202eevil\\u2066');
  expect(harmless('ünïcode \u{1f999} 日本')).toBe('ünïcode \u{1f999} 日本');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(harmless(text)).not.toMatch(/[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/u);
    }),
  );
});
