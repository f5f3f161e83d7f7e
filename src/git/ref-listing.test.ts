import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FLUSH, formatPacket } from './pkt-line.ts';
import { createBodyReader, keepAnswer, movedRefs } from './ref-listing.ts';

const id = (n: number) => n.toString(16).padStart(40, '0');
const answer = (refs: readonly (readonly [string, number])[]) =>
  Buffer.from(refs.map(([name, n]) => formatPacket(`${id(n)} ${name}\n`)).join('') + FLUSH);

test('the refs that moved are those whose ids differ', () => {
  const name = fc.stringMatching(/^refs\/heads\/[a-z]{1,40}$/);
  const refs = fc.uniqueArray(fc.tuple(name, fc.nat(9)), {
    minLength: 1,
    maxLength: 300,
    selector: ([n]) => n,
  });
  fc.assert(
    fc.property(refs, fc.array(fc.nat(299)), (before, which) => {
      const after = before.map(([ref, n], at) => [ref, which.includes(at) ? n + 10 : n] as const);
      const moved = movedRefs(keepAnswer(answer(before)), answer(after));
      const expected = after
        .filter((_, at) => which.includes(at))
        .map(([ref, n]) => ({ name: ref, id: id(n) }));
      expect(moved).toEqual(expected);
    }),
  );
});

test.each([
  [
    'one came',
    [
      ['refs/heads/a', 1],
      ['refs/heads/b', 1],
      ['refs/heads/c', 1],
    ],
  ],
  ['one went', [['refs/heads/a', 1]]],
  [
    'one has another name',
    [
      ['refs/heads/a', 1],
      ['refs/heads/c', 1],
    ],
  ],
  [
    'one name is longer, another shorter',
    [
      ['refs/heads/aa', 1],
      ['refs/heads/', 1],
    ],
  ],
] as const)('all is read anew when %s', (_, after) => {
  const before = keepAnswer(
    answer([
      ['refs/heads/a', 1],
      ['refs/heads/b', 1],
    ]),
  );
  expect(movedRefs(before, answer(after as never))).toBeNull();
});

test('an answer of other bytes is never taken for moved refs', () => {
  const before = keepAnswer(
    answer([
      ['refs/heads/a', 1],
      ['refs/heads/b', 1],
    ]),
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: before.body.length, maxLength: before.body.length }), (bytes) => {
      expect(movedRefs(before, Buffer.from(bytes))).toBeNull();
    }),
  );
});

test('an answer without its end is not complete, and an ERR packet is an error', () => {
  const reader = createBodyReader();
  reader.push(answer([['refs/heads/a', 1]]).subarray(0, 50));
  expect(reader.isComplete).toBe(false);
  const other = createBodyReader();
  other.push(Buffer.from(formatPacket('ERR access \x1b[2J denied\n') + FLUSH));
  expect(other.error).toBe('access \\x1b[2J denied');
});
