import { expect, test } from 'vitest';
import type { CommitId } from '../model/ids.ts';
import type { Tracking } from '../model/repo.ts';
import { wakeConcerns } from './wake-concerns.ts';

const A = 'a'.repeat(40) as CommitId;
const B = 'b'.repeat(40) as CommitId;
const MAIN: Tracking = { kind: 'branch', name: 'main' };

test.each<[string | null, Tracking, boolean]>([
  [null, MAIN, true],
  ['main', MAIN, true],
  ['refs/heads/main', MAIN, true],
  ['refs/heads/feature/main', MAIN, false],
  ['refs/tags/main', MAIN, false],
  ['refs/heads/deploy/prod', { kind: 'branch', name: 'deploy/prod' }, true],
  ['refs/tags/v1', { kind: 'exact-tag', name: 'v1' }, true],
  ['refs/heads/v1', { kind: 'exact-tag', name: 'v1' }, false],
  ['refs/tags/v2', { kind: 'tag', pattern: 'v*' }, true],
  ['refs/heads/main', { kind: 'tag', pattern: 'v*' }, false],
  ['refs/heads/main', { kind: 'commit', id: A }, false],
])('a wake for %j, with %j: %j', (ref, tracking, concerns) => {
  expect(wakeConcerns({ repo: 'it', ref, commit: null }, tracking, A)).toBe(concerns);
});

test('a commit that is known already is no reason to look, another one is', () => {
  expect(wakeConcerns({ repo: 'it', ref: null, commit: A }, MAIN, A)).toBe(false);
  expect(wakeConcerns({ repo: 'it', ref: null, commit: B }, MAIN, A)).toBe(true);
  expect(wakeConcerns({ repo: 'it', ref: null, commit: B }, MAIN, null)).toBe(true);
});
