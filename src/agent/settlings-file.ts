/**
 * What presence triggers saw last, and what they wait for: a restart neither runs anything nor begins to wait anew, and readers see what
 * the agent sees. A cache: without it the next reading of the roster counts at once.
 */
import { dirname, join } from 'node:path';
import type { RosterPart } from '../model/run.ts';
import type { RosterSettling, RosterSettlings } from '../plan/settle-roster.ts';
import { makeFolder, readFileOrNull, writeFileAtomic } from '../system/files.ts';

export function settlingsFile(stateFolder: string): string {
  return join(stateFolder, 'status', 'settlings.json');
}

/** Empty when there is no file, or none of ours. */
export function readSettlings(file: string): RosterSettlings {
  try {
    const entries = JSON.parse(readFileOrNull(file) ?? '[]') as [string, RosterSettling][];
    return entries.every(isEntry) ? new Map(entries) : new Map();
  } catch {
    return new Map();
  }
}

export function writeSettlings(file: string, settlings: RosterSettlings): void {
  makeFolder(dirname(file), 0o700);
  writeFileAtomic(file, `${JSON.stringify([...settlings])}\n`, { durable: false });
}

function isEntry([key, { settled, pending }]: [string, RosterSettling]): boolean {
  if (typeof key !== 'string' || !isPart(settled)) return false;
  if (pending === null) return true;
  return isPart(pending.part) && Number.isFinite(pending.since) && Number.isFinite(pending.changingSince);
}

function isPart({ digest, count, members }: RosterPart): boolean {
  if (typeof digest !== 'string' || !Number.isInteger(count)) return false;
  if (members === null) return true;
  return members.every((member) => member.length === 2 && member.every((text) => typeof text === 'string'));
}
