/** Node facts: small files, one value each, as the practice keeps them. */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { Labels } from '../model/labels.ts';

const FILES_MAX = 100;
const VALUE_MAX_BYTES = 4096;

/** The practice's names and ours. Any other file is a label of its own name. */
const LABEL_OF: Readonly<Record<string, string>> = { nodepart: 'part', stackkey: 'stack' };

/** Not facts about what the host is, but notes of its life: never labels, they would change fingerprints. */
const NOTES = new Set(['state', 'statetss', 'statelog', 'lastaction', 'currentaction']);

/** Labels from `<folder>/<key>.txt`. No folder, no labels; a file that cannot be read, or holds no one-line value, is left out. */
export function readNodeinfo(folder: string | null): Labels {
  if (folder === null) return {};
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR' || errnoOf(error) === 'EACCES') return {};
    throw error;
  }
  const labels: Record<string, string> = {};
  for (const name of names
    .filter((file) => file.endsWith('.txt'))
    .sort()
    .slice(0, FILES_MAX)) {
    const key = name.slice(0, -'.txt'.length);
    if (!isFact(key)) continue;
    const value = readValue(join(folder, name));
    if (value !== null) labels[LABEL_OF[key] ?? key] = value;
  }
  return labels;
}

/** The name of the file (without `.txt`) that gives a host this label; null when no file can. */
export function factOfLabel(label: string): string | null {
  const fact = Object.keys(LABEL_OF).find((name) => LABEL_OF[name] === label) ?? label;
  return isFact(fact) ? fact : null;
}

function isFact(name: string): boolean {
  return !NOTES.has(name) && /^[A-Za-z0-9][\w.-]{0,62}$/.test(name);
}

function readValue(file: string): string | null {
  try {
    const fd = openSync(file, 'r');
    try {
      const bytes = Buffer.alloc(VALUE_MAX_BYTES + 1);
      const length = readSync(fd, bytes, 0, bytes.length, 0);
      const text = bytes.toString('utf8', 0, length).trim();
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
      return length > VALUE_MAX_BYTES || text === '' || /[\x00-\x1f\x7f]/.test(text) ? null : text;
    } finally {
      closeSync(fd);
    }
  } catch {
    return null;
  }
}
