/**
 * state.json: what the last look saw. A cache for readers (status, heartbeat) and for the back-off; the truth is the journal.
 * Lost or damaged, it is simply made anew by the next look.
 */
import { join } from 'node:path';
import type { KnownServers } from '../git/probe.ts';
import type { CommitId } from '../model/ids.ts';
import type { LastingTrouble } from '../model/trouble.ts';
import { readFileOrNull, writeFileAtomic } from '../system/files.ts';
import type { SavedBackOff } from './back-off.ts';

/** All times are milliseconds since 1970. */
export interface RepoState {
  /** The remote that answered last; null before the first contact. */
  remote: string | null;
  /** What the tracked ref was at the last answer, wanted or not. */
  seen: CommitId | null;
  lastContactAt: number | null;
  trouble: LastingTrouble | null;
  /** Looks in a row in which no remote answered. */
  failures: number;
  /** Looks in a row in which a remote answered, but its commit could not be brought here. */
  fetchFailures: number;
  /** When somebody's edits of the tree were last put back, and which. */
  healed: { at: number; files: string[] } | null;
}

export interface AgentState {
  version: 1;
  pid: number;
  /** `agent` (daemon) or `look` (one-shot). */
  mode: 'agent' | 'look';
  /** Of the boot in which it was written. */
  bootId: string;
  lastLookAt: number | null;
  nextLookAt: number | null;
  repos: Record<string, RepoState>;
  /** Of a one-shot look: which repos the next ones leave alone. A daemon keeps that to itself. */
  backOff?: SavedBackOff;
  /** What the servers of the remotes speak. */
  servers?: KnownServers;
}

export function emptyRepoState(): RepoState {
  return {
    remote: null,
    seen: null,
    lastContactAt: null,
    trouble: null,
    failures: 0,
    fetchFailures: 0,
    healed: null,
  };
}

export function readState(stateFolder: string): AgentState {
  try {
    const parsed = JSON.parse(readFileOrNull(join(stateFolder, 'state.json')) ?? 'null') as AgentState | null;
    if (parsed?.version === 1 && typeof parsed.repos === 'object' && parsed.repos !== null) return parsed;
  } catch {
    // A torn file after a power cut: the next look writes it anew.
  }
  return { version: 1, pid: 0, mode: 'look', bootId: '', lastLookAt: null, nextLookAt: null, repos: {} };
}

/** Not synced: after a power cut an older one is as good. */
export function writeState(stateFolder: string, state: AgentState): void {
  writeFileAtomic(join(stateFolder, 'state.json'), `${JSON.stringify(state)}\n`, { durable: false });
}
