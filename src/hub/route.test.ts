import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isRepositoryName, parseRoute } from './route.ts';

test.each([
  ['GET', '/healthz', { kind: 'health' }],
  [
    'GET',
    '/it.git/info/refs?service=git-upload-pack',
    { kind: 'advertise', repository: 'it', service: 'git-upload-pack' },
  ],
  [
    'GET',
    '/a/b/it.git/info/refs?x=1&service=git-receive-pack',
    { kind: 'advertise', repository: 'a/b/it', service: 'git-receive-pack' },
  ],
  ['POST', '/it.git/git-upload-pack', { kind: 'talk', repository: 'it', service: 'git-upload-pack' }],
  ['POST', '/it.git/git-receive-pack', { kind: 'talk', repository: 'it', service: 'git-receive-pack' }],
  ['GET', '/it.git/git-upload-pack', { kind: 'method', allow: 'POST' }],
  ['POST', '/it.git/info/refs', { kind: 'method', allow: 'GET' }],
  ['GET', '/it.git/info/refs', { kind: 'dumb', repository: 'it' }],
  ['GET', '/it.git/info/refs?service=git-upload-archive', { kind: 'dumb', repository: 'it' }],
  ['GET', '/it.git/HEAD', { kind: 'dumb', repository: 'it' }],
  ['GET', '/mirrors', { kind: 'mirrors' }],
  ['POST', '/hooks/team/it', { kind: 'hook', repository: 'team/it' }],
  ['GET', '/hooks/it', { kind: 'method', allow: 'POST' }],
  ['POST', '/hooks/../it', { kind: 'unknown' }],
  ['GET', '/it.git', { kind: 'unknown' }],
  ['GET', '/it/info/refs?service=git-upload-pack', { kind: 'unknown' }],
  ['GET', '/.git/info/refs?service=git-upload-pack', { kind: 'unknown' }],
  ['GET', '/', { kind: 'unknown' }],
])('%s %s', (method, target, route) => {
  expect(parseRoute(method, target)).toEqual(route);
});

test('a name has no way up, nothing hidden, nothing inside a repository, nothing encoded', () => {
  const bad = [
    '',
    '.',
    '..',
    '.x',
    'a/..',
    'a/../b',
    'a//b',
    '/a',
    'a/',
    'a..b',
    'a.git/b',
    'a.GIT',
    'a b',
    'a%2e',
    'a\\b',
    'ä',
    'a\0',
    'a/b/c/d/e',
    'x'.repeat(101),
  ];
  expect(bad.filter(isRepositoryName)).toEqual([]);
  expect(['it', 'team/it', 'a.b-c_d', '0', 'a/b/c/d'].every(isRepositoryName)).toBe(true);
});

test('whatever is asked for, a name that comes out is one that is allowed', () => {
  const target = fc
    .array(
      fc.constantFrom('/', '..', '.git', 'it', 'info/refs', '?service=git-upload-pack', '%2e', '\\', ' '),
      { maxLength: 8 },
    )
    .map((parts) => `/${parts.join('')}`);
  fc.assert(
    fc.property(target, (text) => {
      const route = parseRoute('GET', text);
      if ('repository' in route) expect(isRepositoryName(route.repository)).toBe(true);
    }),
  );
});
