import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { git, gitEnvironment } from '../../tests/support/git.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { formatLsRefs } from './ls-refs.ts';
import { FLUSH, formatPacket } from './pkt-line.ts';
import { parseLsRemote } from './probe-git.ts';
import {
  createAdvertisementReader,
  createLsRefsReader,
  type RefFilter,
  type RefReader,
  readFirstRef,
} from './ref-reader.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);

function read(create: (filter: RefFilter) => RefReader, filter: RefFilter, ...chunks: (string | Buffer)[]) {
  const reader = create(filter);
  for (const chunk of chunks) reader.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  return reader;
}

const refName = fc
  .string({ unit: fc.constantFrom(...'abz019-_.ü'), minLength: 1, maxLength: 12 })
  .map((name) => `refs/heads/${name}`);
const objectId = fc
  .tuple(
    fc.constantFrom(40, 64),
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 }),
  )
  .map(([length, digits]) => digits.slice(0, length));

test('any list of refs is read back, and an exact one is found wherever it stands', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(refName, objectId), { selector: ([name]) => name, minLength: 1, maxLength: 8 }),
      fc.nat(),
      fc.nat(),
      (refs, which, place) => {
        const text = refs.map(([name, id]) => formatPacket(`${id} ${name}\n`)).join('') + FLUSH;
        const bytes = Buffer.from(text);
        const cut = place % bytes.length;
        const all = read(
          createLsRefsReader,
          { prefix: 'refs/' },
          bytes.subarray(0, cut),
          bytes.subarray(cut),
        );
        expect(all.refs.map(({ name, id }) => [name, id])).toEqual(refs);
        const [name, id] = refs[which % refs.length]!;
        const one = read(createLsRefsReader, { exact: name }, bytes.subarray(0, cut), bytes.subarray(cut));
        expect(one).toMatchObject({ isDone: true, isComplete: true, broken: null, refs: [{ name, id }] });
        const other = read(createLsRefsReader, { exact: 'refs/heads/none' }, bytes);
        expect(other).toMatchObject({ isComplete: true, sawRefs: true, refs: [] });
      },
    ),
  );
});

test('arbitrary bytes never crash a reader, and never count as complete without a flush or the ref', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, isAnswer) => {
      const create = isAnswer ? createLsRefsReader : createAdvertisementReader;
      const reader = read(create, { exact: 'refs/heads/main' }, Buffer.from(bytes));
      if (reader.isComplete) expect(Buffer.from(bytes).includes('0000')).toBe(true);
      expect(reader.refs).toEqual([]);
    }),
  );
});

test('the short way takes only the very answer of an idle probe', () => {
  const answer = (line: string) => Buffer.from(formatPacket(line) + FLUSH);
  expect(readFirstRef(answer(`${A} refs/heads/main\n`), 'refs/heads/main')).toBe(A);
  expect(readFirstRef(answer(`${A}${A.slice(16)} refs/heads/main\n`), 'refs/heads/main')).toBe(
    A + A.slice(16),
  );
  for (const line of [
    `${A} refs/heads/main`,
    `${A} refs/heads/main2\n`,
    `${A} refs/heads/mai2\n`,
    `${A} refs/heads/main peeled:${B}\n`,
    `${A.toUpperCase()} refs/heads/main\n`,
    `${A.slice(1)} refs/heads/main\n`,
    '',
  ]) {
    expect(readFirstRef(answer(line), 'refs/heads/main'), line).toBeNull();
  }
  expect(readFirstRef(answer(`${A} refs/heads/main\n`).subarray(0, 40), 'refs/heads/main')).toBeNull();
  // A name beyond ASCII is never compared character by character.
  const latin = Buffer.concat([Buffer.from(`0035${A} a`), Buffer.from([0xe9]), Buffer.from('aaaa\n')]);
  expect(readFirstRef(latin, 'a\u00e9aaaa')).toBeNull();
});

test('a v0 advertisement shows refs, peels tags and knows an empty repository', () => {
  const caps = '\0multi_ack symref=HEAD:refs/heads/main object-format=sha1 agent=git/2';
  const list = [
    formatPacket('# service=git-upload-pack\n'),
    FLUSH,
    formatPacket(`${A} HEAD${caps}\n`),
    formatPacket(`${A} refs/heads/main\n`),
    formatPacket(`${A} refs/tags/v1\n`),
    formatPacket(`${B} refs/tags/v1^{}\n`),
    formatPacket(`${A} refs/tags/v2\n`),
  ];
  const text = list.join('') + FLUSH;
  const main = read(createAdvertisementReader, { exact: 'refs/heads/main' }, text);
  expect(main).toMatchObject({
    version: 0,
    isComplete: true,
    objectFormat: 'sha1',
    refs: [{ id: A, peeled: null }],
  });
  expect(read(createAdvertisementReader, { exact: 'refs/tags/v1' }, text).refs).toMatchObject([
    { peeled: B },
  ]);
  expect(read(createAdvertisementReader, { exact: 'refs/tags/v2' }, text).refs).toMatchObject([
    { peeled: null },
  ]);
  expect(read(createAdvertisementReader, { prefix: 'refs/tags/' }, text).refs).toHaveLength(2);
  const cut = read(createAdvertisementReader, { exact: 'refs/tags/v2' }, list.join(''));
  expect(cut.isComplete).toBe(false);
  const zero = `${'0'.repeat(40)} capabilities^{}${caps}\n`;
  const empty = read(createAdvertisementReader, { exact: 'refs/heads/main' }, formatPacket(zero) + FLUSH);
  expect(empty).toMatchObject({ isComplete: true, sawRefs: false, refs: [] });
});

test('a v2 advertisement tells object format and commands, with or without the service line', () => {
  const text = ['version 2\n', 'agent=git/2.39\n', 'ls-refs=unborn\n', 'object-format=sha256\n'].map(
    formatPacket,
  );
  for (const before of ['', formatPacket('# service=git-upload-pack\n') + FLUSH]) {
    const reader = read(
      createAdvertisementReader,
      { exact: 'refs/heads/main' },
      before + text.join('') + FLUSH,
    );
    expect(reader).toMatchObject({ version: 2, knowsLsRefs: true, objectFormat: 'sha256', isComplete: true });
  }
});

test.each([
  ['an error packet', formatPacket('ERR \u001b[31mno\n'), { error: '\\x1b[31mno' }],
  ['a page', '<!doctype html>', { broken: '<!doctype html>' }],
  ['a short id', formatPacket('abc refs/heads/main\n'), { broken: 'abc refs/heads/main' }],
  [
    'a mark in the list',
    `${formatPacket(`${A} refs/x\n`)}0001`,
    { isComplete: false, broken: expect.any(String) },
  ],
])('%s is told apart', (_, text, expected) => {
  expect(read(createLsRefsReader, { exact: 'refs/heads/main' }, text)).toMatchObject({
    isDone: true,
    ...expected,
  });
});

test('git upload-pack and git ls-remote agree with us about random sets of refs', async () => {
  using folder = tempFolder('refs');
  const bare = join(folder.path, 'it.git');
  await git(['init', '--quiet', '--bare', bare]);
  const tree = await git(['-C', bare, 'hash-object', '-t', 'tree', '-w', '/dev/null']);
  const commits = await Promise.all(
    ['one', 'two', 'three'].map((message) => git(['-C', bare, 'commit-tree', tree, '-m', message])),
  );
  const names = fc
    .sample(refName, { numRuns: 40, seed: 11 })
    .filter((name) => !/\.$|\.\.|\/\.|\.lock$/.test(name));
  const lines = [...new Set(names)].map((name, i) => `create ${name} ${commits[i % 3]}`);
  await git(['-C', bare, 'update-ref', '--stdin'], { input: `${lines.join('\n')}\n` });
  for (const tag of ['v1.0.0', 'v1.0.1']) await git(['-C', bare, 'tag', '-a', '-m', tag, tag, commits[0]!]);
  const truth = parseLsRemote(await git(['ls-remote', bare, 'refs/*']), bare);
  if (!truth.ok) throw new Error(truth.trouble.message);

  const ask = (version: string, input: string) =>
    spawnSync('git', ['upload-pack', bare], { env: { ...gitEnvironment, GIT_PROTOCOL: version }, input })
      .stdout;
  const old = read(createAdvertisementReader, { prefix: 'refs/' }, ask('', FLUSH));
  expect(old.refs.map((ref) => ({ ...ref, symref: null }))).toEqual(truth.value);
  for (const { name, id, peeled } of truth.value) {
    const question = formatLsRefs({ prefixes: [name], peel: true, objectFormat: 'sha1' });
    const said = ask('version=2', question + FLUSH);
    const answer = said.subarray(said.indexOf('0000') + 4);
    expect(read(createLsRefsReader, { exact: name }, answer).refs).toMatchObject([{ name, id, peeled }]);
  }
});
