/**
 * Bytes that one process makes and any number of readers take, each at its own speed, also those that come later.
 *
 * Up to a mebibyte they are held in memory, more goes into a file without a name, which is gone with us whatever we die of. When
 * no more may be kept (or the disk is full) the rest is passed on as it comes: the slowest reader then sets the speed, and nobody
 * can join any more.
 */
import { type FileHandle, open, unlink } from 'node:fs/promises';

export interface Spool {
  /** True while a reader that begins now gets everything. */
  readonly isWhole: boolean;
  readonly bytes: number;
  readonly readers: number;
  readonly state: 'open' | 'ended' | 'failed';
  /** Resolves when more may be written. */
  write(chunk: Buffer): Promise<void>;
  /** `mayBeKept` false: no new reader may begin. */
  end(mayBeKept: boolean): void;
  /** Readers end with this error. */
  fail(error: Error): void;
  /** From the first byte on. It counts as a reader until it has come to the end, or leaves. */
  read(): SpoolReader;
  /** Everything at once, when it is complete and in memory. */
  whole(): Buffer | null;
  /** Nobody will begin to read any more. Readers at work come to their end. */
  close(): void;
}

export interface SpoolReader {
  /** Waits for more; null at the end. Rejects when the spool failed. One at a time. */
  next(): Promise<Buffer | null>;
  leave(): void;
}

export interface SpoolOptions {
  /** Where a file may be made. */
  readonly newFile: () => string;
  /** May so many more bytes be kept? Asked before they are. */
  readonly reserve: (bytes: number, where: 'memory' | 'disk') => boolean;
  /** The last reader has left before the end. */
  readonly onAbandoned: () => void;
}

const MEMORY_MAX_BYTES = 1024 * 1024;
/** Passed on and not yet taken by all. */
const AHEAD_MAX_BYTES = 1024 * 1024;
const READ_BYTES = 256 * 1024;

interface Reader {
  at: number;
  hasLeft: boolean;
}

export function createSpool(o: SpoolOptions): Spool {
  let mode: 'memory' | 'file' | 'passing' = 'memory';
  let state: Spool['state'] = 'open';
  let failure: Error | null = null;
  let total = 0;
  let file: FileHandle | null = null;
  let fileBytes = 0;
  /** What is not in the file: from `chunksStart` to `total`. */
  let chunks: Buffer[] = [];
  let chunksStart = 0;
  let isClosed = false;
  let isOnce = false;
  const readers = new Set<Reader>();
  let wake = createSignal();
  let room = createSignal();

  const tell = () => {
    const told = wake;
    wake = createSignal();
    told.fire();
  };

  async function write(chunk: Buffer): Promise<void> {
    if (state !== 'open' || chunk.length === 0) return;
    if (mode === 'memory' && (total + chunk.length > MEMORY_MAX_BYTES || !o.reserve(chunk.length, 'memory')))
      await moveToFile();
    if (mode === 'file' && !(await writeToFile(chunk))) mode = 'passing';
    if (mode !== 'file') {
      chunks.push(chunk);
      total += chunk.length;
    }
    tell();
    while (mode === 'passing' && state === 'open' && total - chunksStart > AHEAD_MAX_BYTES) {
      dropTaken();
      if (total - chunksStart > AHEAD_MAX_BYTES) await room.promise;
    }
  }

  async function moveToFile(): Promise<void> {
    try {
      const path = o.newFile();
      file = await open(path, 'wx+', 0o600);
      // A death right here leaves an empty file, which the next start sweeps.
      await unlink(path);
      mode = 'file';
      const held = Buffer.concat(chunks);
      if (await writeToFile(held, false)) {
        chunks = [];
        chunksStart = fileBytes;
        return;
      }
      // Nothing is in it.
      await file.close();
      file = null;
      mode = 'passing';
    } catch {
      mode = 'passing';
    }
  }

  /** @returns false when it is not in the file: no more may be kept, or the disk is full. */
  async function writeToFile(bytes: Buffer, isNew = true): Promise<boolean> {
    if (file === null || !o.reserve(bytes.length, 'disk')) return false;
    try {
      for (let done = 0; done < bytes.length; )
        done += (await file.write(bytes, done, bytes.length - done, fileBytes + done)).bytesWritten;
    } catch {
      return false;
    }
    fileBytes += bytes.length;
    if (isNew) {
      total += bytes.length;
      chunksStart = fileBytes;
    }
    return true;
  }

  function dropTaken() {
    if (mode !== 'passing') return;
    const least = Math.min(total, ...[...readers].map((reader) => Math.max(reader.at, fileBytes)));
    while (chunks.length > 0 && chunksStart + chunks[0]!.length <= least)
      chunksStart += chunks.shift()!.length;
    const told = room;
    room = createSignal();
    told.fire();
  }

  function read(): SpoolReader {
    const reader: Reader = { at: 0, hasLeft: false };
    readers.add(reader);
    const leave = () => {
      if (!readers.delete(reader)) return;
      reader.hasLeft = true;
      dropTaken();
      tell();
      if (readers.size === 0 && state === 'open') o.onAbandoned();
      releaseFile();
    };
    return {
      leave,
      async next() {
        try {
          const chunk = await take(reader);
          if (chunk === null) leave();
          return chunk;
        } catch (error) {
          leave();
          throw error;
        }
      },
    };
  }

  async function take(reader: Reader): Promise<Buffer | null> {
    while (!reader.hasLeft) {
      const next = wake.promise;
      if (reader.at < fileBytes) {
        const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, fileBytes - reader.at));
        const { bytesRead } = await file!.read(buffer, 0, buffer.length, reader.at);
        if (bytesRead === 0) throw new Error('the file of an answer is shorter than what was written');
        reader.at += bytesRead;
        return buffer.subarray(0, bytesRead);
      }
      if (reader.at < total) {
        const chunk = chunkAt(reader.at);
        reader.at += chunk.length;
        dropTaken();
        return chunk;
      }
      if (failure !== null) throw failure;
      if (state === 'ended') return null;
      await next;
    }
    return null;
  }

  function chunkAt(at: number): Buffer {
    let start = chunksStart;
    for (const chunk of chunks) {
      if (at < start + chunk.length) return chunk.subarray(at - start);
      start += chunk.length;
    }
    throw new Error('a part of an answer was dropped before it was read');
  }

  function releaseFile() {
    if (!isClosed || readers.size > 0 || state === 'open') return;
    void file?.close().catch(() => {});
    file = null;
  }

  function finish(how: 'ended' | 'failed') {
    if (state !== 'open') return;
    state = how;
    if (mode === 'memory' && chunks.length > 1) chunks = [Buffer.concat(chunks)];
    tell();
    room.fire();
    releaseFile();
  }

  return {
    get isWhole() {
      return mode !== 'passing' && state !== 'failed' && !isClosed && !isOnce;
    },
    get bytes() {
      return total;
    },
    get readers() {
      return readers.size;
    },
    get state() {
      return state;
    },
    write,
    end(mayBeKept) {
      isOnce = !mayBeKept;
      finish('ended');
    },
    fail(error) {
      failure ??= error;
      finish('failed');
    },
    read,
    whole: () => (state === 'ended' && mode === 'memory' ? (chunks[0] ?? Buffer.alloc(0)) : null),
    close() {
      isClosed = true;
      releaseFile();
    },
  };
}

function createSignal(): { readonly promise: Promise<void>; fire(): void } {
  let fire = () => {};
  const promise = new Promise<void>((resolve) => {
    fire = resolve;
  });
  return { promise, fire };
}
