/** Looks at the file behind `argv[0]` and asks preflight. */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import type { Argv } from '../model/action.ts';
import { type CommandFacts, type HostFacts, type Preflight, preflight } from './preflight.ts';

/** @param path The PATH of the run. */
export function checkCommand(argv: Argv, tree: string, path: string): Preflight {
  const name = argv[0] ?? '';
  const host: HostFacts = {
    isProgram: (program) => isExecutableFile(resolve(tree, program)),
    findProgram: (program) => findProgram(program, path),
  };
  const inTree = resolve(tree, name);
  if (!isAbsolute(name) && relative(tree, inTree).startsWith('..')) {
    return { ok: false, note: `expected a path inside the tree, found ${name}` };
  }
  const facts = readFacts(inTree);
  if (facts !== null && name !== '') return preflight(argv, facts, host);
  const program = name.includes('/') || name === '' ? null : findProgram(name, path);
  return preflight(
    argv,
    program === null ? null : { path: program, kind: 'file', executable: true, head: Buffer.alloc(0) },
    host,
  );
}

/** The first executable file of that name in the folders of a PATH. */
export function findProgram(name: string, path: string): string | null {
  for (const folder of path.split(':')) {
    const candidate = join(folder === '' ? '.' : folder, name);
    if (isAbsolute(candidate) && isExecutableFile(candidate)) return candidate;
  }
  return null;
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const HEAD_BYTES = 4_096;

function readFacts(path: string): CommandFacts | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return null;
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
  return {
    path,
    kind,
    executable: (stats.mode & 0o111) !== 0,
    head: kind === 'file' ? readHead(path) : Buffer.alloc(0),
  };
}

function readHead(path: string): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  const fd = openSync(path, 'r');
  try {
    return head.subarray(0, readSync(fd, head, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(fd);
  }
}
