/** A program in the foreground: our terminal, our standard input and output, and the signals that we get. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { errnoOf, PullyuError } from '../errors.ts';
import { type ProcessIdentity, processIdentity } from './processes.ts';

export interface ForegroundOptions {
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What it prints goes to our standard error: our standard output is for something else. */
  readonly stdoutToStderr?: boolean;
  /** As soon as it is there. */
  readonly onStart?: (identity: ProcessIdentity) => void;
}

/** From a terminal these go to the whole foreground group, so to the program already. */
const OF_THE_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];
const FORWARDED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'];

/**
 * Runs a program to its end; we stay as long as it does, whatever signal comes.
 * @returns its exit code, as a shell gives it: 128 + N when signal N ended it.
 * @throws PullyuError `program-missing` when it cannot be started.
 */
export function runForeground(argv: readonly string[], o: ForegroundOptions): Promise<number> {
  const [file, ...args] = argv;
  if (file === undefined) throw new TypeError('runForeground: empty argv');
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: o.cwd,
      env: { ...o.env },
      stdio: ['inherit', o.stdoutToStderr ? 2 : 'inherit', 'inherit'],
    });
    const handlers = FORWARDED.map((signal) => {
      const forward = () => {
        if (!(process.stdin.isTTY && OF_THE_TERMINAL.includes(signal))) child.kill(signal);
      };
      process.on(signal, forward);
      return () => process.removeListener(signal, forward);
    });
    const cleanUp = () => {
      for (const remove of handlers) remove();
    };
    child.once('spawn', () => {
      const identity = child.pid === undefined ? null : processIdentity(child.pid);
      if (identity !== null) o.onStart?.(identity);
    });
    child.once('error', (error) => {
      cleanUp();
      const missing = errnoOf(error) === 'ENOENT' || errnoOf(error) === 'EACCES';
      reject(
        missing
          ? new PullyuError('program-missing', `expected the program "${file}", found none that can be run`, {
              hint: `give its path, make it executable, or put it on the PATH (${o.env.PATH ?? ''})`,
              cause: error,
            })
          : error,
      );
    });
    child.once('exit', (code, signal) => {
      cleanUp();
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
