/** A run on somebody's terminal: the tree, the user and the variables of the agent's runs, but the person's own terminal and PATH. */
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { PullyuError } from '../errors.ts';
import { systemClock } from '../system/clock.ts';
import { type ForegroundOptions, runForeground } from '../system/foreground.ts';
import { findAccount, ownAccount } from './account.ts';
import { checkCommand } from './command.ts';
import { actionEnvironment, DEFAULT_PATH } from './environment.ts';
import { findTools, wrapCommand } from './launch.ts';
import { reserveRunFolder, runFiles } from './run-files.ts';
import type { RunSpec } from './spec.ts';
import { ensureRoster, prepareStateFolder } from './start.ts';

/** What a program wants to know of a terminal. */
const OF_THE_TERMINAL = ['TERM', 'COLORTERM', 'NO_COLOR', 'LINES', 'COLUMNS', 'SSH_AUTH_SOCK'];

/**
 * Runs it to its end; the person at the terminal is its deadline.
 * @param env The person's: PATH and what the terminal is.
 * @returns the exit code as a shell gives it.
 * @throws PullyuError `refused` when it cannot be run as it stands.
 */
export async function runOnTerminal(
  spec: RunSpec,
  env: Readonly<Record<string, string | undefined>>,
  o: Pick<ForegroundOptions, 'stdoutToStderr'> = {},
): Promise<number> {
  const own = ownAccount();
  const account = spec.user === null || spec.user === own.name ? own : findAccount(spec.user);
  const refuse = (message: string, hint?: string) =>
    new PullyuError('refused', message, hint === undefined ? {} : { hint });
  if (account === null) throw refuse(`expected the user ${spec.user} on this host, found none`);
  const switchTo = account.uid === own.uid ? null : account;
  const tools = findTools();
  if (switchTo !== null && (own.uid !== 0 || tools.setpriv === null)) {
    throw refuse(
      `expected to run as ${account.name}, found no way to: we are ${own.name}`,
      'become root, or that user; setpriv of util-linux is needed too',
    );
  }
  const files = runFiles(spec.runFolder);
  const environment = {
    ...actionEnvironment(spec, account, files),
    PATH: env.PATH ?? DEFAULT_PATH,
    ...Object.fromEntries(OF_THE_TERMINAL.flatMap((name) => (env[name] ? [[name, env[name]]] : []))),
  };
  const command = checkCommand(spec.argv, spec.tree, environment.PATH);
  if (!command.ok) throw refuse(command.note);
  reserveRunFolder(spec.runFolder);
  try {
    if (switchTo !== null) chmodSync(spec.runFolder, 0o711);
    writeFileSync(files.changedFiles, spec.changedFiles.map((path) => `${path}\n`).join(''), { mode: 0o644 });
    prepareStateFolder(spec.stateFolder, account);
    ensureRoster(spec, systemClock.now());
    // Without a session of its own: job control and prompts work as in a shell.
    const argv = wrapCommand(command.argv, switchTo, { ...tools, setsid: null });
    return await runForeground(['/bin/sh', '-c', 'umask 022 && exec "$@"', 'sh', ...argv], {
      cwd: spec.tree,
      env: environment,
      ...o,
    });
  } finally {
    rmSync(spec.runFolder, { recursive: true, force: true });
  }
}
