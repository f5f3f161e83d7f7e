import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CommitId } from './ids.ts';
import { formatWake, isWakeRef, parseWake } from './wake.ts';

const COMMIT = '3f2a91c0d4b5a6978812f3e4d5c6b7a8990a1b2c' as CommitId;

test('what is sent is understood', () => {
  for (const ref of [null, 'main', 'refs/heads/feature/a+b', 'refs/tags/v1.2.3'])
    for (const commit of [null, COMMIT])
      expect(parseWake('it', formatWake({ repo: 'it', ref, commit }))).toEqual({ repo: 'it', ref, commit });
});

test('an empty message says no more than its subject', () => {
  expect(parseWake('it', '')).toEqual({ repo: 'it', ref: null, commit: null });
  expect(parseWake('it', '{}')).toEqual({ repo: 'it', ref: null, commit: null });
});

test.each([
  'main',
  '[]',
  'null',
  '{"ref":1}',
  '{"ref":"a b"}',
  '{"ref":"--upload-pack=x"}',
  '{"commit":"abc"}',
  `{"ref":"${'x'.repeat(300)}"}`,
  `{"x":"${'x'.repeat(2_000)}"}`,
])('what is no wake is left alone (%j)', (text) => expect(parseWake('it', text)).toBeNull());

test('no text makes it throw, and no ref is longer than a name', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (text) => {
      const wake = parseWake('it', text);
      if (wake?.ref != null) expect(isWakeRef(wake.ref)).toBe(true);
    }),
  );
});
