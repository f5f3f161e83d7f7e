/**
 * The command line. `look` is what cron calls each minute, so it is dispatched before anything else is loaded; every other command
 * loads what it needs itself.
 */
import { EXIT, isProgramGone, PullyuError } from '../errors.ts';
import { namedWriteError } from '../system/files.ts';
import { createContext } from './context.ts';
import { createTerminal } from './terminal.ts';

/** @returns the exit code. Never throws. */
export async function main(argv: readonly string[]): Promise<number> {
  const ending = new AbortController();
  const onSignal = () => {
    // The second signal is served by the default: it ends the process at once.
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
    ending.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // A reader that goes away (`pullyu history | head`) is no error of ours.
  process.stdout.on('error', () => {});
  try {
    const bare = bareLook(argv);
    if (bare !== null) {
      const { runLook } = await import('./look.ts');
      return await runLook({ heartbeat: bare.heartbeat }, createContext(bare.root, ending.signal));
    }
    const { runProgram } = await import('./program.ts');
    return await runProgram(argv, ending.signal);
  } catch (error) {
    const known = error instanceof PullyuError ? error : (programGone(error) ?? writeError(error));
    if (known !== null) {
      createTerminal().error(known);
      return known.exitCode;
    }
    console.error(error);
    console.error('hint: this is a defect of pullyu; please report it with the lines above');
    return EXIT.failed;
  } finally {
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
  }
}

function programGone(error: unknown): PullyuError | null {
  if (!isProgramGone(error)) return null;
  return new PullyuError('failed', 'a part of pullyu is not there any more: it was replaced while it ran', {
    hint: 'call it again; an agent is started again by its heartbeat, with what is there now',
    cause: error,
  });
}

/** A disk that is full or read-only can show itself at any write. */
function writeError(error: unknown): PullyuError | null {
  const path = typeof error === 'object' && error !== null && 'path' in error ? String(error.path) : null;
  return namedWriteError(error, path ?? 'the state folder');
}

/** `[--root DIR] look [--heartbeat]`: no other word. */
function bareLook(argv: readonly string[]): { root: string | undefined; heartbeat: boolean } | null {
  const root = argv[0] === '--root' ? argv[1] : undefined;
  const [command, option, ...more] = argv[0] === '--root' ? argv.slice(2) : argv;
  if (command !== 'look' || more.length > 0) return null;
  if (option !== undefined && option !== '--heartbeat') return null;
  return { root, heartbeat: option !== undefined };
}
