/** output.log of a run: kept within its limit while something writes to it, and read back without its tricks. */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

/** While a run lives its output may be this much larger, so that not each line of a talkative run is a rewrite. */
export const LIVE_SLACK = 1.25;

const MARKER = /^\n\[pullyu: about (\d+) bytes of output are left out here\]\n/;
const MARKER_MAX_BYTES = 80;

/**
 * Above `limit * slack` the first half and the last half of the limit are kept, with a line between that says how much is missing.
 * Writers append all the while: what they write in the last instant of the rewrite is lost
 * and not counted, so the number is "about". A crash in the middle leaves a file
 * that the next call brings into order. No file: nothing to do.
 * @returns the size that the file has now.
 */
export function boundOutput(file: string, limitBytes: number, slack = 1): number {
  let fd: number;
  try {
    fd = openSync(file, 'r+');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  }
  try {
    const size = fstatSync(fd).size;
    const firstBytes = Math.floor(limitBytes / 2);
    // The marker of an earlier rewrite is ours and does not count.
    if (size <= limitBytes * slack + MARKER_MAX_BYTES) return size;
    const before = MARKER.exec(readAt(fd, firstBytes, MARKER_MAX_BYTES).toString('latin1'));
    const bodyAt = firstBytes + (before?.[0].length ?? 0);
    const last = fromLineStart(readAt(fd, size - (limitBytes - firstBytes), limitBytes - firstBytes));
    const now = Math.max(fstatSync(fd).size, size);
    const missing = Number(before?.[1] ?? 0) + (now - bodyAt - last.length);
    const middle = Buffer.concat([
      Buffer.from(`\n[pullyu: about ${missing} bytes of output are left out here]\n`),
      last,
    ]);
    writeSync(fd, middle, 0, middle.length, firstBytes);
    ftruncateSync(fd, firstBytes + middle.length);
    return firstBytes + middle.length;
  } finally {
    closeSync(fd);
  }
}

/**
 * The last `bytes` of the file as text for people: from the start of a line when one is near, everything that could move a
 * cursor, recolour or reorder shown as an escape. Empty when there is no output.
 */
export function outputTail(file: string, bytes: number): string {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    const from = Math.max(0, size - bytes);
    const tail = readAt(fd, from, size - from);
    return harmless((from === 0 ? tail : fromLineStart(tail)).toString('utf8'));
  } finally {
    closeSync(fd);
  }
}

/** Line ends and tabs stay; a lone carriage return (a progress bar) begins a line. */
export function harmless(text: string): string {
  return text
    .replace(/\r+\n/g, '\n')
    .replace(/\r/g, '\n')
    .replace(
      /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu,
      (character) => {
        const code = character.codePointAt(0)!;
        return code < 0x100
          ? `\\x${code.toString(16).padStart(2, '0')}`
          : `\\u${code.toString(16).padStart(4, '0')}`;
      },
    );
}

/** Without the half of a line (or of a character) that it begins with, unless that is most of it. */
function fromLineStart(bytes: Buffer): Buffer {
  const newline = bytes.indexOf(10);
  if (newline !== -1 && newline < bytes.length / 2) return bytes.subarray(newline + 1);
  let start = 0;
  while (start < 4 && start < bytes.length && (bytes[start]! & 0xc0) === 0x80) start++;
  return bytes.subarray(start);
}

function readAt(fd: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(Math.max(0, length));
  let filled = 0;
  while (filled < buffer.length) {
    const count = readSync(fd, buffer, filled, buffer.length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
}
