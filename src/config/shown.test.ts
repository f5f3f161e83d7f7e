import { expect, test } from 'vitest';
import { isToken, shown } from './shown.ts';

test.each([
  ['https://me:s3cret@git.example.com/it.git', 'https://***@git.example.com/it.git'],
  ['https://s3cret@git.example.com/it.git', 'https://***@git.example.com/it.git'],
  ['https://me:s3/c:r@et@git.example.com/it.git', 'https://***@git.example.com/it.git'],
  ['me:s3cret@git.example.com', '***@git.example.com'],
  ['https://git.example.com/it.git?token=s3cret', 'https://git.example.com/it.git?***'],
  ['Unexpected token: "https://me:s3cret@host/x" here', 'Unexpected token: "https://***@host/x" here'],
  [`ghp_${'s3cret'.repeat(6)}`, '***'],
  ['git@git.example.com:it.git', 'git@git.example.com:it.git'],
  ['17 3 * * *', '17 3 * * *'],
  ['tag: v*', 'tag: v*'],
])('of %j a message shows %j', (text, expected) => expect(shown(text)).toBe(expected));

test('a secret that is cut in the middle is not shown either', () => {
  const text = shown(`https://me:${'s3cret'.repeat(40)}@git.example.com`, 60);
  expect(text).not.toContain('s3cret');
});

test('what is no text for a terminal is escaped', () => {
  expect(shown('a\u001b[31m\u202eb\n')).toBe('a\\x1b[31m\\u{202e}b\\x0a');
});

test('the tokens of known services are known', () => {
  expect([`ghp_${'a'.repeat(36)}`, 'glpat-abc', 'secrets/it', 'github.txt'].map(isToken)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
