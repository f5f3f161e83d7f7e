/** The one error class, and the catalogue of what can go wrong for a command. Expected states of the world are `Trouble` values instead. */

/** Exit codes of every command. docs/errors.md explains them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  refused: 4,
  busy: 5,
  timedOut: 124,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * `retry`: the world may change by itself. `human`: somebody has to do something. `heals`: the agent mends it.
 * The loop switches on this, never on text.
 */
export type Remedy = 'retry' | 'human' | 'heals';

interface CatalogueEntry {
  readonly title: string;
  readonly exit: ExitCode;
  readonly remedy: Remedy;
}

export const CATALOGUE = {
  usage: { title: 'The command line is not understood', exit: EXIT.usage, remedy: 'human' },
  'host-config': { title: 'host.yaml is not valid', exit: EXIT.usage, remedy: 'human' },
  'repo-config': { title: 'pullyu.yaml is not valid', exit: EXIT.usage, remedy: 'human' },
  'not-bootstrapped': { title: 'This host follows no repository yet', exit: EXIT.usage, remedy: 'human' },
  'unknown-action': { title: 'There is no such action', exit: EXIT.usage, remedy: 'human' },
  'unknown-repo': { title: 'There is no such repo', exit: EXIT.usage, remedy: 'human' },
  'program-missing': { title: 'A program is not installed', exit: EXIT.usage, remedy: 'human' },
  'no-permission': { title: 'The rights are missing', exit: EXIT.usage, remedy: 'human' },
  'disk-full': { title: 'The disk is full', exit: EXIT.refused, remedy: 'retry' },
  'read-only': { title: 'The file system is read-only', exit: EXIT.refused, remedy: 'human' },
  busy: { title: 'Another pullyu is at work on this host', exit: EXIT.busy, remedy: 'retry' },
  unreachable: { title: 'No remote could be reached', exit: EXIT.unreachable, remedy: 'retry' },
  refused: { title: 'Refused', exit: EXIT.refused, remedy: 'human' },
  'journal-damaged': { title: 'The journal cannot be read', exit: EXIT.refused, remedy: 'human' },
  'journal-newer': {
    title: 'The journal was written by a newer pullyu',
    exit: EXIT.refused,
    remedy: 'human',
  },
  failed: { title: 'It did not work', exit: EXIT.failed, remedy: 'human' },
  'timed-out': { title: 'It took too long', exit: EXIT.timedOut, remedy: 'retry' },
  internal: { title: 'A defect of pullyu', exit: EXIT.failed, remedy: 'human' },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof CATALOGUE;

export interface ErrorDetails {
  /** What to do about it: a command or a sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** More lines for people, such as one per problem of a file. */
  readonly lines?: readonly string[];
}

/** Ends a command: printed as `error: message`, then `hint: ...`, with the catalogue's exit code. */
export class PullyuError extends Error {
  override readonly name = 'PullyuError';
  readonly code: ErrorCode;
  readonly hint: string | null;
  readonly lines: readonly string[];

  /** @param message What was expected and what was found, in one sentence without a full stop. */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint ?? null;
    this.lines = details.lines ?? [];
  }

  get exitCode(): ExitCode {
    return CATALOGUE[this.code].exit;
  }
}

/** The errno code of a system error (`ENOENT`, `ENOSPC`, ...), or null. */
export function errnoOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}

/** A part of our own program, loaded when it is first needed, is not there any more: an upgrade has replaced it under us. */
export function isProgramGone(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
}
