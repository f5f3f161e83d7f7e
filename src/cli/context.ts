import { type Clock, systemClock } from '../system/clock.ts';
import { decidePaths, type Paths } from '../system/paths.ts';
import { createTerminal, type Terminal } from './terminal.ts';

/** What a command gets of the world. */
export interface CommandContext {
  readonly paths: Paths;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  readonly out: Terminal;
  /** Aborted by the first SIGINT or SIGTERM; a second one ends the process. */
  readonly signal: AbortSignal;
}

/** A shell may stand in a folder that was removed: its name, so that a path which is relative to it is what is not found. */
function workingFolder(): string {
  try {
    return process.cwd();
  } catch {
    return process.env.PWD ?? '/';
  }
}

export function createContext(root: string | undefined, signal: AbortSignal): CommandContext {
  return {
    paths: decidePaths(root, process.env, process.getuid?.() ?? 0),
    env: process.env,
    cwd: workingFolder(),
    clock: systemClock,
    out: createTerminal(),
    signal,
  };
}
