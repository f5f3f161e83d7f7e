/** Starting the shim: by ourselves, or through the service manager so that it lives outside our unit. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RunId } from '../model/ids.ts';
import type { Account } from './account.ts';
import { findProgram } from './command.ts';
import { DEFAULT_PATH, RUN_MARK } from './environment.ts';
import { unitName } from './processes-of-run.ts';

export type Launcher = 'direct' | 'systemd';

export interface LauncherFacts {
  /** Of the agent. */
  readonly env: NodeJS.ProcessEnv;
  readonly pid: number;
  readonly uid: number;
  readonly systemdIsInit: boolean;
}

/**
 * A child of a systemd service stays in the service's control group and sandbox, and goes down with it. So when the agent is
 * such a service (it, not one of its ancestors), the service manager starts the shim. Everywhere else a session of its own does.
 * The unit that `pullyu install` writes says it outright: PULLYU_RUNS=systemd-run.
 */
export function chooseLauncher(facts: LauncherFacts): Launcher {
  if (facts.env.PULLYU_RUNS === 'systemd-run') return 'systemd';
  const { INVOCATION_ID: invocation, SYSTEMD_EXEC_PID: mainPid } = facts.env;
  const isService = Boolean(invocation) && (mainPid === undefined || mainPid === String(facts.pid));
  return facts.uid === 0 && facts.systemdIsInit && isService ? 'systemd' : 'direct';
}

export function launcherFacts(): LauncherFacts {
  return {
    env: process.env,
    pid: process.pid,
    uid: process.getuid?.() ?? 0,
    systemdIsInit: existsSync('/run/systemd/system'),
  };
}

/** shim.sh lies beside this module, in the sources and in dist. */
export const shimPath = fileURLToPath(new URL('./shim.sh', import.meta.url));

export interface Tools {
  readonly setsid: string | null;
  readonly setpriv: string | null;
  readonly prlimit: string | null;
}

let tools: Tools | undefined;

export function findTools(): Tools {
  tools ??= {
    setsid: findProgram('setsid', DEFAULT_PATH),
    setpriv: findProgram('setpriv', DEFAULT_PATH),
    prlimit: findProgram('prlimit', DEFAULT_PATH),
  };
  return tools;
}

/**
 * The command as the shim executes it: in a session of its own (so that `kill 0` in a script meets the script and its
 * children, not the shim), with the resource limits that prlimit sets, then as another user when one is wanted.
 */
export function wrapCommand(
  argv: readonly string[],
  switchTo: Account | null,
  found: Tools,
  rlimits: readonly string[] = [],
): string[] {
  const session = found.setsid === null ? [] : [found.setsid];
  if (rlimits.length > 0) {
    if (found.prlimit === null) throw new TypeError('wrapCommand: prlimit is missing');
    session.push(found.prlimit, ...rlimits, '--');
  }
  if (switchTo === null) return [...session, ...argv];
  if (found.setpriv === null) throw new TypeError('wrapCommand: setpriv is missing');
  const user = [`--reuid=${switchTo.uid}`, `--regid=${switchTo.gid}`, '--init-groups', '--'];
  return [...session, found.setpriv, ...user, ...argv];
}

export interface ShimCall {
  readonly id: RunId;
  readonly runFolder: string;
  readonly tree: string;
  /** Wrapped. */
  readonly command: readonly string[];
  /** Of the unit; null: none. Absent: none. */
  readonly limits?: { readonly memory: number | null; readonly processes: number | null };
}

/** @param environment `given`: the shim's own is that of the action; `file`: it reads RUN_FOLDER/environment. */
export function shimArgv(call: ShimCall, environment: 'given' | 'file', shim: string = shimPath): string[] {
  return ['/bin/sh', shim, call.runFolder, call.tree, environment, ...call.command];
}

/**
 * The environment goes by file: on a command line or as a property of the unit everybody could read it.
 * `KillMode=process`: when the shim ends, the daemons that its action left behind go on.
 */
export function systemdArgv(call: ShimCall, shim: string = shimPath): string[] {
  const command = ['/usr/bin/env', '-i', `${RUN_MARK}=${call.id}`, ...shimArgv(call, 'file', shim)];
  return [
    'systemd-run',
    '--collect',
    '--quiet',
    '--no-ask-password',
    `--unit=${unitName(call.id)}`,
    '--description=A run of pullyu',
    '--property=KillMode=process',
    '--property=OOMPolicy=continue',
    // When the machine is shut down: what runs is not told, and has so long to come to its end.
    '--property=TimeoutStopSec=30',
    // The service manager's default ignores it, and `yes | head` would complain.
    '--property=IgnoreSIGPIPE=no',
    ...limitProperties(call.limits),
    '--property=StandardInput=null',
    '--property=StandardOutput=null',
    '--property=StandardError=null',
    '--',
    // The service manager replaces $NAME in arguments; $$ is a dollar.
    ...command.map((word) => word.replaceAll('$', '$$$$')),
  ];
}

/** The service manager knows both kinds of control groups. Above nothing its own default would be taken. */
function limitProperties(limits: ShimCall['limits']): string[] {
  if (limits === undefined) return [];
  const { memory, processes } = limits;
  return [
    ...(memory === null ? [] : [`--property=MemoryMax=${memory}`]),
    `--property=TasksMax=${processes ?? 'infinity'}`,
  ];
}

/** What the shim sources: every value in single quotes. */
export function formatEnvironmentFile(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
    .join('');
}

/** In a session of its own, without any descriptor of ours. */
export function startShim(argv: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  const [file, ...args] = argv;
  return spawn(file!, args, { cwd: '/', env: { ...env }, detached: true, stdio: 'ignore' });
}

/** The service manager's own program; what it says when it fails goes to where people look. */
export function startStarter(argv: readonly string[], outputFile: string): ChildProcess {
  const [file, ...args] = argv;
  const output = openSync(outputFile, 'a');
  try {
    const env = { PATH: process.env.PATH ?? DEFAULT_PATH };
    return spawn(file!, args, { cwd: '/', env, detached: true, stdio: ['ignore', output, output] });
  } finally {
    closeSync(output);
  }
}
