/** Makes the files of a slot those of a commit. Git does it with the clone's settings; the slot's own are not asked. */
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import type { CommitId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { exec } from '../system/exec.ts';
import { freeBytes } from '../system/files.ts';
import type { Clone } from './clone.ts';
import { TEMP_NAME } from './scan-path.ts';
import { hasIndex, type Slot } from './slot.ts';
import { isCloneTrouble, troubleFromGit } from './stderr.ts';
import { parseChanges, parseNames } from './tree-listing.ts';

const CHECKOUT_TIMEOUT_MS = 60 * 60_000;
const SYNC_TIMEOUT_MS = 10 * 60_000;
/** With less than this free a failed write was for want of space. */
const NO_SPACE_BYTES = 1024 * 1024;
/** Names of edited files that are told. */
const NAMES_MAX = 100;

export interface CheckoutOptions {
  readonly clone: Clone;
  /** `git -c`: filters of LFS, where they are wanted. */
  readonly config: readonly string[];
}

/**
 * Brings tracked files and index to the commit, and removes everything else but `.temp`. Safe to repeat after a crash at
 * any moment. Cost grows with the change, plus one `lstat` per file.
 * @param trusted The slot was complete: an unedited file need not be written again.
 */
export async function checkOut(
  slot: Slot,
  commit: CommitId,
  trusted: boolean,
  o: CheckoutOptions,
): Promise<Result<null>> {
  if (trusted && hasIndex(slot)) {
    // Side by side: each reads the whole folder once.
    const [edited, cleaned] = await Promise.all([listEdited(slot, o), removeUntracked(slot, o)]);
    if (edited.ok && cleaned.ok && edited.value.length === 0) {
      const quick = await readTree(slot, ['-m', '-u', commit], o);
      if (quick.ok) return quick;
    }
  }
  const written = await readTree(slot, ['--reset', '-u', commit], o);
  if (!written.ok) {
    if (!isCloneTrouble(written.trouble)) return written;
    // An index that cannot be read: without one all files are written.
    rmSync(slot.index, { force: true });
    const again = await readTree(slot, ['--reset', '-u', commit], o);
    if (!again.ok) return again;
  }
  return removeUntracked(slot, o);
}

/** Files that differ from the commit, put back. Cheap when there are none. Names are escaped, at most 100. */
export async function restoreEdited(
  slot: Slot,
  commit: CommitId,
  o: CheckoutOptions,
): Promise<Result<string[]>> {
  const suspects = await diffIndex(slot, commit, o);
  if (!suspects.ok) return suspects;
  if (suspects.value.length === 0) return ok([]);
  // Also what was only touched is listed: git looks at the content now.
  await inSlot(slot, ['update-index', '-q', '--refresh'], 'look at files of the tree', o, [0, 1]);
  const edited = await diffIndex(slot, commit, o);
  if (!edited.ok) return edited;
  const rights = suspects.value.filter((s) => restoreRights(slot, s.path, s.mode)).map((s) => s.path);
  if (edited.value.length > 0) {
    const written = await readTree(slot, ['--reset', '-u', commit], o);
    if (!written.ok) return written;
  }
  const names = new Set(
    [...edited.value.map((e) => e.path), ...rights].map((path) => path.toString('latin1')),
  );
  return ok([...names].slice(0, NAMES_MAX).map((name) => printable(Buffer.from(name, 'latin1').toString())));
}

/** Everything that was written is on the disk when it returns. */
export async function syncSlot(slot: Pick<Slot, 'path'>): Promise<Result<null>> {
  const result = await exec(['sync', '-f', slot.path], {
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' },
    timeoutMs: SYNC_TIMEOUT_MS,
  });
  if (result.ended === 'exited' && result.exitCode === 0) return ok(null);
  return fail(troubleFromGit(result, { doing: 'sync the tree to the disk' }));
}

/** Removes what is not tracked, other repositories included; never `.temp`, and never `.git`. */
export function removeUntracked(slot: Slot, o: CheckoutOptions): Promise<Result<null>> {
  return inSlot(slot, ['clean', '-ffdxq', '-e', `/${TEMP_NAME}`], 'remove untracked files', o);
}

async function readTree(slot: Slot, args: readonly string[], o: CheckoutOptions): Promise<Result<null>> {
  return inSlot(slot, ['read-tree', ...args], 'write the tree', o);
}

async function listEdited(slot: Slot, o: CheckoutOptions): Promise<Result<Buffer[]>> {
  const listed = await output(slot, ['diff-files', '-z', '--name-only', '--ignore-submodules'], o);
  return listed.ok ? ok(parseNames(listed.value)) : listed;
}

async function diffIndex(
  slot: Slot,
  commit: CommitId,
  o: CheckoutOptions,
): Promise<Result<{ path: Buffer; mode: string }[]>> {
  const args = ['diff-index', '-z', '--raw', '--no-renames', '--ignore-submodules', commit];
  const listed = await output(slot, args, o);
  if (!listed.ok) return listed;
  return ok(parseChanges(listed.value).map((c) => ({ path: c.path, mode: c.before?.mode ?? '' })));
}

/** Rights that git does not keep (0600, 0666) are put back too: other users run scripts of the tree. */
function restoreRights(slot: Slot, path: Buffer, mode: string): boolean {
  if (mode !== '100644' && mode !== '100755') return false;
  const file = Buffer.concat([Buffer.from(`${slot.path}/`), path]);
  const stats = lstatSync(file, { throwIfNoEntry: false });
  const wanted = mode === '100755' ? 0o755 : 0o644;
  if (!stats?.isFile() || (stats.mode & 0o7777) === wanted) return false;
  chmodSync(file, wanted);
  return true;
}

function output(slot: Slot, args: readonly string[], o: CheckoutOptions): Promise<Result<Buffer>> {
  return o.clone.git.read([`--work-tree=${slot.path}`, ...args], {
    doing: 'look at files of the tree',
    env: { GIT_INDEX_FILE: slot.index },
    config: o.config,
  });
}

async function inSlot(
  slot: Slot,
  args: readonly string[],
  doing: string,
  o: CheckoutOptions,
  answers: readonly number[] = [0],
): Promise<Result<null>> {
  const done = await o.clone.git.read([`--work-tree=${slot.path}`, ...args], {
    doing,
    answers,
    env: { GIT_INDEX_FILE: slot.index },
    timeoutMs: CHECKOUT_TIMEOUT_MS,
    config: ['index.version=4', 'index.skipHash=false', 'core.untrackedCache=false', ...o.config],
  });
  if (done.ok) return ok(null);
  // "unable to write file" does not say why.
  if (isCloneTrouble(done.trouble) && freeBytes(slot.path) < NO_SPACE_BYTES) {
    const hint = 'free some space; the next look goes on by itself';
    return fail(trouble('disk-full', `no space is left to ${doing}`, { hint }));
  }
  return done;
}
