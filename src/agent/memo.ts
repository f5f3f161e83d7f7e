/**
 * What makes an idle look cheap: after a look that left nothing to do, the inputs of its decision are remembered. As long as they are
 * the same and no time has come, nothing can be due, so neither clone nor journal nor plan is touched, however large they are.
 * Kept in memory by the daemon, in idle.json for one-shot looks. Losing it costs one full look.
 */
import { existsSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { CommitId } from '../model/ids.ts';
import { version } from '../model/version.ts';
import { stampOfFile } from '../system/file-stamp.ts';
import { readFileOrNull, writeFileAtomic } from '../system/files.ts';

export interface IdleMemo {
  readonly version: string;
  readonly bootId: string;
  /** Of configuration and labels. */
  readonly stamp: string;
  readonly journal: string;
  /** What each repo's remotes answered, and was dealt with; null: nothing that could be, so it is left alone for a while. */
  readonly answers: Readonly<Record<string, CommitId | null>>;
  /** Where each repo's `current` leads, as the link says it; null: nowhere. Somebody may turn it by hand. */
  readonly links: Readonly<Record<string, string | null>>;
  /** Milliseconds since 1970; null: only an event can make something due. */
  readonly nextDueAt: number | null;
  /** Whether all was well: the answer of an idle look is that of the look before it. */
  readonly exitCode: number;
  /** When the trees were last looked at for edits. */
  readonly checkedAt: number;
  /** The run folders as housekeeping left them; null: not known. */
  readonly tidied: Tidied | null;
}

export interface Tidied {
  /** Of the folder that holds them, of the runs that were open, and of the limits. */
  readonly stamp: string;
  readonly at: number;
}

export interface IdleQuestion {
  readonly now: number;
  readonly bootId: string;
  readonly stamp: string;
  readonly journal: string;
  readonly answers: IdleMemo['answers'];
  readonly links: IdleMemo['links'];
}

export function isIdle(memo: IdleMemo | null, question: IdleQuestion): boolean {
  if (memo === null || memo.version !== version) return false;
  if (memo.bootId !== question.bootId || memo.stamp !== question.stamp || memo.journal !== question.journal)
    return false;
  if (memo.nextDueAt !== null && question.now >= memo.nextDueAt) return false;
  // The clock was set back: when something becomes due has to be reckoned anew.
  if (question.now < memo.checkedAt) return false;
  return isSame(memo.answers, question.answers) && isSame(memo.links, question.links);
}

function isSame(a: Readonly<Record<string, unknown>> = {}, b: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** The text of a link that leads somewhere; null for any other. */
export function readLiveLink(path: string): string | null {
  try {
    return existsSync(path) ? readlinkSync(path) : null;
  } catch {
    // Gone this moment, or no link.
    return null;
  }
}

/** Changes with every record that is appended and with every rewrite. */
export function journalStamp(file: string): string {
  return stampOfFile(file);
}

export function readMemo(stateFolder: string): IdleMemo | null {
  try {
    return JSON.parse(readFileOrNull(join(stateFolder, 'idle.json')) ?? 'null') as IdleMemo | null;
  } catch {
    return null;
  }
}

export function writeMemo(stateFolder: string, memo: IdleMemo): void {
  writeFileAtomic(join(stateFolder, 'idle.json'), `${JSON.stringify(memo)}\n`, { durable: false });
}
