/** The notes about actions in `.temp/nodeinfo`, as the practice names them: one commit id each. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PullyuError } from '../errors.ts';
import { type CommitId, isCommitId } from '../model/ids.ts';
import { readFileOrNull } from '../system/files.ts';
import { isAlive, type ProcessIdentity, processesMarked } from '../system/processes.ts';

export interface ActionFiles {
  /** The commit of the last completed action. */
  readonly last: string;
  /** The commit that is being acted upon. */
  readonly current: string;
}

/** @param action null: those of the whole checkout. */
export function actionFiles(notes: string, action: string | null): ActionFiles {
  const suffix = action === null ? '' : `.${action}`;
  return {
    last: join(notes, `lastaction${suffix}.txt`),
    current: join(notes, `currentaction${suffix}.txt`),
  };
}

/** In the environment of a command of `pullyu lock`: which call of it that was. */
export const LOCK_MARK = 'PULLYU_LOCK_ID';

/** About a command that is not known to have begun yet: who begins it, and the `LOCK_MARK` that it will have. */
export interface LockNote {
  readonly starter: ProcessIdentity;
  readonly mark: string;
}

/** Only `pullyu lock` has these: the kernel-held lock, and which process its command is: a `LockNote`, then a `ProcessIdentity`. */
export function lockFiles(notes: string, action: string): { lock: string; process: string } {
  return { lock: join(notes, `${action}.lock`), process: join(notes, `${action}.process`) };
}

/** null: never acted, or nobody knows upon what. */
export function readActedUpon(file: string): CommitId | null {
  const text = readFileOrNull(file)?.trim() ?? '';
  return isCommitId(text) ? text : null;
}

/** The command of a `pullyu lock` that is alive, whatever became of the `pullyu` that started it. */
export function readLockedCommand(file: string): ProcessIdentity | null {
  try {
    const note = JSON.parse(readFileOrNull(file) ?? 'null') as ProcessIdentity | LockNote | null;
    if (note === null) return null;
    if ('pid' in note) return isAlive(note) ? note : null;
    // Who began it was killed before it noted whom: the command may be at work all the same.
    return isAlive(note.starter) ? note.starter : (processesMarked(LOCK_MARK, note.mark)[0] ?? null);
  } catch {
    return null;
  }
}

/** Is the command of another `pullyu lock` of this checkout at work? */
export function isOtherAtWork(notes: string, action: string): boolean {
  return readdirSync(notes).some(
    (name) =>
      name.endsWith('.process') &&
      name !== `${action}.process` &&
      readLockedCommand(join(notes, name)) !== null,
  );
}

/** A name that becomes a part of file names. @throws PullyuError `usage`. */
export function requireActionName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return name;
  throw new PullyuError(
    'usage',
    `expected the name of an action, found ${JSON.stringify(name.slice(0, 80))}`,
    {
      hint: 'letters, digits, dots, dashes and underscores, at most 64, such as "deploy"',
    },
  );
}
