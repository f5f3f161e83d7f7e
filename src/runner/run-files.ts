/** The folder of one run: what lies in it, who writes it, and how it is read after any crash. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { RunId } from '../model/ids.ts';
import { makeFolder, readFileOrNull } from '../system/files.ts';
import type { ProcessIdentity } from '../system/processes.ts';
import type { LimitsInForce } from './run-limits.ts';
import type { EndReason } from './spec.ts';

export interface RunFiles {
  /** What a later agent must know: `RunFile`. By startRun, before anything runs. */
  readonly spec: string;
  /** PULLYU_CHANGED_FILES: one path a line. */
  readonly changedFiles: string;
  /** Standard output and standard error together, appended; kept within its limit by the watching agent. */
  readonly output: string;
  /** By the shim: see shim.sh. */
  readonly process: string;
  readonly result: string;
  readonly resultRoom: string;
  /** Why the agent is ending the run; made before the first signal, so that a later agent knows the reason too. */
  readonly ending: string;
  /** The control groups of the run, a path a line; see control-groups.ts. */
  readonly groups: string;
  /** By the shim when the action has ended: what the kernel counted in them, lines `oom_kill N` and `forks N`. */
  readonly limitsHit: string;
  /** Only when a service manager starts the shim: its environment, removed at once. */
  readonly environment: string;
}

export function runFiles(folder: string): RunFiles {
  return {
    spec: join(folder, 'spec.json'),
    changedFiles: join(folder, 'changed-files'),
    output: join(folder, 'output.log'),
    process: join(folder, 'process'),
    result: join(folder, 'result'),
    resultRoom: join(folder, 'result.tmp'),
    ending: join(folder, 'ending'),
    groups: join(folder, 'groups'),
    limitsHit: join(folder, 'limits-hit'),
    environment: join(folder, 'environment'),
  };
}

/** spec.json. */
export interface RunFile {
  readonly version: 1;
  readonly id: RunId;
  readonly repo: string;
  readonly action: string;
  readonly commit: string;
  readonly argv: readonly string[];
  readonly tree: string;
  readonly user: string | null;
  readonly bootId: string;
  /** On the monotonic clock of that boot, milliseconds: where the deadline counts from. */
  readonly startedMonotonicMs: number;
  readonly timeoutMs: number;
  readonly launcher: 'direct' | 'systemd';
  /** Absent in the file of an older version. */
  readonly limits?: LimitsInForce;
}

/** null when it is missing or torn. */
export function readRunFile(file: string): RunFile | null {
  try {
    const value = JSON.parse(readFileOrNull(file) ?? 'null') as RunFile | null;
    return value?.version === 1 && typeof value.startedMonotonicMs === 'number' ? value : null;
  } catch {
    return null;
  }
}

export interface RunProcesses {
  readonly shim: ProcessIdentity | null;
  /** null as long as the command has not been executed. */
  readonly action: ProcessIdentity | null;
}

/** null when nobody has decided yet whether the run begins. Lines that are not whole yet do not count. */
export function readRunProcesses(file: string): RunProcesses | null {
  const text = readFileOrNull(file);
  if (text === null) return null;
  const identity = (role: string): ProcessIdentity | null => {
    const line = new RegExp(`^${role} (\\d+) (\\d+)\\n`, 'm').exec(text);
    return line === null ? null : { pid: Number(line[1]), startTime: line[2]! };
  };
  return { shim: identity('shim'), action: identity('action') };
}

/**
 * To be called before the intent is written to the journal: then a folder that is missing later was removed by somebody, and
 * one that is empty tells that nothing was begun. Without an intent it is only an empty folder, which `tidyRuns` removes.
 */
export function reserveRunFolder(folder: string): void {
  makeFolder(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

/**
 * Makes sure that a shim which is still on its way will not begin.
 * @returns false when it has begun.
 */
export function claimNeverBegan(file: string): boolean {
  try {
    const fd = openSync(file, 'wx', 0o600);
    writeSync(fd, 'never\n');
    closeSync(fd);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return readFileOrNull(file) === 'never\n';
    // Without a folder no shim can begin any more; whether one did, nobody can tell.
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** As long as any exit code line, in spaces: written before, so that the blocks are there when the disk is full. */
export const RESULT_ROOM = ' '.repeat(64);

/** The exit code as the shim's shell saw it (128 + N for signal N); null when there is none. */
export function readExitCode(file: string): number | null {
  const line = /^exit (\d{1,3})\n/.exec(readFileOrNull(file) ?? '');
  return line === null ? null : Number(line[1]);
}

export function readEnding(file: string): EndReason | null {
  const text = readFileOrNull(file)?.trim();
  return text === 'timed-out' || text === 'superseded' ? text : null;
}
