/** A push as it travels: each command names what the ref must be now, and the server compares before it swaps. */
import { printable } from '../model/printable.ts';
import type { AnswerReader } from './answer-reader.ts';
import { type GitObjects, noObject, type ObjectFormat } from './objects.ts';
import { formatPack } from './pack.ts';
import { createPacketReader, FLUSH, formatPacket, type PacketReader, parsePacketLength } from './pkt-line.ts';

export interface RefCommand {
  readonly ref: string;
  /** What the ref must be for the command to be done; null: it must not be there. */
  readonly old: string | null;
  /** null: it is removed. */
  readonly new: string | null;
}

/** All commands are done, or none. Objects are sent even when the server has them: nothing was asked before. */
export function formatPush(
  commands: readonly RefCommand[],
  objects: GitObjects,
  format: ObjectFormat,
): Buffer {
  const none = noObject(format);
  // A server of SHA-1 from before git 2.28 does not know the word.
  const word = format === 'sha1' ? '' : ` object-format=${format}`;
  const capabilities = `\0 report-status side-band-64k${commands.length > 1 ? ' atomic' : ''}${word} agent=git/pullyu`;
  const lines = commands.map((command, n) =>
    formatPacket(
      `${command.old ?? none} ${command.new ?? none} ${command.ref}${n === 0 ? capabilities : ''}`,
    ),
  );
  const head = Buffer.from(lines.join('') + FLUSH);
  return commands.every((command) => command.new === null)
    ? head
    : Buffer.concat([head, formatPack(objects, format)]);
}

export interface ReportReader extends AnswerReader {
  /** What became of the pack: `ok`, or why not; escaped. */
  readonly unpack: string | null;
  /** By ref: null when it was done, or why not; escaped. */
  readonly refs: ReadonlyMap<string, string | null>;
  /** What hooks said, line by line; escaped. */
  readonly said: readonly string[];
}

const SAID_MAX = 16 * 1024;

/** Reads the report of a push, which comes in a side band beside what hooks say. */
export function createReportReader(): ReportReader {
  const refs = new Map<string, string | null>();
  let said = '';
  const state = {
    isDone: false,
    isComplete: false,
    broken: null as string | null,
    error: null as string | null,
    unpack: null as string | null,
    refs,
    get said() {
      return said
        .split(/[\r\n]+/)
        .map((line) => printable(line.trim()))
        .filter((line) => line !== '');
    },
    push(chunk: Buffer) {
      if (state.isDone) return;
      if (outer.push(chunk) === 'broken') state.broken ??= printable(chunk.toString('utf8', 0, 60));
      state.isDone = state.isComplete || state.broken !== null || state.error !== null;
    },
  };
  const inner: PacketReader = createPacketReader((mark, bytes, start, end) => {
    if (mark !== 4) {
      state.isComplete = mark === 0;
      return false;
    }
    onLine(bytes.toString('utf8', start, end));
    return true;
  });
  const outer: PacketReader = createPacketReader((mark, bytes, start, end) => {
    if (mark !== 4) {
      state.isComplete ||= mark === 0 && state.unpack !== null;
      return mark !== 0;
    }
    // The visitor's range leaves out a line feed at the end; here it may be part of the data.
    const wholeEnd = start - 4 + parsePacketLength(bytes, start - 4);
    const band = bytes[start];
    if (band === 1) {
      if (inner.push(bytes.subarray(start + 1, wholeEnd)) === 'broken') state.broken = 'a broken report';
    } else if (band === 2) {
      if (said.length < SAID_MAX) said += bytes.toString('utf8', start + 1, wholeEnd);
    } else if (band === 3) {
      state.error = printable(bytes.toString('utf8', start + 1, end));
    } else {
      const text = bytes.toString('utf8', start, end);
      if (text.startsWith('ERR ')) state.error = printable(text.slice(4));
      // A server without side bands reports right here.
      else onLine(text);
    }
    return state.error === null && state.broken === null && !state.isComplete;
  });

  function onLine(line: string): void {
    const [word, ref = ''] = line.split(' ', 2);
    const rest = (from: number) => printable(line.slice(from).trim());
    if (word === 'unpack') state.unpack = rest('unpack '.length);
    else if (word === 'ok') refs.set(ref, null);
    else if (word === 'ng') refs.set(ref, rest('ng '.length + ref.length + 1));
  }
  return state;
}
