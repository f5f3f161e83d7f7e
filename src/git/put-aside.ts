/**
 * A slot that cannot be emptied is put aside, and a new one is made in its place: something is mounted in it, or a file server keeps a
 * file for a program that still reads it. What is mounted there belongs to somebody and is never emptied; the folder goes when it can.
 *
 * A crash between the two leaves a slot that is not there, which the next publish makes.
 */
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { printable } from '../model/printable.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { mountsBelow } from '../system/mounts.ts';

/** More than this, and something mounts into every tree. */
const ASIDE_MAX = 4;
const ASIDE = /^[abc]\.aside-\d$/;

/** Puts the slot aside when something is mounted in it, and sweeps what was put aside before. */
export function makeRoom(slot: string): Result<null> {
  sweepAside(dirname(slot));
  return mountsBelow(slot).length === 0 ? ok(null) : putAside(slot);
}

/** @throws the system's error when it cannot be renamed: it is a mount point itself. */
export function putAside(slot: string): Result<null> {
  const trees = dirname(slot);
  const taken = namesIn(trees).filter((name) => ASIDE.test(name));
  if (taken.length >= ASIDE_MAX) {
    const held = taken.flatMap((name) => mountsBelow(join(trees, name)));
    const what = held.length === 0 ? 'files that are held open' : `mounts: ${held.join(', ')}`;
    return fail(
      trouble(
        'git-failed',
        `expected trees that can be emptied, found ${taken.length} that cannot: ${printable(what, 300)}`,
        { hint: 'unmount what is mounted in the trees; a script should mount below "$PULLYU_STATE_DIR"' },
      ),
    );
  }
  const free = [...Array(ASIDE_MAX).keys()].map((n) => `${basename(slot)}.aside-${n}`);
  const name = free.find((one) => !taken.includes(one))!;
  renameSync(slot, join(trees, name));
  return ok(null);
}

function sweepAside(trees: string): void {
  for (const name of namesIn(trees)) {
    const path = join(trees, name);
    if (!ASIDE.test(name) || mountsBelow(path).length > 0) continue;
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // Still held: the next publish tries again.
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
