/** roster.json in the state folder: what scripts see as PULLYU_ROSTER. A cache: losing it leaves this host alone in it until the next reading. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { RosterMember } from '../model/presence.ts';
import { formatRoster, parseRoster } from '../model/roster.ts';
import { readFileOrNull, writeFileAtomic } from '../system/files.ts';

/** That hosts are still alive, and nothing else, is written no more often than this: a fleet says so all the time. */
const TIMES_EVERY_MS = 60_000;

export function rosterFile(stateFolder: string): string {
  return join(stateFolder, 'roster.json');
}

/**
 * Replaces the file when a host is new, gone or another; for the times of last contact alone once in a minute.
 * @param members Sorted by name, this host among them (`withSelf`).
 * @returns whether it was written.
 */
export function writeRosterFile(stateFolder: string, members: readonly RosterMember[]): boolean {
  const file = rosterFile(stateFolder);
  const text = formatRoster(members);
  const before = readFileOrNull(file);
  if (
    before !== null &&
    (before === text || (withoutTimes(before) === withoutTimes(text) && isFresh(file)))
  ) {
    return false;
  }
  writeFileAtomic(file, text, { durable: false });
  return true;
}

/** null when there is none, or none of ours. */
export function readRosterFile(stateFolder: string): RosterMember[] | null {
  const text = readFileOrNull(rosterFile(stateFolder));
  return text === null ? null : parseRoster(text);
}

/** Only at the place of the field: no text of a host can begin a line of the file with it. */
function withoutTimes(text: string): string {
  return text.replace(/^ {6}"lastContactAt": ".*"$/gm, '');
}

function isFresh(file: string): boolean {
  const written = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  // A file system counts finer than a clock does, and a clock may be set back.
  return Math.abs(Date.now() - written) < TIMES_EVERY_MS;
}
