/** Everything that a run ever started and that is still there. */
import { readdirSync, readFileSync } from 'node:fs';
import type { RunId } from '../model/ids.ts';
import { isAlive, type ProcessIdentity, processesMarked, readProcessStat } from '../system/processes.ts';
import { pidsInGroups, readGroups } from './control-groups.ts';
import { RUN_MARK } from './environment.ts';
import type { RunProcesses } from './run-files.ts';

/**
 * Three nets, because each has a hole: the mark in the environment (a process may start another with an empty one), the
 * sessions of shim and action (`setsid` leaves them), and descent (a double fork loses it). In a unit of its own there is a
 * fourth without a hole: the control group; and so in the groups that the file `groups` names. Neither the shim nor ourselves are among them.
 */
export function processesOfRun(
  id: RunId,
  known: RunProcesses,
  inUnit: boolean,
  groupsFile: string,
): ProcessIdentity[] {
  const found = new Map<number, ProcessIdentity>();
  const add = (process: ProcessIdentity) => found.set(process.pid, process);
  for (const marked of processesMarked(RUN_MARK, id)) add(marked);

  const roots = [known.shim, known.action].filter((root) => root !== null);
  const stats = listProcesses();
  // While a session has members its number is not given away, so a leader with another start time is a stranger.
  const sessions = new Set(roots.filter((root) => isOurs(root, stats)).map((root) => root.pid));
  const descent = new Set(roots.filter(isAlive).map((root) => root.pid));
  // A child may come before its parent in the list: until nothing more is found.
  for (let size = -1; size !== descent.size; ) {
    size = descent.size;
    for (const stat of stats.values()) if (descent.has(stat.parent)) descent.add(stat.pid);
  }
  const grouped = new Set(pidsInGroups(readGroups(groupsFile, id)));
  const unit = unitName(id);
  for (const stat of stats.values()) {
    if (
      sessions.has(stat.session) ||
      descent.has(stat.pid) ||
      grouped.has(stat.pid) ||
      (inUnit && isInUnit(stat.pid, unit))
    )
      add(stat);
  }

  if (known.shim !== null && found.get(known.shim.pid)?.startTime === known.shim.startTime)
    found.delete(known.shim.pid);
  found.delete(process.pid);
  return [...found.values()].map(({ pid, startTime }) => ({ pid, startTime }));
}

/** The systemd unit of a run. */
export function unitName(id: RunId): string {
  return `pullyu-run-${id}.service`;
}

type Stat = NonNullable<ReturnType<typeof readProcessStat>>;

function listProcesses(): Map<number, Stat> {
  const stats = new Map<number, Stat>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    const stat = Number.isInteger(pid) ? readProcessStat(pid) : null;
    if (stat !== null && stat.state !== 'Z' && stat.state !== 'X') stats.set(pid, stat);
  }
  return stats;
}

function isOurs(leader: ProcessIdentity, stats: ReadonlyMap<number, Stat>): boolean {
  const now = stats.get(leader.pid);
  return now === undefined || now.startTime === leader.startTime;
}

function isInUnit(pid: number, unit: string): boolean {
  try {
    // One line for each hierarchy; with the old kind of control groups only one of them is the service manager's.
    return readFileSync(`/proc/${pid}/cgroup`, 'latin1')
      .split('\n')
      .some((line) => line.split('/').includes(unit));
  } catch {
    return false;
  }
}
