/**
 * The trees of one repo. `current` leads to slot a or b by one symbolic link that is replaced by one rename; the next
 * commit is made in the other slot. Slot c is for runs at another commit (catch-up, undo).
 *
 * A crash at any line leaves `current` on a complete tree: the slot that it leads to is never written to by a publish,
 * and the link moves only after the other slot is complete, synced and recorded as such. A slot whose record says
 * `building` is not trusted by the next publish, which writes it anew where it differs.
 */
import { lstatSync, mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { CommitId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fail, ok, type Result } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import { readFileOrNull, syncFolder, writeFileAtomic } from '../system/files.ts';
import { type Paths, repoPaths } from '../system/paths.ts';
import { type CheckoutOptions, checkOut, restoreEdited, syncSlot } from './checkout.ts';
import type { Clone } from './clone.ts';
import { sweepLocks } from './clone-files.ts';
import { readPaths } from './contents.ts';
import { findLfs, LFS_CONFIG } from './lfs.ts';
import { makeRoom, putAside } from './put-aside.ts';
import { TEMP_NAME } from './scan-path.ts';
import {
  hasSlotHead,
  linkTemp,
  prepareSlot,
  type Slot,
  type SlotName,
  slotAt,
  writeSlotHead,
} from './slot.ts';
import { isBusyTrouble, isCloneTrouble, TroubleError, troubleFromError } from './stderr.ts';
import { updateSubmodules } from './submodules.ts';
import { readTrees, writeTrees } from './trees-file.ts';

export interface TreesOptions {
  readonly clock: Clock;
}

export interface Trees {
  /** The published tree; null when there is none, or its record or folder is lost: publish again. */
  current(): { commit: CommitId; path: string } | null;
  /** Makes `current` the tree of the commit. Never while a run works in a tree that was published before the current one. */
  publish(commit: CommitId): Promise<Result<{ path: string }>>;
  /**
   * Puts back what was edited, deleted or chmod'ed in the current tree, and names it. Only while no run works in it.
   * It looks at every file, so without `force` it does nothing until 100 times its own cost (at least 30 s) has passed.
   * @throws TroubleError when the files cannot be put back.
   */
  heal(o?: { force?: boolean }): Promise<string[]>;
  /** A tree of another commit, in the third slot; `current` stays. */
  checkout(commit: CommitId): Promise<Result<{ path: string }>>;
  /** Idle time: makes or repairs the spare slot, so that the next publish costs what the change costs. */
  tidy(): Promise<void>;
}

const CHECK_EVERY_MIN_MS = 30_000;
/** Share of time that looking for edits may take: 1 %. */
const CHECK_COST_FACTOR = 100;
/** In the repo's folder: when the current tree was looked at last, and what it cost. */
const CHECKED = 'tree.checked';

export function openTrees(paths: Paths, repo: RepoConfig, clone: Clone, o: TreesOptions): Trees {
  const at = repoPaths(paths.state, repo.name);
  const options: CheckoutOptions = { clone, config: repo.lfs ? LFS_CONFIG : [] };

  const currentSlot = (): Slot | null => {
    const name = readLink(at.current);
    return name === null ? null : slotAt(at.trees, name);
  };

  const current: Trees['current'] = () => {
    const slot = currentSlot();
    if (slot === null || !isFolder(slot.path)) return null;
    const record = readTrees(at.treesFile)[slot.name];
    return record?.state === 'complete' ? { commit: record.commit, path: slot.path } : null;
  };

  const spare = (): Slot => slotAt(at.trees, currentSlot()?.name === 'a' ? 'b' : 'a');

  /** Makes the slot the complete, durable tree of the commit. */
  const build = async (slot: Slot, commit: CommitId): Promise<Result<null>> => {
    if (repo.lfs) {
      const found = await findLfs(clone.git);
      if (!found.ok) return found;
    }
    mkdirSync(at.trees, { recursive: true, mode: 0o755 });
    const room = makeRoom(slot.path);
    if (!room.ok) return room;
    const trees = readTrees(at.treesFile);
    // A submodule that is gone leaves its files for the sweep after the checkout.
    const trusted = trees[slot.name]?.state === 'complete' && isFolder(slot.path) && !repo.submodules;
    writeTrees(at.treesFile, { ...trees, [slot.name]: { state: 'building', commit } });
    prepareSlot(slot, {
      clone: at.clone,
      remoteUrl: repo.remotes[0] ?? '',
      objectFormat: commit.length === 64 ? 'sha256' : 'sha1',
      blobless: repo.clone === 'blobless',
      lfs: repo.lfs,
    });
    const written = await checkOut(slot, commit, trusted, options);
    if (!written.ok) return written;
    writeSlotHead(slot, commit);
    if (repo.submodules) {
      const remote = await clone.remote();
      if (!remote.ok) return remote;
      const updated = await updateSubmodules(slot.path, remote.value);
      if (!updated.ok) return updated;
    }
    const linked = await placeTemp(slot, commit);
    if (!linked.ok) return linked;
    const synced = await syncSlot(slot);
    if (!synced.ok) return synced;
    writeTrees(at.treesFile, { ...readTrees(at.treesFile), [slot.name]: { state: 'complete', commit } });
    return ok(null);
  };

  /** A folder `.temp` stays only when the commit itself has one. */
  const placeTemp = async (slot: Slot, commit: CommitId): Promise<Result<null>> => {
    if (linkTemp(slot, at.temp)) return ok(null);
    const tracked = await readPaths(clone.git, commit, [TEMP_NAME]);
    if (!tracked.ok) return tracked;
    if (tracked.value.size > 0) return ok(null);
    rmSync(join(slot.path, TEMP_NAME), { recursive: true, force: true });
    linkTemp(slot, at.temp);
    return ok(null);
  };

  /** A damaged clone is mended once on the way; the next fetch replaces it when that was not enough. */
  const buildHealing = async (slot: Slot, commit: CommitId): Promise<Result<{ path: string }>> => {
    let built = await guarded(() => build(slot, commit));
    if (!built.ok && isCloneTrouble(built.trouble)) {
      clone.reportDamage(built.trouble);
      built = await guarded(() => build(slot, commit));
      if (!built.ok && isCloneTrouble(built.trouble)) clone.reportDamage(built.trouble);
    }
    if (!built.ok && isBusyTrouble(built.trouble)) {
      built = await guarded(async () => {
        const room = putAside(slot.path);
        return room.ok ? build(slot, commit) : room;
      });
    }
    if (built.ok) return ok({ path: slot.path });
    // Half a tree must not be what keeps the disk full: its record says `building`, it is made anew.
    if (built.trouble.code === 'disk-full') rmSync(slot.path, { recursive: true, force: true });
    return built;
  };

  /** One rename. Before it the old tree is current, after it the new one. */
  const flip = (slot: Slot): void => {
    const fresh = `${at.current}.new`;
    rmSync(fresh, { recursive: true, force: true });
    symlinkSync(`trees/${slot.name}`, fresh);
    // Somebody's folder in its place, which no rename replaces.
    if (isFolder(at.current)) rmSync(at.current, { recursive: true });
    renameSync(fresh, at.current);
    syncFolder(at.base);
  };

  const restore = async (slot: Slot, commit: CommitId): Promise<Result<string[]>> => {
    const found = await restoreEdited(slot, commit, options);
    if (found.ok || !isCloneTrouble(found.trouble)) return found;
    // A lock that a script's git left, or an index that it damaged.
    sweepLocks(slot.gitDir);
    const again = await restoreEdited(slot, commit, options);
    if (again.ok || !isCloneTrouble(again.trouble)) return again;
    rmSync(slot.index, { force: true });
    return restoreEdited(slot, commit, options);
  };

  return {
    current,

    async publish(commit) {
      const now = current();
      if (now?.commit === commit) return ok({ path: now.path });
      const slot = spare();
      const built = await buildHealing(slot, commit);
      if (!built.ok) return built;
      return guarded(async () => {
        flip(slot);
        return ok({ path: slot.path });
      });
    },

    async heal(more = {}) {
      const slot = currentSlot();
      const now = current();
      if (slot === null || now === null) return [];
      const stamp = join(at.base, CHECKED);
      if (more.force !== true && !isCheckDue(readFileOrNull(stamp), o.clock.now())) return [];
      const begun = o.clock.monotonic();
      // Of a script's git that was killed: they would stop the git of the next script.
      sweepLocks(slot.gitDir);
      const headMoved = !hasSlotHead(slot, now.commit);
      let found = await guarded(() => restore(slot, now.commit));
      if (!found.ok && isCloneTrouble(found.trouble)) {
        clone.reportDamage(found.trouble);
        found = await guarded(() => restore(slot, now.commit));
        // An object that is not there any more: only the next fetch helps.
        if (!found.ok && isCloneTrouble(found.trouble)) clone.reportDamage(found.trouble);
      }
      if (!found.ok) throw new TroubleError(found.trouble);
      if (headMoved) writeSlotHead(slot, now.commit);
      const checked = { at: o.clock.now(), costMs: o.clock.monotonic() - begun };
      writeFileAtomic(stamp, JSON.stringify(checked), { durable: false });
      return headMoved ? ['.git/HEAD', ...found.value] : found.value;
    },

    async checkout(commit) {
      return buildHealing(slotAt(at.trees, 'c'), commit);
    },

    async tidy() {
      const now = current();
      if (now === null) return;
      const slot = spare();
      const record = readTrees(at.treesFile)[slot.name];
      // A complete spare is the tree before this one: kept.
      if (record?.state === 'complete' && isFolder(slot.path)) return;
      await buildHealing(slot, now.commit);
    },
  };
}

/** @param stamp `{at, costMs}` of the last check; anything else is due. */
export function isCheckDue(stamp: string | null, now: number): boolean {
  try {
    const { at, costMs } = JSON.parse(stamp ?? '{}') as { at?: unknown; costMs?: unknown };
    if (typeof at !== 'number' || typeof costMs !== 'number' || at > now) return true;
    return now - at >= Math.max(CHECK_EVERY_MIN_MS, CHECK_COST_FACTOR * costMs);
  } catch {
    return true;
  }
}

async function guarded<T>(work: () => Promise<Result<T>>): Promise<Result<T>> {
  const doing = 'write the tree';
  try {
    return await work();
  } catch (error) {
    const problem = troubleFromError(error, { doing });
    if (problem) return fail(problem);
    throw error;
  }
}

function readLink(current: string): SlotName | null {
  try {
    const match = /^trees\/([ab])$/.exec(readlinkSync(current));
    return match ? (match[1] as SlotName) : null;
  } catch {
    return null;
  }
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
