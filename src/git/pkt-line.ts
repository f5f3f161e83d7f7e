/** git's framing: four hex digits of length, which count themselves, then the content. Lengths 0 to 2 are marks. */

export const FLUSH = '0000';
export const DELIMITER = '0001';

/** The longest packet that git's protocol allows, its four digits of length included. */
export const PACKET_MAX_BYTES = 65_520;

/** @throws RangeError when the content is longer than one packet can be. */
export function formatPacket(content: string): string {
  const bytes = Buffer.byteLength(content) + 4;
  if (bytes > PACKET_MAX_BYTES) throw new RangeError(`a packet of ${bytes} bytes is too long`);
  return bytes.toString(16).padStart(4, '0') + content;
}

/**
 * The length at `at`: 0 flush, 1 delimiter, 2 response end, 4 and more a packet with its four digits.
 * @returns -1 when these four bytes are no length of a packet. There must be four.
 */
export function parsePacketLength(bytes: Uint8Array, at: number): number {
  let length = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = bytes[i]!;
    const digit =
      byte >= 48 && byte <= 57
        ? byte - 48
        : byte >= 97 && byte <= 102
          ? byte - 87
          : byte >= 65 && byte <= 70
            ? byte - 55
            : -1;
    if (digit === -1) return -1;
    length = length * 16 + digit;
  }
  return length === 3 || length > PACKET_MAX_BYTES ? -1 : length;
}

/**
 * `mark` is 0, 1 or 2 for flush, delimiter, response end (then the range is empty), else 4. The content is
 * `bytes[start..end)`, without a line feed at its end, and valid only during the call.
 * @returns false to stop reading.
 */
export type PacketVisitor = (mark: 0 | 1 | 2 | 4, bytes: Buffer, start: number, end: number) => boolean;

/** `reading`: more is welcome. `stopped`: by the visitor. `broken`: what came is not git's framing. */
export type PacketState = 'reading' | 'stopped' | 'broken';

export interface PacketReader {
  push(chunk: Buffer): PacketState;
  /** True when the last chunk ended in the middle of a packet. */
  isMidPacket(): boolean;
}

/** Cuts a stream of chunks, however they fall, into packets. Holds at most one packet. */
export function createPacketReader(visit: PacketVisitor): PacketReader {
  let state: PacketState = 'reading';
  let parts: Buffer[] = [];
  let held = 0;
  /** So many bytes must be there before it is worth looking again. */
  let needed = 4;

  function push(chunk: Buffer): PacketState {
    if (state !== 'reading') return state;
    if (held === 0) {
      state = take(chunk);
      return state;
    }
    parts.push(chunk);
    held += chunk.length;
    if (held < needed) return state;
    const bytes = Buffer.concat(parts, held);
    parts = [];
    held = 0;
    state = take(bytes);
    return state;
  }

  function take(bytes: Buffer): PacketState {
    let at = 0;
    needed = 4;
    while (bytes.length - at >= 4) {
      const length = parsePacketLength(bytes, at);
      if (length === -1) return 'broken';
      const mark = length < 4 ? (length as 0 | 1 | 2) : 4;
      const next = at + Math.max(length, 4);
      if (next > bytes.length) {
        needed = length;
        break;
      }
      const end = length > 4 && bytes[next - 1] === 0x0a ? next - 1 : next;
      if (!visit(mark, bytes, at + 4, end)) return 'stopped';
      at = next;
    }
    if (at < bytes.length) {
      // A copy: the chunk may be part of a buffer that is used again.
      parts = [Buffer.from(bytes.subarray(at))];
      held = bytes.length - at;
    }
    return 'reading';
  }

  return { push, isMidPacket: () => held > 0 };
}
