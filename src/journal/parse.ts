/** The bytes of a journal, checked and folded. A torn end is normal after a crash; damage before the end is not. */
import { isAscii } from 'node:buffer';
import { PullyuError } from '../errors.ts';
import { emptyState, foldRecord, type JournalState } from './fold.ts';
import { JOURNAL_VERSION, parseLine, readHeader, readRecord } from './record.ts';

export interface ParsedJournal {
  readonly state: JournalState;
  /** Up to here every record is whole; 0 when not even the header is. */
  readonly goodBytes: number;
  /** What follows: a record whose writing was cut off, or zeros that a power cut left. */
  readonly tornBytes: number;
  readonly baseBytes: number;
}

const NEWLINE = 10;

/**
 * @param file For messages.
 * @throws PullyuError `journal-damaged` with line and byte, `journal-newer`.
 */
export function parseJournal(bytes: Buffer, file: string): ParsedJournal {
  let state = emptyState();
  let baseBytes = 0;
  let offset = 0;
  // Nearly always: then each byte is one character, and lines are cut out without being copied.
  const text = isAscii(bytes) ? bytes.toString('latin1') : null;
  for (let number = 1; offset < bytes.length; number++) {
    const newline = text?.indexOf('\n', offset) ?? bytes.indexOf(NEWLINE, offset);
    const line =
      newline === -1 ? null : (text?.slice(offset, newline) ?? bytes.toString('utf8', offset, newline));
    const value = line === null ? null : parseLine(line);
    if (value === null) {
      if (isTorn(bytes, newline)) break;
      throw damaged(file, number, offset, 'expected a whole record, found one with a wrong checksum');
    }
    if (number === 1) {
      baseBytes = checkHeader(value, file).baseBytes;
    } else {
      const record = readRecord(value);
      if (typeof record === 'string') throw damaged(file, number, offset, record);
      state = foldRecord(state, record);
    }
    offset = newline + 1;
  }
  return { state, goodBytes: offset, tornBytes: bytes.length - offset, baseBytes };
}

/**
 * Each record is durable before the next is written, so that only the last line can be torn. Zeros after it are what a file
 * system shows of a block that was promised and never written.
 */
function isTorn(bytes: Buffer, newline: number): boolean {
  return newline === -1 || bytes.subarray(newline + 1).every((byte) => byte === 0);
}

function checkHeader(value: unknown, file: string): { version: number; baseBytes: number } {
  const header = readHeader(value);
  if (header === null) throw damaged(file, 1, 0, 'expected the header of a journal');
  if (header.version > JOURNAL_VERSION) {
    throw new PullyuError(
      'journal-newer',
      `expected a journal of version ${JOURNAL_VERSION} or older, found version ${header.version} in ${file}`,
      { hint: 'install the pullyu that wrote it, or a newer one' },
    );
  }
  return header;
}

function damaged(file: string, line: number, byte: number, what: string): PullyuError {
  return new PullyuError('journal-damaged', `${what} at line ${line}, byte ${byte} of ${file}`, {
    hint:
      line === 1
        ? `restore it from a backup; moving it away makes this host new: everything runs again, also what runs only once`
        : `restore it from a backup, or keep what comes before: cp ${file} ${file}.damaged && truncate -s ${byte} ${file}; later runs are then forgotten and may be repeated`,
  });
}
