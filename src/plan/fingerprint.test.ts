import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Action } from '../model/action.ts';
import type { Labels } from '../model/labels.ts';
import { exampleAction } from './example-values.ts';
import { fingerprintOf } from './fingerprint.ts';
import { contentGlobs } from './globs.ts';

function print(action: Action, labels: Labels = {}, contents: Record<string, string | null> = {}) {
  return fingerprintOf(
    action,
    labels,
    new Map(contentGlobs(action).map((glob) => [glob, contents[glob] ?? null])),
  );
}

test('the globs of an action are its paths and the files that run and check name', () => {
  const action = exampleAction({
    run: [
      'python3',
      './apps/deploy.py',
      'apps/c++/x.sh',
      'a@b.sh',
      '--force',
      'restart',
      'a=b/c',
      '/etc/passwd',
      '../x',
      'site.yml',
    ],
    check: ['apps/[shop]/needed.sh'],
    undo: ['apps/remove.sh'],
    paths: ['lib/**', 'apps/*.txt'],
  });
  expect(contentGlobs(action)).toEqual([
    'a@b.sh',
    'apps/*.txt',
    'apps/\\[shop\\]/needed.sh',
    'apps/c++/x.sh',
    'apps/deploy.py',
    'lib/**',
    'python3',
    'site.yml',
  ]);
});

test('a file below a folder that is named as a whole is not asked for again', () => {
  const run = ['a[b]/x.sh', 'apps/deploy.sh', 'apps2/y.sh'];
  const action = exampleAction({ run, paths: ['apps/**', 'a[b]/**'] });
  expect(contentGlobs(action)).toEqual(['a[b]/**', 'a\\[b\\]/x.sh', 'apps/**', 'apps2/y.sh']);
});

test('a fingerprint does not depend on any order', () => {
  const one = exampleAction({ paths: ['a', 'b'], env: { A: '1', B: '2' }, hosts: { x: '1', y: '2' } });
  const other = exampleAction({ paths: ['b', 'a'], env: { B: '2', A: '1' }, hosts: { y: '2', x: '1' } });
  const contents = { a: 'aa', b: 'bb' };
  expect(print(one, { x: '1', y: '2' }, contents)).toEqual(print(other, { y: '2', x: '1' }, contents));
});

test('a glob that matches nothing changes nothing; a file that vanishes does', () => {
  const action = exampleAction({ paths: ['a'] });
  const before = print(action, {}, { a: 'aa' });
  expect(print({ ...action, paths: ['a', 'nothing/**'] }, {}, { a: 'aa' })).toEqual(before);
  expect(print(action).parts.content).not.toBe(before.parts.content);
});

test('only labels that its hosts name count', () => {
  const action = exampleAction({ hosts: { part: ['app', 'web'] } });
  const before = print(action, { part: 'app', zone: 'eu' });
  expect(print(action, { part: 'app', zone: 'us' })).toEqual(before);
  expect(print(action, { part: 'web', zone: 'eu' }).parts.labels).not.toBe(before.parts.labels);
});

test('content that moves between globs or words between arguments is another fingerprint', () => {
  const action = exampleAction({ paths: ['a', 'b'] });
  expect(print(action, {}, { a: 'x', b: 'y' })).not.toEqual(print(action, {}, { a: 'y', b: 'x' }));
  const split = exampleAction({ run: ['do', 'a b'] });
  expect(print(split).parts.definition).not.toBe(print({ ...split, run: ['do', 'a', 'b'] }).parts.definition);
});

test('whatever the names of labels and variables are, the parts are digests', () => {
  const record = fc.dictionary(fc.string(), fc.string());
  fc.assert(
    fc.property(record, record, (env, labels) => {
      const action = exampleAction({ env, hosts: labels });
      const { fingerprint, parts } = print(action, labels);
      for (const digest of [fingerprint, ...Object.values(parts)]) expect(digest).toMatch(/^[0-9a-f]{32}$/);
    }),
  );
});
