/**
 * One line of the journal: `crc32 JSON`, the checksum as 8 hex digits over the bytes of the JSON. JSON holds no raw newline, so a
 * record is exactly one line, whatever an action or a remote put into it.
 */
import { crc32 } from 'node:zlib';
import type { CommitId, RunId } from '../model/ids.ts';
import type { Outcome, RunIntent, RunResult } from '../model/run.ts';

/** Of the format. A journal with a higher one is refused, never guessed at. */
export const JOURNAL_VERSION = 1;

/** What may be appended. */
export type JournalRecord =
  | { readonly type: 'started'; readonly intent: RunIntent }
  | { readonly type: 'finished'; readonly result: RunResult }
  | {
      readonly type: 'target';
      readonly repo: string;
      readonly commit: CommitId;
      readonly remote: string;
      /** The tracking under which it was chosen, resolved. Older versions wrote none. */
      readonly track?: string;
    }
  | { readonly type: 'accepted'; readonly repo: string; readonly commit: CommitId }
  | { readonly type: 'applied'; readonly repo: string; readonly commit: CommitId }
  | { readonly type: 'paused'; readonly reason: string; readonly since: number; readonly until: number }
  | { readonly type: 'resumed' }
  | { readonly type: 'redo'; readonly repo: string; readonly action: string }
  | { readonly type: 'seen'; readonly repo: string; readonly action: string; readonly at: number };

/** Written by compaction only: what was folded from runs that are no longer in the file. Runs are named by their id. */
export interface MemoryRecord {
  readonly type: 'memory';
  readonly repo: string;
  readonly action: string;
  readonly lastSuccess: RunId | null;
  readonly lastRun: RunId | null;
  readonly attempts: number;
  readonly failures: number;
  readonly reboots: number;
  readonly seenAt: number;
  readonly redo: boolean;
  readonly applied: boolean;
  /** Fingerprint and outcome of every start, oldest first; absent when the action was never of kind `once`. */
  readonly onceStarts?: readonly (readonly [string, Outcome | null])[];
}

export interface HeaderRecord {
  readonly type: 'journal';
  readonly version: number;
  /** Size of the file when it was last written anew, without this line: what cannot be made smaller. */
  readonly baseBytes: number;
}

export type StoredRecord = JournalRecord | MemoryRecord;

/** @param at When it is written, milliseconds since 1970: for people who read the file. */
export function formatRecord(record: StoredRecord | HeaderRecord, at: number): string {
  const { type, ...rest } = record;
  const json = JSON.stringify({ type, time: new Date(at).toISOString(), ...rest });
  return `${checksum(json)} ${json}\n`;
}

/**
 * The JSON value of one line (without its newline), or null when the line is not whole: no checksum, or another one than its bytes have.
 * A value that this returns is exactly what was written once; whether we understand it is `readRecord`'s question.
 */
export function parseLine(line: string): unknown | null {
  if (line.length < 11 || line[8] !== ' ') return null;
  const json = line.slice(9);
  if (!line.startsWith(checksum(json))) return null;
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

/** Of its bytes in UTF-8. Bytes that are none were decoded to something else, which has another one. */
function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}

type Kind = 'string' | 'number' | 'boolean' | 'object' | 'text or null';
type Fields = Readonly<Record<string, Kind>>;

const ACTION: Fields = { repo: 'string', action: 'string' };
const FIELDS = {
  started: { intent: 'object' },
  finished: { result: 'object' },
  target: { repo: 'string', commit: 'string', remote: 'string' },
  accepted: { repo: 'string', commit: 'string' },
  applied: { repo: 'string', commit: 'string' },
  paused: { reason: 'string', since: 'number', until: 'number' },
  resumed: {},
  redo: ACTION,
  seen: { ...ACTION, at: 'number' },
  memory: {
    ...ACTION,
    lastSuccess: 'text or null',
    lastRun: 'text or null',
    attempts: 'number',
    failures: 'number',
    reboots: 'number',
    seenAt: 'number',
    redo: 'boolean',
    applied: 'boolean',
  },
} as const satisfies Record<StoredRecord['type'], Fields>;

/** As lists, because reading a journal goes over them thousands of times. */
type Shape = ReadonlyArray<{ readonly field: string; readonly kind: Kind }>;
const shapeOf = (fields: Fields): Shape => Object.entries(fields).map(([field, kind]) => ({ field, kind }));
const SHAPES = new Map<unknown, Shape>(
  Object.entries(FIELDS).map(([type, fields]) => [type, shapeOf(fields)]),
);
const INTENT = shapeOf({
  id: 'string',
  ...ACTION,
  purpose: 'string',
  commit: 'string',
  fingerprint: 'string',
  parts: 'object',
  reason: 'string',
  attempt: 'number',
  kind: 'string',
  timeoutMs: 'number',
  bootId: 'string',
  startedAt: 'number',
});
const RESULT = shapeOf({ id: 'string', outcome: 'string', endedAt: 'number' });

/**
 * A value with a right checksum as a record. Fields that we do not know are kept and ignored.
 * @returns a sentence about what was expected and found when it is none of version 1.
 */
export function readRecord(value: unknown): StoredRecord | string {
  const type = isObject(value) ? value.type : undefined;
  const shape = SHAPES.get(type);
  if (!isObject(value) || shape === undefined) {
    return `expected a type of record that version ${JOURNAL_VERSION} knows, found ${JSON.stringify(type)?.slice(0, 80)}`;
  }
  const wrong =
    misfit(value, shape) ??
    (type === 'started' ? misfit(value.intent, INTENT) : null) ??
    (type === 'finished' ? misfit(value.result, RESULT) : null);
  if (wrong !== null) return `expected a record "${type}" with ${wrong}`;
  return value as unknown as StoredRecord;
}

/** What a first line says, or null when it is no header. */
export function readHeader(value: unknown): { version: number; baseBytes: number } | null {
  if (!isObject(value) || value.type !== 'journal' || typeof value.version !== 'number') return null;
  return { version: value.version, baseBytes: typeof value.baseBytes === 'number' ? value.baseBytes : 0 };
}

function misfit(value: unknown, shape: Shape): string | null {
  const object = value as Record<string, unknown>;
  for (const { field, kind } of shape) {
    const found = object[field];
    // Nearly every field of a journal passes here.
    if (typeof found === kind && kind !== 'object') continue;
    const fits =
      kind === 'text or null'
        ? found === null || typeof found === 'string'
        : kind === 'object' && isObject(found);
    if (!fits) return `${field} (${kind})`;
  }
  return null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
