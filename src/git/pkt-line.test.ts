import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPacketReader, FLUSH, formatPacket, PACKET_MAX_BYTES, parsePacketLength } from './pkt-line.ts';

/** Every packet as text, marks as numbers. */
function readAll(chunks: readonly Buffer[]) {
  const packets: (string | number)[] = [];
  const reader = createPacketReader((mark, bytes, start, end) => {
    packets.push(mark === 4 ? bytes.toString('utf8', start, end) : mark);
    return true;
  });
  const states = chunks.map((chunk) => reader.push(chunk));
  return { packets, state: states.at(-1) ?? 'reading', isMidPacket: reader.isMidPacket() };
}

/** Cuts a buffer at any places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1))), bytes.length].sort(
    (a, b) => a - b,
  );
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

const content = fc
  .string({ unit: 'binary', maxLength: 80 })
  .filter((text) => !text.endsWith('\n') && Buffer.from(text).toString() === text);

test('what was formatted is read again, however the chunks fall', () => {
  fc.assert(
    fc.property(
      fc.array(content, { maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (texts, places) => {
        const bytes = Buffer.from(texts.map(formatPacket).join('') + FLUSH);
        expect(readAll(cut(bytes, places))).toEqual({
          packets: [...texts, 0],
          state: 'reading',
          isMidPacket: false,
        });
      },
    ),
  );
});

test('one line feed at the end of a packet is not part of its content', () => {
  expect(readAll([Buffer.from('0007ab\n0008ab\n\n0004')]).packets).toEqual(['ab', 'ab\n', '']);
});

test('arbitrary bytes never crash the reader and never make it hold more than a packet', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }), (chunks) => {
      const { state } = readAll(chunks.map((chunk) => Buffer.from(chunk)));
      expect(['reading', 'broken']).toContain(state);
    }),
  );
});

test.each([
  ['0000', 0],
  ['0001', 1],
  ['0002', 2],
  ['0003', -1],
  ['0004', 4],
  ['00aF', 0xaf],
  ['fff0', PACKET_MAX_BYTES],
  ['fff1', -1],
  ['<htm', -1],
  ['-001', -1],
])('the length "%s" is %i', (text, length) => {
  expect(parsePacketLength(Buffer.from(text), 0)).toBe(length);
});

test('a reader that was stopped by its visitor takes no more', () => {
  const reader = createPacketReader(() => false);
  expect(reader.push(Buffer.from('0005a0005b'))).toBe('stopped');
  expect(reader.push(Buffer.from('0005c'))).toBe('stopped');
});

test('a packet that is too long is refused', () => {
  expect(() => formatPacket('x'.repeat(PACKET_MAX_BYTES - 3))).toThrow(RangeError);
  expect(formatPacket('x'.repeat(PACKET_MAX_BYTES - 4))).toHaveLength(PACKET_MAX_BYTES);
});
