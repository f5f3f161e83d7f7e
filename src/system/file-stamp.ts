/** Has a file been replaced or written again? Much cheaper to ask than to read it, so it is asked at every use. */
import { statSync } from 'node:fs';

/** What of a file's `Stats` tells two states of it apart. */
interface Told {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

/** Of the files that were asked for: writing four numbers as text costs more than asking for them. */
const known = new Map<string, Told & { readonly text: string }>();
const KNOWN_MAX = 256;

/** Differs when the file was replaced or written again; `-` when there is none. Times are exact to less than a microsecond. */
export function stampOfFile(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return '-';
  const before = known.get(path);
  if (before !== undefined && isSame(before, stats)) return before.text;
  const text = stampOfStats(stats);
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(path, { ino: stats.ino, size: stats.size, mtimeMs: stats.mtimeMs, ctimeMs: stats.ctimeMs, text });
  return text;
}

/** The same for whoever has asked already. */
export function stampOfStats(stats: Told): string {
  return `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
}

function isSame(a: Told, b: Told): boolean {
  return a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.size === b.size && a.ino === b.ino;
}
