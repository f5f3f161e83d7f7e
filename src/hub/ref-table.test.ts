import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatPacket } from '../git/pkt-line.ts';
import { answerLsRefs, EVERYTHING, parseRefTable, type RefTable } from './ref-table.ts';

const ID = 'a'.repeat(40);
const PEELED = 'b'.repeat(40);

function tableOf(...lines: string[]): RefTable | null {
  const packets = lines.map((line) => `${(line.length + 5).toString(16).padStart(4, '0')}${line}\n`);
  return parseRefTable(Buffer.from(`${packets.join('')}0000`, 'latin1'));
}

function ask(table: RefTable, more: Partial<typeof EVERYTHING>): string {
  return answerLsRefs(table, { peel: false, symrefs: false, unborn: false, prefixes: [], ...more }).toString(
    'latin1',
  );
}

const table = tableOf(
  `${ID} HEAD symref-target:refs/heads/main`,
  `${ID} refs/heads/main`,
  `${ID} refs/heads/main-2`,
  `${ID} refs/tags/v1 peeled:${PEELED}`,
)!;

test('asked for everything, the answer is what it was made of', () => {
  const again = parseRefTable(answerLsRefs(table, EVERYTHING));
  expect(again).toEqual(table);
});

test('what is not asked for is left out', () => {
  expect(ask(table, { prefixes: ['refs/tags/'] })).toBe(`${formatPacket(`${ID} refs/tags/v1\n`)}0000`);
  expect(ask(table, { prefixes: ['refs/tags/'], peel: true })).toContain(` peeled:${PEELED}\n`);
  expect(ask(table, { prefixes: ['HEAD'], symrefs: true })).toBe(
    `${formatPacket(`${ID} HEAD symref-target:refs/heads/main\n`)}0000`,
  );
  expect(ask(table, { prefixes: ['nothing'] })).toBe('0000');
});

test('overlapping prefixes give each ref once, in order', () => {
  const names = ask(table, {
    prefixes: ['refs/heads/main-', 'refs/heads/main', 'refs/heads/main', 'refs/heads/m'],
  }).match(/refs\/\S+/g);
  expect(names).toEqual(['refs/heads/main', 'refs/heads/main-2']);
});

test('a HEAD without a commit is shown only to whoever asks for it', () => {
  const empty = tableOf('unborn HEAD symref-target:refs/heads/main')!;
  expect(ask(empty, { symrefs: true, unborn: true })).toContain(
    'unborn HEAD symref-target:refs/heads/main\n',
  );
  expect(ask(empty, { symrefs: true })).toBe('0000');
  expect(ask(empty, { unborn: true })).toBe('0000');
});

test.each([
  ['cut off', Buffer.from(formatPacket(`${ID} HEAD\n`))],
  ['nothing', Buffer.alloc(0)],
  ['an error', Buffer.from(`${formatPacket('ERR no\n')}0000`)],
  ['out of order', Buffer.from(`${formatPacket(`${ID} refs/b\n`)}${formatPacket(`${ID} refs/a\n`)}0000`)],
  ['twice the same', Buffer.from(`${formatPacket(`${ID} refs/a\n`)}${formatPacket(`${ID} refs/a\n`)}0000`)],
  ['not packets', Buffer.from('<html>')],
])('an answer that is %s makes no table', (_, answer) => {
  expect(parseRefTable(answer)).toBeNull();
});

test('prefixes find what a plain comparison of each name finds', () => {
  const piece = fc.string({ unit: fc.constantFrom('a', 'b', '/', '\xff', '-'), minLength: 1, maxLength: 4 });
  const names = fc.uniqueArray(
    piece.map((text) => `refs/${text}`),
    { maxLength: 30 },
  );
  const prefixes = fc.array(
    fc.oneof(
      piece.map((text) => `refs/${text}`),
      fc.constantFrom('', 'refs/', 'HEAD', 'H'),
    ),
    {
      minLength: 1,
      maxLength: 6,
    },
  );
  fc.assert(
    fc.property(names, prefixes, (all, wanted) => {
      const made = tableOf(`${ID} HEAD`, ...[...all].sort().map((name) => `${ID} ${name}`))!;
      const found = [...ask(made, { prefixes: wanted }).matchAll(/[0-9a-f]{40} ([^\n]+)\n/g)].map(
        (match) => match[1],
      );
      const expected = ['HEAD', ...[...all].sort()].filter((name) =>
        wanted.some((one) => name.startsWith(one)),
      );
      expect(found).toEqual(expected);
    }),
  );
});
