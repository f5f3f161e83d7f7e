import fc from 'fast-check';
import { expect, test } from 'vitest';
import { whatIsWrongWithRemote } from '../src/config/remote.ts';
import { whatIsWrongWithTrack } from '../src/config/track.ts';
import { parseRemoteUrl } from '../src/git/remote-url.ts';
import { resolveTracking } from '../src/plan/tracking.ts';

const piece = fc.constantFrom(
  'https://',
  'ssh://',
  'git://',
  'file://',
  '/',
  ':',
  '@',
  '-',
  '.',
  '::',
  '[::1]',
  '?',
  '#',
  '%40',
  '~',
  'git',
  'host',
  'it.git',
  '22',
  's3cret',
  '\\',
  ' ',
);
const address = fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join(''));

test('every remote that host.yaml accepts can be reached by git, as far as its form goes', () => {
  fc.assert(
    fc.property(address, (text) => {
      if (whatIsWrongWithRemote(text) === null)
        expect(parseRemoteUrl(text), text).toMatchObject({ ok: true });
    }),
    { numRuns: 5000 },
  );
});

test('no answer about a remote repeats what stands where a password stands', () => {
  fc.assert(
    fc.property(address, (text) => {
      expect(whatIsWrongWithRemote(text) ?? '').not.toContain('s3cret');
    }),
    { numRuns: 2000 },
  );
});

const refPiece = fc.constantFrom(
  'main',
  'v1',
  '/',
  '.',
  '..',
  '-',
  'refs/heads/',
  'refs/tags/',
  'refs/',
  '@',
  '@{',
  '*',
  '~',
  '.lock',
  '{part}',
  ' ',
  'a'.repeat(40),
);
const ref = fc.array(refPiece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(''));

test('every track rule that host.yaml accepts can be resolved', () => {
  fc.assert(
    fc.property(ref, (text) => {
      for (const rule of [{ ref: text }, { tag: text }]) {
        if (whatIsWrongWithTrack(rule) === null)
          expect(resolveTracking(rule, { part: 'app' }), text).toMatchObject({ ok: true });
      }
    }),
    { numRuns: 3000 },
  );
});
