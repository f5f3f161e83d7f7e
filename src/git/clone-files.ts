/** The files of a clone: all are ours, so all can be written anew. A crash anywhere in here leaves what the next call mends. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { writeFileAtomic } from '../system/files.ts';

export interface CloneKind {
  readonly objectFormat: 'sha1' | 'sha256';
  readonly blobless: boolean;
  readonly lfs: boolean;
}

const HEAD = 'ref: refs/heads/main\n';

/** No conversion of any kind: what lies in a tree is byte for byte what the commit holds. `!` is "not specified". */
export const ATTRIBUTES = '* -text !eol -ident -filter !working-tree-encoding\n';
/** With LFS its filter is let in, and only its own is configured. */
export const ATTRIBUTES_LFS = '* -text !eol -ident !working-tree-encoding\n';

function configText(kind: CloneKind): string {
  const extended = kind.blobless || kind.objectFormat === 'sha256';
  return [
    '[core]',
    `\trepositoryformatversion = ${extended ? 1 : 0}`,
    '\tfilemode = true',
    '\tbare = true',
    ...(extended ? ['[extensions]'] : []),
    ...(kind.objectFormat === 'sha256' ? ['\tobjectformat = sha256'] : []),
    ...(kind.blobless
      ? [
          '\tpartialclone = origin',
          '[remote "origin"]',
          '\tpromisor = true',
          '\tpartialclonefilter = blob:none',
        ]
      : []),
    '',
  ].join('\n');
}

/**
 * Makes an empty clone, or puts back those of its files that say how it is to be read.
 * Without `git init`: the layout has been the same since git 1.0, and mending needs it without git anyway.
 * @returns the names of the files that had to be written.
 */
export function writeSkeleton(dir: string, kind: CloneKind): string[] {
  for (const folder of ['objects/pack', 'objects/info', 'refs/heads', 'refs/pullyu', 'info']) {
    mkdirSync(join(dir, folder), { recursive: true, mode: 0o755 });
  }
  const wanted: Record<string, string> = {
    HEAD,
    config: configText(kind),
    'info/attributes': kind.lfs ? ATTRIBUTES_LFS : ATTRIBUTES,
  };
  return Object.entries(wanted).flatMap(([name, content]) => {
    if (readSmall(join(dir, name)) === content) return [];
    rmSync(join(dir, name), { recursive: true, force: true });
    writeFileAtomic(join(dir, name), content);
    return [name];
  });
}

/** sha1 unless the clone says otherwise. */
export function readObjectFormat(dir: string): CloneKind['objectFormat'] {
  return readSmall(join(dir, 'config'))?.includes('objectformat = sha256') ? 'sha256' : 'sha1';
}

/**
 * Removes what killed processes left: every lock, every partial pack or object. Only while holding the host's lock and
 * with no git of ours in this folder: then each of them is stale by definition.
 */
export function sweepClone(dir: string): string[] {
  const removed = [...sweepLocks(dir)];
  const objects = join(dir, 'objects');
  for (const name of names(objects)) {
    const path = join(objects, name);
    if (isTemporary(name)) {
      removeInto(removed, path);
      continue;
    }
    if (name !== 'pack' && name !== 'info' && name.length !== 2) continue;
    for (const inner of names(path)) {
      if (isTemporary(inner) || inner.endsWith('.lock')) removeInto(removed, join(path, inner));
    }
  }
  return removed;
}

/** Locks of one git folder, worktrees' and references' included. */
export function sweepLocks(dir: string): string[] {
  const removed: string[] = [];
  for (const name of names(dir)) {
    if (name.endsWith('.lock') || name.endsWith('.tmp')) removeInto(removed, join(dir, name));
  }
  for (const folder of ['info', 'refs', 'logs', 'worktrees']) sweepFolder(join(dir, folder), removed);
  for (const name of ['objects/maintenance.lock', 'objects/info/alternates.lock']) {
    if (existsSync(join(dir, name))) removeInto(removed, join(dir, name));
  }
  return removed;
}

/** A reference that we hold in the clone, without asking git; null when there is none or it is damaged. */
export function readLooseRef(dir: string, ref: string): string | null {
  const text = readSmall(join(dir, ref))?.trim();
  return text !== undefined && OBJECT_ID.test(text) ? text : null;
}

/**
 * Mends what can be mended without another look at the remote: `what` was done, in words, empty when nothing was found.
 * Whether it was enough only git can tell.
 */
export function healCloneFiles(dir: string, kind: CloneKind): string[] {
  const done: string[] = [];
  const swept = sweepClone(dir);
  if (swept.length > 0) done.push(`removed ${swept.length} stale locks and partial files`);
  for (const name of ['refs', 'objects', 'info']) {
    if (lstatOrNull(join(dir, name))?.isDirectory() === false) rmSync(join(dir, name), { force: true });
  }
  for (const name of writeSkeleton(dir, kind)) done.push(`wrote ${name} anew`);
  const refs = removeBadRefs(join(dir, 'refs'));
  if (refs > 0) done.push(`removed ${refs} damaged references`);
  // All our references are loose files: packed ones are none of ours. A shallow clone or alternates, neither.
  for (const name of ['packed-refs', 'shallow', 'objects/info/alternates']) {
    if (lstatOrNull(join(dir, name)) === null) continue;
    rmSync(join(dir, name), { recursive: true, force: true });
    done.push(`removed ${name}`);
  }
  const objects = removeBadObjects(join(dir, 'objects'));
  if (objects > 0) done.push(`removed ${objects} damaged object files`);
  return done;
}

const OBJECT_ID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

function removeBadRefs(folder: string): number {
  let count = 0;
  for (const name of names(folder)) {
    const path = join(folder, name);
    const stats = lstatOrNull(path);
    if (stats?.isDirectory()) count += removeBadRefs(path);
    else if (!stats?.isFile() || !OBJECT_ID.test(readSmall(path)?.trim() ?? '')) {
      rmSync(path, { force: true });
      count += 1;
    }
  }
  return count;
}

/** Empty objects and packs (what a power cut leaves), and everything that can be computed again. */
function removeBadObjects(objects: string): number {
  let count = 0;
  for (const name of names(objects)) {
    if (name.length !== 2) continue;
    for (const inner of names(join(objects, name))) {
      const path = join(objects, name, inner);
      if (lstatOrNull(path)?.size !== 0) continue;
      rmSync(path, { force: true });
      count += 1;
    }
  }
  const pack = join(objects, 'pack');
  const packs = new Set(names(pack));
  for (const name of packs) {
    const base = name.replace(/\.[a-z]+$/, '');
    const alone = !packs.has(`${base}.pack`) || !packs.has(`${base}.idx`);
    const empty = ['pack', 'idx'].some((end) => lstatOrNull(join(pack, `${base}.${end}`))?.size === 0);
    if (name === 'multi-pack-index' || (base.startsWith('pack-') && (alone || empty))) {
      rmSync(join(pack, name), { force: true });
      count += 1;
    }
  }
  for (const name of ['commit-graph', 'commit-graphs']) {
    rmSync(join(objects, 'info', name), { recursive: true, force: true });
  }
  return count;
}

function sweepFolder(folder: string, removed: string[]): void {
  for (const name of names(folder)) {
    const path = join(folder, name);
    if (name.endsWith('.lock') || name.endsWith('.tmp')) removeInto(removed, path);
    else if (lstatOrNull(path)?.isDirectory()) sweepFolder(path, removed);
  }
}

function isTemporary(name: string): boolean {
  return name.startsWith('tmp_') || name.startsWith('incoming-') || name.startsWith('.tmp-');
}

function removeInto(removed: string[], path: string): void {
  rmSync(path, { recursive: true, force: true });
  removed.push(path);
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}

function lstatOrNull(path: string): Stats | null {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? null;
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}

/** Bytes of the largest pack that is not complete. */
export function largestPartialPack(dir: string): number {
  const folder = join(dir, 'objects/pack');
  const sizes = names(folder)
    .filter(isTemporary)
    .map((name) => lstatOrNull(join(folder, name))?.size ?? 0);
  return Math.max(0, ...sizes);
}

/** Null also for what is far too large to be right: a 60 MB reference has been seen. */
function readSmall(path: string): string | null {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats?.isFile() && stats.size <= 64 * 1024 ? readFileSync(path, 'utf8') : null;
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}
