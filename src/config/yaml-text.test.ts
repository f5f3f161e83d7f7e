import { expect, test } from 'vitest';
import { readYaml } from './yaml-text.ts';

const read = (input: string | Uint8Array) => readYaml(input, (path) => path[0] === 'labels');
const messages = (input: string | Uint8Array) =>
  read(input).problems.map((p) => `${p.line}:${p.column}: ${p.message}`);

test('an empty text, a comment and a lone document mark are nothing', () => {
  for (const text of ['', '\n', '# nothing\n', '---\n']) {
    expect(read(text)).toMatchObject({ value: undefined, problems: [], readable: true });
  }
});

test('a byte order mark does not move anything', () => {
  const bytes = Buffer.from('\uFEFFa: 1\n');
  expect(read(bytes).value).toEqual({ a: 1 });
  expect(read(bytes.toString()).at(['a'])).toEqual({ line: 1, column: 4 });
});

test('values and keys have places, and what is missing is where its parent is', () => {
  const text = read('a:\n  b: [x, y]\n');
  expect(text.at(['a', 'b', 1])).toEqual({ line: 2, column: 10 });
  expect(text.at(['a', 'b'], 'key')).toEqual({ line: 2, column: 3 });
  expect(text.at(['a', 'nothing', 'here'])).toEqual({ line: 1, column: 1 });
});

test('where a text is meant, numbers and booleans stay as they are written', () => {
  expect(read('labels: {version: 1.10, on: true, hex: 0x1F}\nother: 1.10\n').value).toEqual({
    labels: { version: '1.10', on: 'true', hex: '0x1F' },
    other: 1.1,
  });
});

test('an alias is the value that its anchor names at that place', () => {
  expect(read('a: &x {k: [1]}\nb: *x\nc: &x 2\nd: *x\n').value).toEqual({
    a: { k: [1] },
    b: { k: [1] },
    c: 2,
    d: 2,
  });
});

test.each([
  ['a tab as indentation', 'a:\n\tb: 1\n', ['2:1: Tabs are not allowed as indentation']],
  ['a key twice', 'a: 1\nb: 2\na: 3\n', ['3:1: expected each key once, found "a" again (first in line 1)']],
  ['two documents', 'a: 1\n---\nb: 2\n', ['2:1: expected one YAML document, found another that begins here']],
  ['a key that is a list', '? [a]\n: 1\n', ['1:3: expected a plain word as key, found something else']],
  ['a key that is nothing', ': 1\n', ['1:1: expected a plain word as key, found none']],
  [
    'a key that every object has',
    'constructor: 1\n__proto__: 2\n',
    ['1:1: unknown key "constructor"', '2:1: unknown key "__proto__"'],
  ],
  [
    'an alias inside of itself',
    'a: &x [*x]\n',
    ['1:8: expected an anchor with a value, found *x inside of itself'],
  ],
  ['a tag', 'a: !run x\n', ['1:4: Unresolved tag: !run']],
  [
    'an older YAML',
    '%YAML 1.1\n---\na: yes\n',
    ['1:1: expected YAML 1.2, found a directive for another version'],
  ],
  [
    'a tag rule without braces',
    'track: tag: v*\n',
    ['1:8: Nested mappings are not allowed in compact mappings; write the rule as {tag: v*}'],
  ],
])('%s is a problem with a place', (_, text, expected) => {
  expect(messages(text)).toEqual(expected);
});

test('bytes that are not UTF-8 are found where they are', () => {
  expect(messages(Buffer.from([0x61, 0x3a, 0x20, 0x78, 0x0a, 0x62, 0xff, 0x0a]))).toEqual([
    '2:2: expected UTF-8, found bytes that are not',
  ]);
});

test('a text has at most 1 MiB', () => {
  expect(messages(`# ${'x'.repeat(2 ** 20)}`)).toEqual(['1:1: expected at most 1 MiB, found 1048578 bytes']);
});

test('aliases that multiply are stopped', () => {
  const lines = Array.from(
    { length: 9 },
    (_, i) => `k${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(', ')}]`,
  );
  const text = read(`k0: &a0 [x]\n${lines.join('\n')}\n`);
  expect(text.readable).toBe(false);
  expect(text.problems.map((p) => p.message)).toEqual(['expected at most 100000 values, found more']);
});

test('nesting that is deeper than any configuration is stopped, however deep', () => {
  expect(read('['.repeat(30) + ']'.repeat(30)).problems[0]?.message).toBe(
    'expected at most 20 levels, found more',
  );
  expect(read('['.repeat(500_000)).problems[0]?.message).toBe('expected at most 20 levels, found more');
});

test('of a text full of faults only the first ones are looked at', () => {
  const text = read('a: 1\n'.repeat(5_000));
  expect(text.problems).toHaveLength(1_000);
  expect(text.readable).toBe(false);
  expect(messages('%\n'.repeat(5_000))).toHaveLength(200);
});
