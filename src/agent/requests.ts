/**
 * What an operator asks of the agent (`redo`, `pause`, ...): a file in the inbox, durable at once, carried out by whoever
 * holds the host's lock: the daemon, a look, or the asking command itself when nobody does.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PullyuError } from '../errors.ts';
import { type JournalRecord, readRecord } from '../journal/record.ts';
import type { CommitId } from '../model/ids.ts';
import type { RunIntent, RunResult } from '../model/run.ts';
import { makeFolder, readFileOrNull, writeFileAtomic } from '../system/files.ts';

export type Request =
  | { readonly type: 'redo'; readonly repo: string; readonly action: string }
  | { readonly type: 'pause'; readonly reason: string; readonly since: number; readonly until: number }
  | { readonly type: 'resume' }
  | { readonly type: 'accept'; readonly repo: string; readonly commit: CommitId }
  /** What the operator did by hand, as the run that it stands for. */
  | { readonly type: 'done'; readonly intent: RunIntent; readonly result: RunResult };

/** More than this is no operator: the newest are refused. */
const INBOX_MAX = 1_000;

function inboxFolder(stateFolder: string): string {
  return `${stateFolder}/inbox`;
}

/** @returns The file; it is gone once the request was carried out. */
export function postRequest(stateFolder: string, request: Request, id: string): string {
  const folder = inboxFolder(stateFolder);
  makeFolder(folder, 0o700);
  if (readdirSync(folder).length >= INBOX_MAX)
    throw new PullyuError('busy', `the inbox ${folder} holds ${INBOX_MAX} requests already`, {
      hint: 'nobody takes them: pullyu doctor says what is wrong with the heartbeat',
    });
  const file = join(folder, `${id}.json`);
  writeFileAtomic(file, JSON.stringify(request), { mode: 0o600 });
  return file;
}

export interface PendingRequest {
  readonly file: string;
  /** null when the file is not a request of ours: it is dropped. */
  readonly request: Request | null;
}

/** Oldest first. Cheap when there is nothing: one stat. */
export function readRequests(stateFolder: string): PendingRequest[] {
  const folder = inboxFolder(stateFolder);
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => {
      const file = join(folder, name);
      try {
        return { file, request: JSON.parse(readFileOrNull(file) ?? 'null') as Request | null };
      } catch {
        return { file, request: null };
      }
    });
}

/** After its record is durable in the journal. A crash in between repeats the record, which changes nothing. */
export function dropRequest(pending: PendingRequest): void {
  rmSync(pending.file, { force: true, recursive: true });
}

/**
 * The journal records that carry a request out, in their order; none for what is not a whole request of ours: the journal must
 * never get what it cannot read again.
 */
export function recordsOfRequest(request: Request): readonly JournalRecord[] {
  const records = recordsOf(request);
  return records.every((record) => typeof readRecord(record) !== 'string') ? records : [];
}

function recordsOf(request: Request): readonly JournalRecord[] {
  switch (request.type) {
    case 'redo':
      return [{ type: 'redo', repo: request.repo, action: request.action }];
    case 'pause':
      return [{ type: 'paused', reason: request.reason, since: request.since, until: request.until }];
    case 'resume':
      return [{ type: 'resumed' }];
    case 'accept':
      return [{ type: 'accepted', repo: request.repo, commit: request.commit }];
    case 'done':
      if (request.intent?.id !== request.result?.id) return [];
      return [
        { type: 'started', intent: request.intent },
        { type: 'finished', result: request.result },
      ];
    default:
      return [];
  }
}
