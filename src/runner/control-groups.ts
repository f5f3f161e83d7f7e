/**
 * Control groups: one of its own for each run, in which the kernel counts and limits what the run and all its descendants use, and by
 * which every one of them is found. Their paths lie in the file `groups` of the run folder, which is written before they are made:
 * a crash anywhere leaves an empty group that `tidyRuns` finds and removes.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { totalmem } from 'node:os';
import { basename, join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { RunId } from '../model/ids.ts';
import { readFileOrNull } from '../system/files.ts';
import { type LimitsHit, type MachineSize, NOTHING_HIT } from './run-limits.ts';

/** Folders in which groups can be made; null: the controller cannot be had. With v2 both are the same. */
export interface GroupHome {
  readonly memory: string | null;
  readonly processes: string | null;
}

export interface HomeFacts {
  /** Where control groups are mounted. */
  readonly mount: string;
  /** /proc/self/cgroup. */
  readonly own: string;
  readonly systemdIsInit: boolean;
}

export const MOUNT = '/sys/fs/cgroup';

export function homeFacts(): HomeFacts {
  return {
    mount: MOUNT,
    own: readFileOrNull('/proc/self/cgroup') ?? '',
    systemdIsInit: existsSync('/run/systemd/system'),
  };
}

/**
 * Below our own group, so that limits which we live under ourselves go on to hold. With v2 a group that has processes cannot share out
 * controllers, unless it is the root: there (no systemd that owns it) the runs live in a group `pullyu` of the root.
 */
export function findGroupHome({ mount, own, systemdIsInit }: HomeFacts): GroupHome {
  const pathOf = pathsOf(own);
  if (!existsSync(join(mount, 'cgroup.controllers'))) {
    const v1 = (controller: string): string | null => {
      const path = pathOf(controller);
      if (path === undefined) return null;
      // In a container the mount may begin at our own group while the path is that of the machine.
      return [join(mount, controller, path), join(mount, controller)].find(isUsable) ?? null;
    };
    return { memory: v1('memory'), processes: v1('pids') };
  }
  const ours = join(mount, pathOf('') ?? '/');
  if (sharesOut(ours)) return { memory: ours, processes: ours };
  const isRoot = !existsSync(join(mount, 'cgroup.type'));
  if (!isRoot || systemdIsInit || !isUsable(mount)) return { memory: null, processes: null };
  // Made when it is first needed: `shareOut`.
  const group = join(mount, SHARED);
  return { memory: group, processes: group };
}

const SHARED = 'pullyu';

function shareOut(group: string): void {
  if (basename(group) !== SHARED || sharesOut(group)) return;
  attempt(() => {
    writeFileSync(join(group, '../cgroup.subtree_control'), '+memory +pids');
    mkdirSync(group, { recursive: true });
    writeFileSync(join(group, 'cgroup.subtree_control'), '+memory +pids');
  });
}

/** One in which we can make others. */
function isUsable(folder: string): boolean {
  return (
    existsSync(join(folder, 'cgroup.procs')) &&
    attempt(() => accessSync(folder, constants.W_OK | constants.X_OK))
  );
}

function sharesOut(folder: string): boolean {
  if (!isUsable(folder)) return false;
  const shared = (readFileOrNull(join(folder, 'cgroup.subtree_control')) ?? '').trim().split(' ');
  return shared.includes('memory') && shared.includes('pids');
}

/**
 * Can the service manager limit memory and processes of its units? With v1 it may lack a controller that is mounted all the same (in a
 * container): then what it has started, such as us, has no place of its own there.
 */
export function unitControllers({ mount, own }: HomeFacts = homeFacts()): {
  readonly memory: boolean;
  readonly processes: boolean;
} {
  const unified = readFileOrNull(join(mount, 'cgroup.controllers'));
  const path = pathsOf(own);
  const ours = path('name=systemd') ?? '';
  const has = (name: string) => {
    if (unified !== null) return unified.trim().split(' ').includes(name);
    const there = path(name) ?? '/';
    return there !== '/' && `${ours}/`.startsWith(`${there}/`);
  };
  return { memory: has('memory'), processes: has('pids') };
}

/** From /proc/self/cgroup: the path of a controller; '' is that of v2. */
function pathsOf(own: string): (controller: string) => string | undefined {
  const lines = own.split('\n').map((line) => line.split(':'));
  return (controller) =>
    lines
      .find(([, names]) => names?.split(',').includes(controller))
      ?.slice(2)
      .join(':');
}

export function machineSize(): MachineSize {
  const counts = ['pid_max', 'threads-max']
    .map((name) => Number(readFileOrNull(`/proc/sys/kernel/${name}`)))
    .filter((count) => count > 0);
  return { memoryBytes: totalmem(), processes: counts.length === 0 ? 32_768 : Math.min(...counts) };
}

export interface MadeGroups {
  readonly memory: boolean;
  readonly processes: boolean;
}

/**
 * Makes the groups of a run and sets their limits.
 * @param file The file `groups` of the run folder.
 * @returns what of it is in force. A group is made for processes without a limit too: by it they are found.
 */
export function makeGroups(
  id: RunId,
  file: string,
  limits: { readonly memory: number | null; readonly processes: number | null },
  home: GroupHome,
): MadeGroups {
  const name = `pullyu-run-${id}`;
  const wanted = [
    ...(home.memory === null || limits.memory === null ? [] : [join(home.memory, name)]),
    ...(home.processes === null ? [] : [join(home.processes, name)]),
  ];
  const groups = [...new Set(wanted)];
  if (groups.length === 0) return { memory: false, processes: false };
  writeFileSync(file, lines(groups), { mode: 0o600 });
  if (home.memory !== null) shareOut(home.memory);
  const made = groups.filter((group) => attempt(() => mkdirSync(group)));
  const set = (folder: string | null, names: readonly string[], value: number | null): boolean => {
    if (folder === null || value === null || !made.includes(join(folder, name))) return false;
    const existing = names.map((one) => join(folder, name, one)).find((path) => existsSync(path));
    return existing !== undefined && attempt(() => writeFileSync(existing, String(value)));
  };
  const memory = set(home.memory, ['memory.max', 'memory.limit_in_bytes'], limits.memory);
  const processes = set(home.processes, ['pids.max'], limits.processes);
  writeFileSync(file, lines(made), { mode: 0o600 });
  return { memory, processes };
}

const lines = (values: readonly string[]) => values.map((value) => `${value}\n`).join('');

function attempt(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    // Read-only, not ours, no room, or no such controller after all.
    if (errnoOf(error) !== null) return false;
    throw error;
  }
}

/** Of a run; none when it has none. Only what can be such a group: the file lies where scripts could write. */
export function readGroups(file: string, id: RunId): string[] {
  const owner = new Set([`pullyu-run-${id}`, `pullyu-run-${id}.service`]);
  return (readFileOrNull(file) ?? '')
    .split('\n')
    .filter((path) => path.startsWith(`${MOUNT}/`) && owner.has(basename(path)) && !path.includes('/../'));
}

/** Pids of everything in the groups. */
export function pidsInGroups(groups: readonly string[]): number[] {
  const pids = groups.flatMap((group) =>
    foldersBelow(group).flatMap((folder) =>
      (readFileOrSilence(join(folder, 'cgroup.procs')) ?? '').split('\n'),
    ),
  );
  return [...new Set(pids.filter((pid) => pid !== '').map(Number))].filter((pid) => pid > 0);
}

/** Ends everything in the groups at once, without a way out for what forks faster than we look. Nothing when they are gone. */
export function killGroups(groups: readonly string[]): void {
  for (const group of groups) {
    // v1: nobody can fork any more, so one round meets them all.
    attempt(() => writeExisting(join(group, 'pids.max'), '0'));
    attempt(() => writeExisting(join(group, 'cgroup.kill'), '1'));
  }
  for (const pid of pidsInGroups(groups)) {
    if (pid !== process.pid) attempt(() => process.kill(pid, 'SIGKILL'));
  }
}

/** @returns false while some are in use. */
export function removeGroups(groups: readonly string[]): boolean {
  return groups.every((group) =>
    foldersBelow(group)
      .reverse()
      .every((folder) => {
        try {
          rmdirSync(folder);
          return true;
        } catch (error) {
          return errnoOf(error) === 'ENOENT';
        }
      }),
  );
}

/** At its limit of processes at this moment: a fork bomb that its script left behind. */
export function isFull(groups: readonly string[]): boolean {
  return groups.some((group) => {
    const max = Number(readFileOrSilence(join(group, 'pids.max')));
    const current = Number(readFileOrSilence(join(group, 'pids.current')));
    return max > 0 && current >= max;
  });
}

/** From the shim's copy when there is one (a unit's groups are gone with it), else from the groups themselves. */
export function readLimitsHit(groups: readonly string[], copy: string): LimitsHit {
  const text =
    readFileOrSilence(copy) ??
    groups
      .flatMap((group) =>
        ['memory.events', 'memory.oom_control', 'pids.events'].map((name) =>
          (readFileOrSilence(join(group, name)) ?? '').replace(
            /^max /m,
            name === 'pids.events' ? 'forks ' : 'max ',
          ),
        ),
      )
      .join('\n');
  const count = (key: string) =>
    Math.max(0, ...Array.from(text.matchAll(new RegExp(`^${key} (\\d+)$`, 'gm')), ([, n]) => Number(n)));
  if (text === '') return NOTHING_HIT;
  return { outOfMemory: count('oom_kill'), outOfProcesses: count('forks') };
}

/** It and what somebody made in it, parents first. */
function foldersBelow(group: string): string[] {
  let names: string[];
  try {
    names = readdirSync(group, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
  return [group, ...names.flatMap((name) => foldersBelow(join(group, name)))];
}

function readFileOrSilence(file: string): string | null {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return null;
  }
}

function writeExisting(file: string, text: string): void {
  if (existsSync(file)) writeFileSync(file, text);
}
