/** Writing the journal: only by the holder of the host's lock. */
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { PullyuError } from '../errors.ts';
import { makeFolder, namedWriteError, writeFileAtomic } from '../system/files.ts';
import { compactRecords, formatJournal } from './compact.ts';
import { emptyState, foldRecord, type JournalState } from './fold.ts';
import { parseJournal } from './parse.ts';
import { type JournalView, markerOf, parseFile, viewOf } from './read.ts';
import { formatRecord, type JournalRecord } from './record.ts';

export interface Journal extends JournalView {
  /** Bytes of a record that a crash cut off, removed at opening; 0 is normal. */
  readonly tornBytes: number;
  /**
   * Durable when it returns. When it throws, the record is not in the journal and the journal is as before.
   * @throws PullyuError `disk-full`, `read-only`, ...; `journal-damaged` when an earlier failure left it in doubt: open it again.
   */
  append(record: JournalRecord): void;
  /** Writes it anew with what is still needed, when it has grown large. Cheap when it has not. */
  compactIfLarge(): void;
  close(): void;
}

export interface JournalOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Default 4 MiB. */
  readonly compactAboveBytes?: number;
  /** Stands in for the disk in tests. */
  readonly disk?: Disk;
}

/** The system calls whose failure has to be survived. */
export interface Disk {
  write(fd: number, bytes: Buffer, position: number): number;
  sync(fd: number): void;
  truncate(fd: number, length: number): void;
  replace(file: string, content: string | Buffer): void;
}

export const realDisk: Disk = {
  write: (fd, bytes, position) => writeSync(fd, bytes, 0, bytes.length, position),
  sync: fdatasyncSync,
  truncate: ftruncateSync,
  replace: (file, content) => writeFileAtomic(file, content, { mode: 0o644 }),
};

/**
 * Creates it on a new host, cuts off a torn end.
 * @throws PullyuError `journal-damaged`, `journal-newer`, and errors of writing.
 */
export function openJournal(file: string, options: JournalOptions): Journal {
  const disk = options.disk ?? realDisk;
  const compactAbove = options.compactAboveBytes ?? 4 * 1024 * 1024;
  naming(file, () => makeFolder(dirname(file)));
  sweepTemporaries(file);

  const parsed = parseFile(file);
  let state: JournalState = parsed?.state ?? emptyState();
  let length = parsed?.goodBytes ?? 0;
  let baseBytes = parsed?.baseBytes ?? 0;
  let fd: number | null = null;
  /** Why nothing may be appended any more; null while all is well. */
  let inDoubt: string | null = null;

  const reopen = () => {
    if (fd !== null) closeSync(fd);
    fd = null;
    fd = openSync(file, constants.O_RDWR);
  };

  /** All of it in a new file. A crash in here leaves the old one or the new one. */
  const replace = (content: string | Buffer) => {
    try {
      disk.replace(file, content);
      reopen();
    } catch (error) {
      // Failed before the rename: our descriptor is still the file. After it: it is a file without a name.
      if (fd === null || !isSameFile(fd, file)) inDoubt = 'writing it anew failed half-way';
      throw error;
    }
    length = Buffer.byteLength(content);
  };

  const write = (bytes: Buffer) => {
    try {
      let written = 0;
      while (written < bytes.length) written += disk.write(fd!, bytes.subarray(written), length + written);
    } catch (error) {
      takeBack();
      throw error;
    }
  };

  const takeBack = () => {
    try {
      disk.truncate(fd!, length);
    } catch {
      inDoubt = 'a failed write could not be taken back';
    }
  };

  /**
   * After a failed sync nobody knows what of the last write is on the disk, and the same descriptor would say that all is
   * well the next time. What was synced before is read back, checked and written to a new file, then the record is tried once more.
   */
  const writeAgainElsewhere = (bytes: Buffer) => {
    try {
      const good = readFileSync(file).subarray(0, length);
      if (parseJournal(good, file).goodBytes !== length)
        throw new Error(`expected ${length} good bytes in ${file}`);
      replace(good);
      write(bytes);
      disk.sync(fd!);
    } catch (error) {
      if (fd !== null) takeBack();
      inDoubt ??= 'the disk failed to keep a record';
      throw error;
    }
  };

  naming(file, () => {
    if (parsed === null) {
      replace(formatJournal([], options.now()));
    } else {
      reopen();
      if (parsed.tornBytes > 0) {
        disk.truncate(fd!, length);
        disk.sync(fd!);
      }
    }
    // A crash before this line: the next opening finds a whole journal and makes the marker.
    if (!existsSync(markerOf(file))) writeFileAtomic(markerOf(file), '');
  });

  return {
    ...viewOf(() => state),
    tornBytes: parsed?.tornBytes ?? 0,
    append(record) {
      if (fd === null) inDoubt ??= 'it was closed';
      if (inDoubt !== null) throw refusal(file, inDoubt);
      if (record.type === 'finished' && !state.open.has(record.result.id)) {
        throw new Error(`expected an open run, found none with the id ${record.result.id}`);
      }
      const bytes = Buffer.from(formatRecord(record, options.now()));
      naming(file, () => {
        write(bytes);
        try {
          disk.sync(fd!);
        } catch {
          writeAgainElsewhere(bytes);
        }
      });
      length += bytes.length;
      state = foldRecord(state, record);
    },
    compactIfLarge() {
      if (inDoubt !== null || fd === null || length <= Math.max(compactAbove, 2 * baseBytes)) return;
      const content = Buffer.from(formatJournal(compactRecords(state), options.now()));
      naming(file, () => replace(content));
      ({ state, baseBytes } = parseJournal(content, file));
    },
    close() {
      if (fd !== null) closeSync(fd);
      fd = null;
    },
  };
}

function naming(file: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    throw namedWriteError(error, file) ?? error;
  }
}

function refusal(file: string, why: string): PullyuError {
  return new PullyuError('journal-damaged', `nothing is appended to ${file}: ${why}`, {
    hint: 'the agent opens and checks it again when it is started again',
  });
}

function isSameFile(fd: number, file: string): boolean {
  const named = statSync(file, { throwIfNoEntry: false });
  return named !== undefined && named.ino === fstatSync(fd).ino;
}

/** What a crash in the middle of `replace` left. Only we write beside the journal, and we hold the lock. */
function sweepTemporaries(file: string): void {
  const prefix = `${basename(file)}.`;
  for (const name of readdirSync(dirname(file))) {
    if (name.startsWith(prefix) && name.endsWith('.tmp')) rmSync(join(dirname(file), name), { force: true });
  }
}
