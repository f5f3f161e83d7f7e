/** Other processes, as /proc shows them. */
import { readdirSync, readFileSync } from 'node:fs';

/** A process for certain: a pid alone may be reused, with its start time it may not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot at which it was started (field 22 of /proc/PID/stat). */
  readonly startTime: string;
}

interface ProcessStat extends ProcessIdentity {
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
}

/** null when there is no such process (any more). */
export function readProcessStat(pid: number): ProcessStat | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null;
  }
  // The name (field 2) is in parentheses and may itself hold parentheses and spaces.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    pid,
    state: fields[0]!,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTime: fields[19]!,
  };
}

export function processIdentity(pid: number): ProcessIdentity | null {
  const stat = readProcessStat(pid);
  return stat && { pid, startTime: stat.startTime };
}

/** Is this very process (not another with its pid) alive? A zombie is not. */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = readProcessStat(identity.pid);
  return stat !== null && stat.startTime === identity.startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/** Every process whose environment at its start held `NAME=value`: a mark that children inherit, also those that left our group. */
export function processesMarked(name: string, value: string): ProcessIdentity[] {
  const mark = Buffer.from(`${name}=${value}\0`);
  const found: ProcessIdentity[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const environment = readFileSync(`/proc/${pid}/environ`);
      const at = environment.indexOf(mark);
      if (at === -1 || (at > 0 && environment[at - 1] !== 0)) continue;
    } catch {
      continue; // Gone, or somebody else's.
    }
    const stat = readProcessStat(pid);
    if (stat && stat.state !== 'Z') found.push({ pid, startTime: stat.startTime });
  }
  return found;
}

/** Sends a signal to that very process; false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false;
  }
}
