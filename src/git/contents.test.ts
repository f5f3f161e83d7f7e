import { afterEach, expect, test } from 'vitest';
import { createMatcher, shapeOfGlob } from './contents.ts';
import { createTestHost, type TestHost } from './origin.testing.ts';

let host: TestHost | null = null;
afterEach(() => host?.close());

async function commit(changes: Parameters<TestHost['origin']['commit']>[0], o = {}) {
  host ??= createTestHost();
  const id = host.origin.commit(changes, o);
  await host.clone.fetch(host.origin.answer());
  return id;
}

afterEach(() => {
  host = null;
});

test.each([
  ['apps/shop/**', 'path', 'apps/shop'],
  ['apps/shop/**/*', 'path', 'apps/shop'],
  ['apps/shop/', 'path', 'apps/shop'],
  ['./a.sh', 'path', 'a.sh'],
  ['file (1).txt', 'path', 'file (1).txt'],
  ['a\\[1\\]\\*.sh', 'path', 'a[1]*.sh'],
  ['a\\[1]/*.sh', 'pattern', ''],
  ['**', 'whole', ''],
  ['**/*', 'whole', ''],
  ['src/*.ts', 'pattern', 'src'],
  ['src/**/*.ts', 'pattern', 'src'],
  ['{a,b}/**', 'pattern', ''],
  ['*.md', 'pattern', ''],
  ['../x', 'nothing', ''],
  ['a/./b', 'nothing', ''],
])('%s is a %s below "%s"', (glob, kind, base) => expect(shapeOfGlob(glob)).toEqual({ kind, base }));

test('a matcher knows dot files, braces and folders', () => {
  expect(createMatcher('a/**')('a/.x/y')).toBe(true);
  expect(createMatcher('a/**')('ab/x')).toBe(false);
  expect(createMatcher('{a,b}/*.sh')('b/.x.sh')).toBe(true);
  expect(createMatcher('**/*.sh')('x.sh')).toBe(true);
});

test('a digest changes with content and with the executable bit, and with nothing else', async () => {
  const globs = ['a.sh', 'dir/**', 'dir/*.txt', '**', 'none/**', 'none', 'a.sh/**', '*.nope', 'dir'];
  const one = await commit({ 'a.sh': 'x', 'dir/b.txt': 'b', 'dir/sub/c': 'c', other: '1' });
  const two = await commit({ other: '2' });
  const three = await commit({ 'a.sh': { mode: '100755', content: 'x' } });
  const four = await commit({ 'dir/sub/c': 'changed' });
  const of = async (id: typeof one) => (host as TestHost).clone.contents(id, globs);
  const [c1, c2, c3, c4] = [await of(one), await of(two), await of(three), await of(four)];
  const differ = (x: typeof c1, y: typeof c1) => globs.filter((glob) => x.get(glob) !== y.get(glob));
  expect(differ(c1, c2)).toEqual(['**']);
  expect(differ(c2, c3)).toEqual(['a.sh', '**', 'a.sh/**']);
  expect(differ(c3, c4)).toEqual(['dir/**', '**', 'dir']);
  expect([...c1].filter(([, digest]) => digest === null).map(([glob]) => glob)).toEqual([
    'none/**',
    'none',
    '*.nope',
  ]);
});

test('a path and a path below it can be asked together', async () => {
  const id = await commit({ 'a/b/c': '1', 'a/d': '2' });
  const found = await (host as TestHost).clone.listPaths(id, ['a', 'a/b', 'a/b/c', 'a/d', 'a/x', ':(glob)*']);
  expect([...found].map(([path, entry]) => `${path} ${entry.type} ${entry.mode}`).sort()).toEqual([
    'a folder 040000',
    'a/b folder 040000',
    'a/b/c file 100644',
    'a/d file 100644',
  ]);
});

test('many entries of a folder that are asked one by one are the same as when they are asked alone', async () => {
  const names = Array.from({ length: 40 }, (_, n) => `parts/${n}`);
  const id = await commit(Object.fromEntries(names.map((name) => [`${name}/x`, name])));
  const globs = [...names, 'parts/none/**', 'parts/1/x', 'parts/1/none', 'parts'];
  const { clone } = host as TestHost;
  const together = await clone.contents(id, globs);
  for (const glob of [...names.slice(0, 3), ...globs.slice(-4)])
    expect([glob, together.get(glob)]).toEqual([glob, (await clone.contents(id, [glob])).get(glob)]);
  expect(together.get('parts/none/**')).toBeNull();
});

test('a thousand globs are one answer', async () => {
  const files = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`apps/a${i}/run.sh`, `${i}`]));
  const id = await commit(files);
  const globs = Array.from({ length: 1_000 }, (_, i) => `apps/a${i}/**`);
  const found = await (host as TestHost).clone.contents(id, globs);
  expect([...found.values()].filter((digest) => digest !== null)).toHaveLength(300);
});

test('a file is read, an absent one is null, a folder is no file', async () => {
  const id = await commit({ 'pullyu.yaml': 'actions: {}\n', 'd/x': '' });
  const { clone } = host as TestHost;
  expect((await clone.readFile(id, 'pullyu.yaml'))?.toString()).toBe('actions: {}\n');
  expect((await clone.readFile(id, 'd/x'))?.length).toBe(0);
  expect(await clone.readFile(id, 'nope.yaml')).toBeNull();
  expect(await clone.readFile(id, 'd')).toBeNull();
});

test('commits that touched a glob come oldest first, along first parents', async () => {
  const one = await commit({ 'm/1.sql': '1' });
  const two = await commit({ other: 'x' });
  const three = await commit({ 'm/2.sql': '2' });
  const four = await commit({ 'm/notes.md': 'n' });
  const { clone, origin } = host as TestHost;
  origin.git('branch', 'side', three);
  const side = await commit({ 'm/3.sql': '3' }, { branch: 'side' });
  const tree = origin.git('rev-parse', `${side}^{tree}`);
  const merge = origin.git('commit-tree', tree, '-p', four, '-p', side, '-m', 'merge');
  origin.git('update-ref', 'refs/heads/main', merge);
  const fetched = await clone.fetch(origin.answer());
  if (!fetched.ok) throw new Error(fetched.trouble.message);
  const to = fetched.value;
  expect(await clone.commitsTouching(one, to, ['m/**'])).toEqual([three, four, to]);
  expect(await clone.commitsTouching(one, to, ['m/*.sql'])).toEqual([three, to]);
  expect(await clone.commitsTouching(null, to, ['m/*.sql'])).toEqual([one, three, to]);
  expect(await clone.commitsTouching(one, to, ['other'])).toEqual([two]);
  expect(await clone.commitsTouching(one, to, ['**'])).toEqual([two, three, four, to]);
  expect(await clone.commitsTouching(one, to, [])).toEqual([]);
  expect(await clone.changedFiles(one, three)).toEqual(['m/2.sql', 'other']);
});

test('a subject is one escaped line', async () => {
  await commit({ a: '1' });
  const { clone, origin } = host as TestHost;
  const tree = origin.git('rev-parse', 'main^{tree}');
  const id = origin.git('commit-tree', tree, '-m', 'evil \u001b[31m red\n\nbody');
  origin.git('update-ref', 'refs/heads/main', id);
  const fetched = await clone.fetch(origin.answer());
  if (!fetched.ok) throw new Error(fetched.trouble.message);
  expect(await clone.subject(fetched.value)).toBe('evil \\x1b[31m red');
});
