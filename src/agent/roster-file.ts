/** roster.json in the state folder: what scripts see as PULLYU_ROSTER. A cache: losing it leaves this host alone in it until the next reading. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { RosterMember } from '../model/presence.ts';
import { formatRoster, isSameMember, parseRoster } from '../model/roster.ts';
import { stampOfFile } from '../system/file-stamp.ts';
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

/** `writeRosterFile` for whoever writes again and again: knows what it wrote, and does not look into the file as long as nobody else wrote it. */
export function createRosterWriter(stateFolder: string): (members: readonly RosterMember[]) => boolean {
  const file = rosterFile(stateFolder);
  let last: { readonly members: readonly RosterMember[]; readonly stamp: string } | null = null;
  return (members) => {
    if (
      last !== null &&
      last.stamp === stampOfFile(file) &&
      isFresh(file) &&
      isSameRoster(last.members, members)
    ) {
      // The next one has most of these objects.
      last = { ...last, members };
      return false;
    }
    const isWritten = writeRosterFile(stateFolder, members);
    last = { members, stamp: stampOfFile(file) };
    return isWritten;
  };
}

/** But for the times of last contact. */
export function isSameRoster(a: readonly RosterMember[], b: readonly RosterMember[]): boolean {
  return a.length === b.length && a.every((member, n) => member === b[n] || isSameMember(member, b[n]!));
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
