/** What both halves of the story use. */
import { existsSync } from 'node:fs';

export const INTERVAL_MS = 500;
/** Where scripts of a host look for programs. */
export const DEFAULT_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** A node elsewhere has to be named. */
export function nodeLabel(): string[] {
  return DEFAULT_PATH.some((folder) => existsSync(`${folder}/node`))
    ? []
    : ['--label', `node=${process.execPath}`];
}

export function formatSeconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(2)} s`;
}
