/** What keeps this host from writing anything, as a reader sees it: whoever cannot write cannot leave word of it either. */
import { accessSync, constants, statfsSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { type Trouble, trouble } from '../model/trouble.ts';

/** One record of the journal, one state file and one lock must fit. */
const NO_SPACE_BYTES = 64 * 1024;

/** null: nothing of this kind, or the folder cannot be asked. */
export function readOwnSideTrouble(state: string): Trouble | null {
  try {
    accessSync(state, constants.W_OK);
  } catch (error) {
    if (errnoOf(error) === 'EROFS') {
      return trouble('read-only', `the file system of ${state} is read-only`, {
        hint: 'remount it read-write; a disk that turned read-only by itself is often failing',
      });
    }
    return null; // Another user's agent: whether that one can write is not ours to ask.
  }
  try {
    const { bavail, bfree, bsize, files, ffree } = statfsSync(state);
    // Root may write into what is kept back from others.
    const free = (process.getuid?.() === 0 ? bfree : bavail) * bsize;
    const hint = 'free some space; the next look goes on by itself';
    if (free < NO_SPACE_BYTES)
      return trouble('disk-full', `no space is left for ${state}: ${free} bytes`, { hint });
    if (files > 0 && ffree === 0)
      return trouble('disk-full', `no inode is left for ${state}: it holds too many files`, { hint });
  } catch {
    // As said.
  }
  return null;
}
