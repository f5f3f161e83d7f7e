/** Starting a run. The intent is durable already; from here on, whatever dies, `resumeRun` can tell what became of it. */

import type { ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lchownSync, lstatSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from '../errors.ts';
import { formatRoster, memberOfHost } from '../model/roster.ts';
import type { RunResult } from '../model/run.ts';
import { type Clock, systemClock } from '../system/clock.ts';
import { makeFolder, namedWriteError, writeFileAtomic } from '../system/files.ts';
import { type Account, findAccount, ownAccount } from './account.ts';
import { checkCommand } from './command.ts';
import {
  findGroupHome,
  homeFacts,
  machineSize,
  makeGroups,
  readGroups,
  removeGroups,
} from './control-groups.ts';
import { actionEnvironment } from './environment.ts';
import { noteOf, planLimits, readLimitMeans, refusalOf } from './keep-limits.ts';
import {
  chooseLauncher,
  findTools,
  formatEnvironmentFile,
  type Launcher,
  launcherFacts,
  type ShimCall,
  shimArgv,
  startShim,
  startStarter,
  systemdArgv,
  wrapCommand,
} from './launch.ts';
import { interruptedResult, refusedResult } from './result.ts';
import { RESULT_ROOM, type RunFile, type RunFiles, reserveRunFolder, runFiles } from './run-files.ts';
import { type DecidedLimits, decideRunLimits } from './run-limits.ts';
import type { RunSpec, StartedRun } from './spec.ts';
import { watchRun } from './watch.ts';

export interface RunnerOptions {
  readonly clock?: Clock;
  /** From TERM to KILL. Default 10 s. */
  readonly graceMs?: number;
  /** Default: what `chooseLauncher` says of this process. */
  readonly launcher?: Launcher;
}

export const GRACE_MS = 10_000;

/**
 * Starts the run and returns at once.
 * @returns the result instead when it cannot be run as it stands (`refused`), or when this host cannot begin it now (a full
 *   disk: `interrupted`, never began). Nothing was executed then.
 */
export function startRun(spec: RunSpec, options: RunnerOptions = {}): StartedRun | RunResult {
  const clock = options.clock ?? systemClock;
  const { intent } = spec;
  const refuse = (note: string) => refusedResult(intent, note, clock.now());

  const own = ownAccount();
  const account = spec.user === null || spec.user === own.name ? own : findAccount(spec.user);
  if (account === null) return refuse(`expected the user ${spec.user} on this host, found none`);
  const switchTo = account.uid === own.uid ? null : account;
  if (switchTo !== null && own.uid !== 0) {
    return refuse(`to run as ${account.name} the agent must be root, it is ${own.name}`);
  }
  const tools = findTools();
  if (switchTo !== null && tools.setpriv === null) {
    return refuse(`to run as ${account.name} the program setpriv (util-linux) is needed`);
  }

  const files = runFiles(spec.runFolder);
  const environment = actionEnvironment(spec, account, files);
  const command = checkCommand(spec.argv, spec.tree, environment.PATH ?? '');
  if (!command.ok) return refuse(command.note);

  const launcher = options.launcher ?? chooseLauncher(launcherFacts());
  const limits = limitsOf(spec);
  const kept = planLimits(
    limits,
    readLimitMeans(launcher, {
      isRoot: account.uid === 0,
      isAgentRoot: own.uid === 0,
      prlimit: tools.prlimit,
    }),
  );
  const refusal = refusalOf(limits, kept.notKept);
  if (refusal !== null) return refuse(refusal);
  const inForce = {
    memory: kept.memory,
    processes: kept.processes,
    notKept: noteOf(limits, kept.notKept),
  };

  const startedMonotonicMs = clock.monotonic();
  try {
    prepareFolder(spec, files, switchTo, { launcher, startedMonotonicMs, limits: inForce });
    prepareStateFolder(spec.stateFolder, account);
    ensureRoster(spec, clock.now());
    if (launcher === 'systemd') {
      writeFileSync(files.environment, formatEnvironmentFile(environment), { mode: 0o600, flag: 'wx' });
    }
  } catch (error) {
    const named = namedWriteError(error, spec.runFolder);
    if (named === null) throw error;
    return interruptedResult(intent, 'never-began', clock.now(), `it could not be begun: ${named.message}`);
  }

  const call: ShimCall = {
    id: intent.id,
    runFolder: spec.runFolder,
    tree: spec.tree,
    command: wrapCommand(command.argv, switchTo, tools, kept.rlimits),
    ...(spec.uses === undefined ? {} : { limits: inForce }),
  };
  const watch = {
    intent,
    files,
    limits: spec.limits,
    clock,
    startedMonotonicMs,
    graceMs: options.graceMs ?? GRACE_MS,
    inForce,
  };
  if (launcher === 'direct') {
    if (spec.uses !== undefined) {
      const made = makeGroups(intent.id, files.groups, inForce, findGroupHome(homeFacts()));
      const failed = (['memory', 'processes'] as const).filter((key) => inForce[key] !== null && !made[key]);
      const late = refusalOf(limits, failed);
      if (late !== null) {
        removeGroups(readGroups(files.groups, intent.id));
        return refuse(late);
      }
    }
    let child: ChildProcess;
    try {
      child = startShim(shimArgv(call, 'given'), environment);
    } catch (error) {
      if (errnoOf(error) !== 'E2BIG') throw error;
      return refuse('its arguments and environment are larger than this system allows');
    }
    return watchRun({ ...watch, inUnit: false, child, starter: null });
  }
  // Never by ourselves instead: in our sandbox the script would meet a read-only system and fail in the strangest ways.
  const starter = startStarter(systemdArgv(call), files.output);
  return watchRun({ ...watch, inUnit: true, child: null, starter });
}

function limitsOf({ uses }: RunSpec): DecidedLimits {
  return uses === undefined
    ? { memory: null, processes: null, files: null }
    : decideRunLimits(uses, machineSize());
}

/** PULLYU_ROSTER is always there, with this host at least. */
export function ensureRoster(spec: Pick<RunSpec, 'rosterFile' | 'host'>, now: number): void {
  if (statSync(spec.rosterFile, { throwIfNoEntry: false }) !== undefined) return;
  writeFileAtomic(spec.rosterFile, formatRoster([memberOfHost(spec.host, now)]), { durable: false });
}

function prepareFolder(
  spec: RunSpec,
  files: RunFiles,
  switchTo: Account | null,
  more: Pick<RunFile, 'launcher' | 'startedMonotonicMs' | 'limits'>,
): void {
  const { intent } = spec;
  if (!existsSync(spec.runFolder)) reserveRunFolder(spec.runFolder);
  const file: RunFile = {
    version: 1,
    id: intent.id,
    repo: intent.repo,
    action: intent.action,
    commit: intent.commit,
    argv: spec.argv,
    tree: spec.tree,
    user: spec.user,
    bootId: intent.bootId,
    timeoutMs: intent.timeoutMs,
    ...more,
  };
  writeFileSync(files.spec, `${JSON.stringify(file)}\n`, { mode: 0o600 });
  writeFileSync(files.changedFiles, spec.changedFiles.map((path) => `${path}\n`).join(''), { mode: 0o644 });
  writeFileSync(files.resultRoom, RESULT_ROOM, { mode: 0o600, flag: 'wx' });
  writeFileSync(files.output, '', { mode: 0o600 });
  if (switchTo === null) return;
  // The other user gets at what it is told the name of, and sees nothing else.
  chmodSync(spec.runFolder, 0o711);
  chmodSync(files.changedFiles, 0o644);
  chownSync(files.output, switchTo.uid, switchTo.gid);
}

/** PULLYU_STATE_DIR. */
export function prepareStateFolder(folder: string, account: Account): void {
  makeFolder(dirname(folder));
  makeFolder(folder, 0o700);
  const { uid } = lstatSync(folder);
  if (uid !== account.uid) lchownSync(folder, account.uid, account.gid);
}
