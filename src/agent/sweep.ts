/** What an agent that died in the middle of something has left: git processes and half-written files. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { killOrphanedGit } from '../git/run.ts';
import { sweepTemporaries } from '../system/files.ts';
import { repoPaths } from '../system/paths.ts';

/** Written by commands that do not hold the lock: what is young may be theirs. */
const SHARED = /^(?:dirty|host-id)\./;
/** Below state/status: by the holder of the delivery's lock, or of none. */
const TOLD = /^(?:delivery-|own-|pins-)/;
const YOUNG_MS = 60_000;

/**
 * Only for the holder of the lock, before it starts anything. The clone's own temporary files are swept with its locks, at each fetch
 * and in idle time.
 * @returns how many processes of git were ended.
 */
export function sweepAfterDeath(state: string): number {
  const ended = killOrphanedGit(state);
  for (const repo of foldersIn(join(state, 'repos'))) {
    const at = repoPaths(state, repo);
    const slots = ['a', 'b', 'c'].map((slot) => join(at.trees, slot, '.git'));
    const folders = [at.base, join(at.temp, 'nodeinfo'), at.clone, join(at.clone, 'refs/pullyu')];
    for (const slot of slots) folders.push(slot, join(slot, 'info'), join(slot, 'objects/info'));
    for (const folder of folders) sweepTemporaries(folder);
  }
  sweepTemporaries(state, (name, ageMs) => !SHARED.test(name) || ageMs > YOUNG_MS);
  sweepTemporaries(join(state, 'inbox'), (_, ageMs) => ageMs > YOUNG_MS);
  // What is on its way to the fleet is written without our lock, and swept by whoever writes it next.
  const status = join(state, 'status');
  const isOurs = (name: string, ageMs: number) => !TOLD.test(name) || ageMs > YOUNG_MS;
  sweepTemporaries(status, isOurs);
  for (const store of foldersIn(status)) {
    sweepTemporaries(join(status, store), isOurs);
    if (store !== 'commands') sweepTemporaries(join(status, store, 'hosts'));
  }
  return ended;
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
