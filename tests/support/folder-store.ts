/** A status store that is a folder of files: a peer that keeps the contract of `StatusStore`, for tests of those who read one. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SignedPresence } from '../../src/model/presence.ts';
import { fail, ok, type Trouble } from '../../src/model/trouble.ts';
import type { HistoryEntry, StatusStore, StoredPresence } from '../../src/presence/store.ts';

export interface FolderStore extends StatusStore {
  /** As a host would publish it. */
  put(host: string, presence: SignedPresence): void;
  /** From now on this is all that it answers; null: it answers again. */
  setTrouble(trouble: Trouble | null): void;
  /** What `history` answers. */
  setHistory(host: string, entries: readonly HistoryEntry[]): void;
}

export function createFolderStore(folder: string, now: () => number, name = folder): FolderStore {
  mkdirSync(folder, { recursive: true });
  let broken: Trouble | null = null;
  let version = 0;
  let readAt = -1;
  const histories = new Map<string, readonly HistoryEntry[]>();
  const readOne = (file: string): StoredPresence => {
    const content = JSON.parse(readFileSync(join(folder, file), 'utf8')) as SignedPresence;
    return {
      ...content,
      host: file,
      token: content.signature,
      seen: { notBefore: null, notAfter: now() },
      contenders: [],
    };
  };
  return {
    name,
    put(host, presence) {
      writeFileSync(join(folder, host), JSON.stringify(presence));
      version += 1;
    },
    setTrouble: (trouble) => {
      broken = trouble;
    },
    setHistory: (host, entries) => void histories.set(host, entries),
    publish: async () => {
      throw new Error('expected nobody to publish here');
    },
    hasNews: async () => (broken ? fail(broken) : ok(readAt !== version)),
    async read() {
      if (broken) return fail(broken);
      readAt = version;
      return ok(readdirSync(folder).map(readOne));
    },
    history: async (host, limit) => (broken ? fail(broken) : ok((histories.get(host) ?? []).slice(0, limit))),
    watch: null,
    close: async () => {},
  };
}
