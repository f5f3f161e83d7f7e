/** The notes about actions in `.temp/nodeinfo`, as the practice names them: one commit id each. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PullyuError } from '../errors.ts';
import { type CommitId, isCommitId } from '../model/ids.ts';
import { readFileOrNull } from '../system/files.ts';
import { isAlive, type ProcessIdentity } from '../system/processes.ts';

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

/** Only `pullyu lock` has these: the kernel-held lock, and which process its command is. */
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
    const identity = JSON.parse(readFileOrNull(file) ?? 'null') as ProcessIdentity | null;
    return identity !== null && isAlive(identity) ? identity : null;
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
