/** Shows the output of a run while it grows, harmless to a terminal. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { harmless } from '../runner/output.ts';
import { delay } from '../system/clock.ts';
import type { Terminal } from './terminal.ts';

const PIECE_BYTES = 64 * 1024;
const FOLLOW_EVERY_MS = 50;

/** Copies what was added since the last call. The file may have been cut in between: then it starts over at its end. */
export function copier(
  fd: number,
  isTerminal: boolean,
  write: (piece: string | Uint8Array) => void,
): () => void {
  let position = 0;
  return () => {
    const { size } = fstatSync(fd);
    if (size < position) position = size;
    while (position < size) {
      const bytes = Buffer.alloc(Math.min(PIECE_BYTES, size - position));
      const length = readSync(fd, bytes, 0, bytes.length, position);
      if (length === 0) return;
      position += length;
      write(isTerminal ? harmless(bytes.toString('utf8', 0, length)) : bytes.subarray(0, length));
    }
  };
}

export interface OutputView {
  /** Shows the rest of what is there, and ends. */
  finish(): void;
}

/** Shows what a run prints from now on until `finish`. A file that is not there (any more) shows nothing. */
export function showOutput(file: string, out: Pick<Terminal, 'isTerminal' | 'write'>): OutputView {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { finish() {} };
    throw error;
  }
  const copy = copier(fd, out.isTerminal, (piece) => out.write(piece));
  const ending = new AbortController();
  const following = (async () => {
    while (!ending.signal.aborted) {
      copy();
      await delay(FOLLOW_EVERY_MS, ending.signal);
    }
  })();
  return {
    finish() {
      ending.abort();
      copy();
      void following.finally(() => closeSync(fd));
    },
  };
}
