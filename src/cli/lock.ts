/** `pullyu lock ACTION -- COMMAND...`: one at a time, with the notes that scripts of the practice read. */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import {
  actionFiles,
  isOtherAtWork,
  LOCK_MARK,
  type LockNote,
  lockFiles,
  readLockedCommand,
  requireActionName,
} from '../agent/action-files.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { openWorkingCopy } from '../git/working-copy.ts';
import { makeFolder, namedWriteError, writeFileAtomic } from '../system/files.ts';
import { runForeground } from '../system/foreground.ts';
import { type Lock, readLockHolder, tryLock } from '../system/lock.ts';
import { type ProcessIdentity, processIdentity } from '../system/processes.ts';
import type { CommandContext } from './context.ts';

/**
 * Holds the lock of this action while the command runs. The kernel holds it for us: a marker file that a crash left blocks nobody. The
 * command itself counts too: should this process alone be killed, the next one finds its command at work and is busy.
 * @param words The command, with or without `--` before it.
 * @returns the command's exit code; 5 when the lock is held.
 */
export async function runLock(
  action: string,
  words: readonly string[],
  context: CommandContext,
): Promise<ExitCode> {
  const { cwd, env, out, signal } = context;
  requireActionName(action);
  const command = words[0] === '--' ? words.slice(1) : words;
  if (command.length === 0) {
    throw new PullyuError('usage', 'expected a command after --, found none', {
      hint: 'pullyu lock deploy -- ./deploy.sh',
    });
  }
  const copy = await openWorkingCopy({ cwd, env, signal });
  if (!copy.ok) {
    throw new PullyuError(
      'usage',
      copy.trouble.message,
      copy.trouble.hint === null ? {} : { hint: copy.trouble.hint },
    );
  }
  const { notes, head } = copy.value;
  const files = lockFiles(notes, action);
  const busy = (pid: number | undefined) => {
    out.notice(`busy: ${action} is at work${pid === undefined ? '' : ` (process ${pid})`}`);
    return EXIT.busy;
  };
  let lock: Lock | null;
  try {
    makeFolder(notes);
    lock = tryLock(files.lock, `lock ${action}`);
  } catch (error) {
    throw namedWriteError(error, notes) ?? error;
  }
  if (lock === null) return busy(readLockHolder(files.lock)?.pid);
  try {
    const orphan = readLockedCommand(files.process);
    if (orphan !== null) return busy(orphan.pid);
    // Inside a run of the agent the notes of the whole checkout are the agent's.
    const names = env.PULLYU_RUN_ID ? [action] : [action, null];
    const notesOf = names.map((name) => actionFiles(notes, name));
    const write = (file: string, durable: boolean) => writeFileAtomic(file, `${head}\n`, { durable });
    const writeProcess = (note: LockNote | ProcessIdentity) =>
      writeFileAtomic(files.process, JSON.stringify(note), { durable: false });
    try {
      // Before the command is there: killed from here on, we leave a note that finds it by its mark.
      const mark = randomUUID();
      writeProcess({ starter: processIdentity(process.pid)!, mark });
      for (const { current } of notesOf) write(current, false);
      const exitCode = await runForeground(command, {
        cwd,
        env: { ...env, [LOCK_MARK]: mark },
        onStart: (identity) => {
          try {
            // From then on only the command itself counts, and no daemon that it leaves.
            writeProcess(identity);
          } catch {
            // The note that is there finds it too.
          }
        },
      });
      // Durable before the markers go: a crash in between repeats the action, and never skips it.
      if (exitCode === 0) for (const { last } of notesOf) write(last, true);
      return exitCode as ExitCode;
    } catch (error) {
      throw namedWriteError(error, notes) ?? error;
    } finally {
      rmSync(files.process, { force: true });
      rmSync(actionFiles(notes, action).current, { force: true });
      if (names.includes(null) && !isOtherAtWork(notes, action))
        rmSync(actionFiles(notes, null).current, { force: true });
    }
  } finally {
    lock.release();
  }
}
