import { statSync } from 'node:fs';

/** Differs when a file was replaced or written again: much cheaper than reading it, and asked at every use. */
export function stampOfFile(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? '-' : `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
}
