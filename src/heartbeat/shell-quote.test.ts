import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatShellCommand, quoteShell } from './shell-quote.ts';

test('plain words stay plain', () => {
  expect(quoteShell('https://git.example.com/it.git')).toBe('https://git.example.com/it.git');
  expect(quoteShell('part=app')).toBe('part=app');
});

test('everything else is quoted', () => {
  expect(quoteShell('')).toBe("''");
  expect(quoteShell("it's $HOME")).toBe(`'it'\\''s $HOME'`);
  expect(quoteShell('~root')).toBe(`'~root'`);
});

test('a real shell hands every word on unchanged', () => {
  const word = fc
    .string({ unit: 'grapheme', maxLength: 20 })
    .map((text) => text.replaceAll('\0', ''))
    .filter((text) => Buffer.from(text).toString() === text);
  const nasty = fc.constantFrom(
    '`id`',
    '$(id)',
    "a'b",
    '"',
    '\\',
    '\n',
    '*',
    '~',
    '!x',
    '-n',
    'A=b',
    ';',
    '#',
    '{a,b}',
  );
  const words = fc.array(fc.oneof(word, nasty), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(words, (argv) => {
      const line = formatShellCommand(['printf', '%s\\0', ...argv]);
      const said = spawnSync('/bin/sh', ['-c', line], { encoding: 'utf8' });
      expect(said.stdout).toBe(argv.map((text) => `${text}\0`).join(''));
    }),
    { numRuns: 60 },
  );
});
