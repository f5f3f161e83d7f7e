/** A fetch as it travels: which commits are wanted, and how deep; the answer is one pack. Nothing that we have is told. */
import { printable } from '../model/printable.ts';
import type { AnswerReader } from './answer-reader.ts';
import type { ObjectFormat } from './objects.ts';
import { createPacketReader, DELIMITER, FLUSH, formatPacket, parsePacketLength } from './pkt-line.ts';

export interface FetchQuestion {
  readonly wants: readonly string[];
  /** Commits of each line of history. */
  readonly depth: number;
  /** Larger files are left out, where the server can do that; null: all are wanted. */
  readonly blobMaxBytes: number | null;
}

/** @param version Of the protocol: 0 is what a server speaks that was not told otherwise, such as a plain sshd. */
export function formatFetch(q: FetchQuestion, version: 0 | 2, format: ObjectFormat): string {
  const wants = [...new Set(q.wants)];
  if (version === 0) {
    const word = format === 'sha1' ? '' : ` object-format=${format}`;
    const capabilities = ` side-band-64k no-progress shallow${word} agent=git/pullyu`;
    return [
      ...wants.map((want, n) => formatPacket(`want ${want}${n === 0 ? capabilities : ''}\n`)),
      formatPacket(`deepen ${q.depth}\n`),
      FLUSH,
      formatPacket('done\n'),
    ].join('');
  }
  return [
    formatPacket('command=fetch\n'),
    format === 'sha1' ? '' : formatPacket(`object-format=${format}\n`),
    DELIMITER,
    formatPacket('no-progress\n'),
    ...wants.map((want) => formatPacket(`want ${want}\n`)),
    formatPacket(`deepen ${q.depth}\n`),
    q.blobMaxBytes === null ? '' : formatPacket(`filter blob:limit=${q.blobMaxBytes}\n`),
    formatPacket('done\n'),
    FLUSH,
  ].join('');
}

export interface PackReader extends AnswerReader {
  readonly pack: Buffer;
  /** More came than may be. */
  readonly isTooLarge: boolean;
}

/** Reads the answer to a fetch of either version. */
export function createPackReader(maxBytes: number): PackReader {
  const parts: Buffer[] = [];
  let bytesHeld = 0;
  let inPack = false;
  const state = {
    isDone: false,
    isComplete: false,
    isTooLarge: false,
    broken: null as string | null,
    error: null as string | null,
    get pack() {
      return Buffer.concat(parts, bytesHeld);
    },
    push(chunk: Buffer) {
      if (state.isDone) return;
      if (packets.push(chunk) === 'broken') state.broken ??= printable(chunk.toString('utf8', 0, 60));
      state.isDone = state.isComplete || state.broken !== null || state.error !== null;
    },
  };
  const packets = createPacketReader((mark, bytes, start, end) => {
    if (mark !== 4) {
      state.isComplete = inPack && mark === 0;
      return !state.isComplete;
    }
    if (!inPack) {
      const line = bytes.toString('utf8', start, Math.min(end, start + 300));
      inPack = line === 'packfile' || line === 'NAK';
      if (line.startsWith('ERR ')) state.error = printable(line.slice(4));
      return state.error === null;
    }
    // The visitor's range leaves out a line feed at the end; here it is part of the pack.
    const wholeEnd = start - 4 + parsePacketLength(bytes, start - 4);
    const band = bytes[start];
    if (band === 1) {
      bytesHeld += wholeEnd - start - 1;
      state.isTooLarge = bytesHeld > maxBytes;
      if (state.isTooLarge) state.broken = `a pack of more than ${maxBytes} bytes`;
      else parts.push(Buffer.from(bytes.subarray(start + 1, wholeEnd)));
    } else if (band !== 2) {
      state.error = printable(bytes.toString('utf8', start + (band === 3 ? 1 : 0), end));
    }
    return state.error === null && state.broken === null;
  });
  return state;
}
