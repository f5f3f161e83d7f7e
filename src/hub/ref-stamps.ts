/**
 * Has somebody changed the refs of a repository behind our back? Asked before each answer, so it costs a few `stat` calls: of HEAD,
 * packed-refs, config, shallow, and of each folder below refs. git writes a ref by renaming a file into its folder, which the
 * folder's time shows.
 */
import { readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';

export interface RefStamps {
  /** True while nothing has changed since the stamps were taken. */
  isSame(): boolean;
  /** Wall clock, milliseconds: the newest change that they show. */
  readonly newestMs: number;
}

const FILES = ['HEAD', 'packed-refs', 'config', 'shallow', 'objects/info/alternates'];
/** Below refs; names of branches with slashes make folders. */
const FOLDERS_MAX = 100_000;

/** Take them before the refs are read: what changes in between is seen by the next question. */
export function takeRefStamps(folder: string): RefStamps {
  const stamps = new Map<string, Stats | null>();
  let newestMs = 0;
  const take = (path: string) => {
    const stats = statSync(path, { throwIfNoEntry: false }) ?? null;
    stamps.set(path, stats);
    if (stats !== null) newestMs = Math.max(newestMs, stats.mtimeMs, stats.ctimeMs);
  };
  for (const name of FILES) take(join(folder, name));
  for (const path of foldersBelow(join(folder, 'refs'))) take(path);
  return { newestMs, isSame: () => isSame(stamps) };
}

function isSame(stamps: ReadonlyMap<string, Stats | null>): boolean {
  for (const [path, before] of stamps) {
    const now = statSync(path, { throwIfNoEntry: false }) ?? null;
    if (before === null || now === null) {
      if (before !== now) return false;
    } else if (
      before.mtimeMs !== now.mtimeMs ||
      before.ctimeMs !== now.ctimeMs ||
      before.ino !== now.ino ||
      before.size !== now.size
    ) {
      return false;
    }
  }
  return true;
}

function foldersBelow(top: string): string[] {
  const found = [top];
  for (let n = 0; n < found.length && found.length < FOLDERS_MAX; n += 1) {
    const folder = found[n]!;
    try {
      for (const entry of readdirSync(folder, { withFileTypes: true }))
        if (entry.isDirectory()) found.push(join(folder, entry.name));
    } catch {
      // Removed in the meantime: its parent has changed too.
    }
  }
  return found;
}
