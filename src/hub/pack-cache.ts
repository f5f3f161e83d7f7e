/**
 * Answers to fetches, each made once for all who ask the same at the same state of the refs. Bounded in memory and on disk: what was
 * not asked for longest goes first.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../system/files.ts';
import { createSpool, type Spool } from './spool.ts';

export interface PackCache {
  /**
   * The answer under this key, or a new one that `make` fills. `make` gets a signal that tells that nobody wants it any more, and
   * ends or fails the spool.
   * @param key Must name everything that the answer depends on.
   */
  get(key: string, make: (spool: Spool, signal: AbortSignal) => void): Spool;
  close(): void;
}

export interface PackCacheOptions {
  /** For large answers. Made when it is first needed. */
  readonly folder: string;
  readonly memoryMaxBytes: number;
  readonly diskMaxBytes: number;
  /** Milliseconds that only grow. */
  readonly monotonic: () => number;
}

interface Entry {
  readonly spool: Spool;
  kept: { memory: number; disk: number };
  usedAt: number;
  isDropped: boolean;
  readonly ending: AbortController;
}

const PREFIX = 'answer-';
const KEPT_MS = 10 * 60_000;
const ENTRIES_MAX = 10_000;

export function createPackCache(o: PackCacheOptions): PackCache {
  const entries = new Map<string, Entry>();
  /** Those that have left the cache and are still read. */
  const leaving = new Set<Entry>();
  const used = { memory: 0, disk: 0 };
  let isFolderMade = false;

  function newFile(): string {
    if (!isFolderMade) {
      makeFolder(o.folder, 0o700);
      for (const name of readdirSync(o.folder))
        if (name.startsWith(PREFIX)) rmSync(join(o.folder, name), { force: true });
      isFolderMade = true;
    }
    return join(o.folder, `${PREFIX}${randomBytes(8).toString('hex')}.tmp`);
  }

  /** Leaves the cache; what is read by then is read to its end. */
  function drop(key: string, entry: Entry) {
    if (entries.get(key) === entry) entries.delete(key);
    entry.spool.close();
    entry.isDropped = true;
    leaving.add(entry);
    settle(entry);
  }

  /** What it has kept is free when nobody can come to it and nobody is at it. */
  function settle(entry: Entry) {
    if (!entry.isDropped || entry.spool.readers > 0 || entry.spool.state === 'open') return;
    used.memory -= entry.kept.memory;
    used.disk -= entry.kept.disk;
    entry.kept = { memory: 0, disk: 0 };
    leaving.delete(entry);
  }

  /** Makes room by dropping what nobody reads, the one first that was used longest ago. */
  function reserve(of: Entry, bytes: number, where: 'memory' | 'disk'): boolean {
    const most = where === 'memory' ? o.memoryMaxBytes : o.diskMaxBytes;
    for (const entry of leaving) settle(entry);
    for (const [key, entry] of entries) {
      if (used[where] + bytes <= most) break;
      if (entry === of || entry.spool.readers > 0 || entry.spool.state === 'open') continue;
      drop(key, entry);
    }
    if (used[where] + bytes > most) return false;
    used[where] += bytes;
    of.kept[where] += bytes;
    if (where === 'disk') {
      // It has moved there from memory.
      used.memory -= of.kept.memory;
      of.kept.memory = 0;
    }
    return true;
  }

  function expire(now: number) {
    for (const [key, entry] of entries) {
      // In the order of their last use: whatever follows is younger.
      if (now - entry.usedAt <= KEPT_MS && entries.size <= ENTRIES_MAX) break;
      if (entry.spool.state !== 'open' && entry.spool.readers === 0) drop(key, entry);
    }
  }

  return {
    get(key, make) {
      const now = o.monotonic();
      expire(now);
      const known = entries.get(key);
      if (known?.spool.isWhole && !known.ending.signal.aborted) {
        known.usedAt = now;
        entries.delete(key);
        entries.set(key, known);
        return known.spool;
      }
      if (known !== undefined) drop(key, known);
      const ending = new AbortController();
      const spool = createSpool({
        newFile,
        reserve: (bytes, where) => reserve(entry, bytes, where),
        onAbandoned: () => ending.abort(),
      });
      const entry: Entry = { spool, kept: { memory: 0, disk: 0 }, usedAt: now, isDropped: false, ending };
      entries.set(key, entry);
      make(spool, ending.signal);
      return spool;
    },
    close() {
      for (const [key, entry] of entries) {
        entry.ending.abort();
        drop(key, entry);
      }
    },
  };
}
