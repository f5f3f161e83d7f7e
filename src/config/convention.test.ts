import { expect, test } from 'vitest';
import { CLASSIC, conventionActions, conventionPaths, NODEWORK } from './convention.ts';

const labels = { part: 'app', stacktype: 'lad1', stack: 'fed1' };
const all = (settings = CLASSIC) => {
  const { init, work } = conventionPaths(settings, labels);
  return new Set([...init, ...work]);
};

test('the classic layers are those of the practice, most general first', () => {
  expect(conventionPaths(CLASSIC, labels)).toEqual({
    init: [
      'bin/init/common/init.sh',
      'bin/init/part/app/init.sh',
      'bin/init/stacktype/lad1/init.sh',
      'bin/init/stacktype/lad1/part/app/init.sh',
    ],
    work: [
      'bin/work/common/work.sh',
      'bin/work/part/app/work.sh',
      'bin/work/stack/fed1/work.sh',
      'bin/work/stacktype/lad1/work.sh',
      'bin/work/stack/fed1/part/app/work.sh',
      'bin/work/stacktype/lad1/part/app/work.sh',
    ],
  });
});

test('the later names are the same two trees', () => {
  const { init, work } = conventionPaths(NODEWORK, { part: 'app' });
  expect(init).toEqual(['it/nodeinit/common/init.sh', 'it/nodeinit/part/app/init.sh']);
  expect(work).toEqual(['bin/nodework/common/work.sh', 'bin/nodework/part/app/work.sh']);
});

test('a layer whose label the host lacks, or whose value is no plain name, is left out', () => {
  for (const part of ['', '..', '.', 'a/b', '../x', 'a b', '-\n', '.git']) {
    expect(conventionPaths(CLASSIC, { part }).work).toEqual(['bin/work/common/work.sh']);
  }
  expect(conventionPaths({ init: [], work: ['{constructor}/work.sh'] }, {}).work).toEqual([]);
});

test('of the inits only common is called when it exists; every work is called, in order', () => {
  const actions = conventionActions('it', CLASSIC, labels, all());
  expect(actions.map((action) => `${action.name}: ${action.run[0]}`)).toEqual([
    'init-common: bin/init/common/init.sh',
    'work-common: bin/work/common/work.sh',
    'work-part-app: bin/work/part/app/work.sh',
    'work-stack-fed1: bin/work/stack/fed1/work.sh',
    'work-stacktype-lad1: bin/work/stacktype/lad1/work.sh',
    'work-stack-fed1-part-app: bin/work/stack/fed1/part/app/work.sh',
    'work-stacktype-lad1-part-app: bin/work/stacktype/lad1/part/app/work.sh',
  ]);
});

test('without common the other inits are called', () => {
  const exists = all();
  exists.delete('bin/init/common/init.sh');
  const names = conventionActions('it', CLASSIC, labels, exists).map((action) => action.name);
  expect(names.filter((name) => name.startsWith('init'))).toEqual([
    'init-part-app',
    'init-stacktype-lad1',
    'init-stacktype-lad1-part-app',
  ]);
});

test('init runs until its first success, work at every look after the inits and not after other work', () => {
  const [init, work, next] = conventionActions('it', CLASSIC, labels, all());
  expect(init).toMatchObject({
    on: [{ type: 'bootstrap' }],
    timeoutMs: 3_600_000,
    after: [],
    paths: ['bin/init/common/**'],
  });
  expect(work).toMatchObject({
    on: [{ type: 'look' }],
    timeoutMs: 600_000,
    after: ['init-common'],
    kind: 'idempotent',
  });
  expect(next).toMatchObject({
    after: ['init-common'],
    paths: ['bin/work/part/app/**'],
    hosts: null,
    origin: 'convention',
  });
});

test('what does not exist is skipped', () => {
  expect(conventionActions('it', CLASSIC, labels, new Set(['README']))).toEqual([]);
  const names = conventionActions('it', CLASSIC, labels, new Set(['bin/work/part/app/work.sh'])).map(
    (a) => a.name,
  );
  expect(names).toEqual(['work-part-app']);
});

test('names are unique and keep to the rule of names', () => {
  const settings = {
    init: [],
    work: ['work.sh', 'a/B b/work.sh', 'a/b-b/work.sh', 'x/y/{part}/work.sh', 'x/y/Z/work.sh'],
  };
  const exists = new Set([
    'work.sh',
    'a/B b/work.sh',
    'a/b-b/work.sh',
    `x/y/${'p'.repeat(200)}/work.sh`,
    'x/y/Z/work.sh',
  ]);
  const names = conventionActions('it', settings, { part: 'p'.repeat(200) }, exists).map(
    (action) => action.name,
  );
  expect(new Set(names).size).toBe(5);
  for (const name of names) expect(name).toMatch(/^[a-z0-9][a-z0-9._-]{0,63}$/);
});
