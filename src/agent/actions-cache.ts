/**
 * The parsed actions of the last pullyu.yaml, by its bytes: parsing a thousand actions costs hundreds of milliseconds, and most commits do
 * not touch the file. A cache: unreadable, it is no cache; unwritable, the next one parses again.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Action } from '../model/action.ts';
import { version } from '../model/version.ts';
import { readFileOrNull, writeFileAtomic } from '../system/files.ts';

export interface ActionsCache {
  get(bytes: Uint8Array): Action[] | null;
  set(bytes: Uint8Array, actions: readonly Action[]): void;
}

interface Entry {
  readonly key: string;
  readonly actions: Action[];
}

/** @param folder Of the repo, below the state folder. `write`: only for the holder of the lock. */
export function createActionsCache(
  folder: string,
  repo: string,
  o: { readonly write: boolean },
): ActionsCache {
  const file = join(folder, 'actions-cache.json');
  let known: Entry | null | undefined;
  const keyOf = (bytes: Uint8Array) =>
    createHash('sha256').update(`${version}\n${repo}\n`).update(bytes).digest('hex');
  return {
    get(bytes) {
      if (known === undefined) known = readEntry(file);
      return known?.key === keyOf(bytes) ? known.actions : null;
    },
    set(bytes, actions) {
      known = { key: keyOf(bytes), actions: [...actions] };
      if (!o.write) return;
      try {
        writeFileAtomic(file, JSON.stringify(known), { durable: false });
      } catch {
        // A full disk is told by what cannot do without it.
      }
    },
  };
}

function readEntry(file: string): Entry | null {
  try {
    const entry = JSON.parse(readFileOrNull(file) ?? 'null') as Entry | null;
    return entry !== null && typeof entry.key === 'string' && Array.isArray(entry.actions) ? entry : null;
  } catch {
    return null;
  }
}
