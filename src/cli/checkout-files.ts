/** The files of a checkout as a commit of it would have them: those that git knows, or without git those that lie there. */
import { closeSync, lstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { CONFIG_MAX_BYTES } from '../config/limits.ts';
import type { LintFile } from '../config/lint.ts';
import { errnoOf, PullyuError } from '../errors.ts';
import { runGit } from '../git/run.ts';
import { printable } from '../model/printable.ts';

export interface Checkout {
  /** Absolute. */
  readonly folder: string;
  readonly files: ReadonlyMap<string, LintFile>;
  /** A file as a whole, up to one byte more than it may have (default: than a configuration may); null when it cannot be read. */
  read(path: string, maxBytes?: number): Uint8Array | null;
  /** Its first 4 KiB. */
  head(path: string): Uint8Array | null;
}

const TIMEOUT_MS = 60_000;
const HEAD_BYTES = 4_096;
const FILES_MAX = 1_000_000;

/**
 * @param folder null: the top of the checkout that `cwd` is in, or `cwd` itself.
 * @throws PullyuError `usage` when there is no such folder.
 */
export async function readCheckout(folder: string | null, cwd: string): Promise<Checkout> {
  const at = folder === null ? ((await topOf(cwd)) ?? cwd) : resolve(cwd, folder);
  if (statSync(at, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new PullyuError('usage', `expected a folder, found none: ${printable(at)}`);
  // A folder of which git knows nothing is no checkout yet, even inside of one.
  const known = await listTracked(at);
  const files = known !== null && known.size > 0 ? known : listFiles(at);
  return {
    folder: at,
    files,
    read: (path, maxBytes) => readBytes(join(at, path), maxBytes === undefined ? undefined : maxBytes + 1),
    head: (path) => readBytes(join(at, path), HEAD_BYTES),
  };
}

/** null without git, or outside of a checkout. */
async function git(args: readonly string[], cwd: string): Promise<Buffer | null> {
  try {
    // Nothing of the checkout's is run by these questions, so it does not matter who owns it (in CI often another user).
    const result = await runGit(args, { cwd, timeoutMs: TIMEOUT_MS, config: ['safe.directory=*'] });
    return result.ended === 'exited' && result.exitCode === 0 ? result.stdout : null;
  } catch (error) {
    if (error instanceof PullyuError) return null;
    throw error;
  }
}

async function topOf(cwd: string): Promise<string | null> {
  const top = (await git(['rev-parse', '--show-toplevel'], cwd))?.toString('utf8').replace(/\n$/, '');
  return top === undefined || top === '' ? null : top;
}

const KIND_OF_MODE: Readonly<Record<string, LintFile>> = {
  '100755': 'executable',
  '120000': 'link',
  '160000': 'submodule',
};

/** What is in the index below a folder: that is what the next commit holds. */
async function listTracked(folder: string): Promise<Map<string, LintFile> | null> {
  const list = await git(['ls-files', '-s', '-z'], folder);
  if (list === null) return null;
  const entries = list.toString('utf8').split('\0').slice(0, FILES_MAX);
  return new Map(
    entries
      .filter((entry) => entry !== '')
      .map((entry) => [entry.slice(entry.indexOf('\t') + 1), KIND_OF_MODE[entry.slice(0, 6)] ?? 'file']),
  );
}

function listFiles(top: string): Map<string, LintFile> {
  const files = new Map<string, LintFile>();
  const open = [top];
  for (let folder = open.pop(); folder !== undefined && files.size < FILES_MAX; folder = open.pop()) {
    for (const entry of readFolder(folder)) {
      const path = join(folder, entry.name);
      if (entry.name === '.git') continue;
      if (entry.isDirectory()) open.push(path);
      else if (entry.isSymbolicLink()) files.set(relative(top, path), 'link');
      else if (entry.isFile()) files.set(relative(top, path), isExecutable(path) ? 'executable' : 'file');
    }
  }
  return files;
}

function readFolder(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (errnoOf(error) === 'EACCES' || errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function isExecutable(path: string): boolean {
  return ((lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o111) !== 0;
}

/** The beginning of a plain file; null for anything else. A link is not followed: it may lead anywhere. */
export function readBytes(path: string, maxBytes: number = CONFIG_MAX_BYTES + 1): Uint8Array | null {
  try {
    if (!lstatSync(path).isFile()) return null;
    const fd = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(maxBytes);
      let length = 0;
      for (let read = -1; read !== 0 && length < maxBytes; length += read) {
        read = readSync(fd, bytes, length, maxBytes - length, null);
      }
      return bytes.subarray(0, length);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return null;
  }
}
