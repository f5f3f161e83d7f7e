/**
 * A long list of refs that is asked for again and again. What came is compared with what came before, as bytes: when some refs moved and
 * none came or went, only their lines are looked at. Ten thousand lines are compared in the time in which a hundred are read.
 */
import { printable } from '../model/printable.ts';
import type { AnswerReader } from './answer-reader.ts';
import { FLUSH, parsePacketLength } from './pkt-line.ts';

const BLOCK_BYTES = 4096;
/** More differences, and reading all of it is not slower. */
const BLOCKS_MAX = 64;

export interface MovedRef {
  readonly name: string;
  readonly id: string;
}

/** An answer to `ls-refs` that was read to its end before: whole, and in git's format. */
export interface KeptAnswer {
  readonly body: Buffer;
  /** Where its packets begin. */
  readonly starts: Uint32Array;
}

export function keepAnswer(body: Buffer): KeptAnswer {
  const starts: number[] = [];
  for (let at = 0; at + 4 <= body.length; ) {
    starts.push(at);
    at += Math.max(4, parsePacketLength(body, at));
  }
  return { body, starts: Uint32Array.from(starts) };
}

/** The refs that moved from one answer to the next; null: more than that is different, and all of it has to be read. */
export function movedRefs(before: KeptAnswer, body: Buffer): MovedRef[] | null {
  const old = before.body;
  if (old.length !== body.length) return null;
  const moved: MovedRef[] = [];
  let blocks = 0;
  let line = 0;
  for (let at = 0; at < body.length; at += BLOCK_BYTES) {
    const end = Math.min(at + BLOCK_BYTES, body.length);
    if (body.compare(old, at, end, at, end) === 0) continue;
    blocks += 1;
    if (blocks > BLOCKS_MAX) return null;
    line = Math.max(line, lineAt(before.starts, at));
    for (; line < before.starts.length && before.starts[line]! < end; line += 1) {
      const start = before.starts[line]!;
      const length = parsePacketLength(old, start);
      const next = start + Math.max(4, length);
      if (body.compare(old, start, next, start, next) === 0) continue;
      const ref = movedRef(old, body, start, next);
      if (ref === null) return null;
      moved.push(ref);
    }
  }
  return moved;
}

/** The same packet with another id; null when it is not that. */
function movedRef(old: Buffer, body: Buffer, start: number, next: number): MovedRef | null {
  if (body.compare(old, start, start + 4, start, start + 4) !== 0) return null;
  const space = old.indexOf(0x20, start + 4);
  if (space === -1 || space >= next || body.compare(old, space, next, space, next) !== 0) return null;
  const id = body.toString('latin1', start + 4, space);
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(id)) return null;
  const end = body[next - 1] === 0x0a ? next - 1 : next;
  return { id, name: body.toString('utf8', space + 1, end) };
}

/** The packet that the byte at `at` is in. */
function lineAt(starts: Uint32Array, at: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

export interface BodyReader extends AnswerReader {
  readonly body: Buffer;
}

/** Takes an answer as it is. */
export function createBodyReader(): BodyReader {
  const parts: Buffer[] = [];
  let joined: Buffer | null = null;
  const body = () => {
    joined ??= parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    return joined;
  };
  return {
    push(chunk) {
      // A copy: the chunk may be part of a buffer that is used again.
      parts.push(Buffer.from(chunk));
      joined = null;
    },
    isDone: false,
    broken: null,
    get body() {
      return body();
    },
    get isComplete() {
      return body().toString('latin1', Math.max(0, body().length - 4)) === FLUSH;
    },
    get error() {
      const length = body().length < 4 ? 0 : parsePacketLength(body(), 0);
      const said = body().toString('utf8', 4, Math.min(length, 300));
      return said.startsWith('ERR ') ? printable(said.slice(4).trim()) : null;
    },
  };
}
