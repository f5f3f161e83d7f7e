/** By which means the limits of a run are kept on this host. */
import { readFileOrNull } from '../system/files.ts';
import { findGroupHome, homeFacts, unitControllers } from './control-groups.ts';
import type { Launcher } from './launch.ts';
import { type DecidedLimits, limitWords } from './run-limits.ts';

export interface LimitMeans {
  /** Control groups with a limit of their own can be had: of a unit, or made by us. */
  readonly memory: boolean;
  readonly processes: boolean;
  /** The program; null: it is missing. */
  readonly prlimit: string | null;
  /** As root the number of processes of a user is not limited by the kernel. */
  readonly isRoot: boolean;
  /** More open files than this we cannot give; null: we can. */
  readonly filesMax: number | null;
}

export interface KeepPlan {
  /** By control groups; null: not. */
  readonly memory: number | null;
  readonly processes: number | null;
  /** Arguments of prlimit; empty: it is not needed. */
  readonly rlimits: readonly string[];
  readonly notKept: readonly (keyof DecidedLimits)[];
}

export function planLimits(limits: DecidedLimits, means: LimitMeans): KeepPlan {
  const notKept: (keyof DecidedLimits)[] = [];
  const rlimits: string[] = [];
  const { memory, processes, files } = limits;
  if (memory !== null && !means.memory) notKept.push('memory');
  if (processes !== null && !means.processes) {
    // It counts all processes of the user, so it is taken only where it was asked for.
    if (!means.isRoot && means.prlimit !== null && processes.askedBy === 'action') {
      rlimits.push(`--nproc=${processes.value}:${processes.value}`);
    } else notKept.push('processes');
  }
  if (files !== null) {
    const value = Math.min(files.value, means.filesMax ?? files.value);
    if (means.prlimit === null) notKept.push('files');
    else rlimits.push(`--nofile=${value}:${value}`);
  }
  return {
    memory: means.memory ? (memory?.value ?? null) : null,
    processes: means.processes ? (processes?.value ?? null) : null,
    rlimits,
    notKept,
  };
}

/** Why the run must be refused; null: it need not. */
export function refusalOf(limits: DecidedLimits, notKept: KeepPlan['notKept']): string | null {
  const asked = notKept.filter((key) => limits[key]?.askedBy === 'action');
  if (asked.length === 0) return null;
  return `its limits of ${limitWords(asked)} cannot be kept here: ${whatIsMissing(asked)}; \`none\` in its limits would run it without`;
}

/** For the note of a run that goes on without limits of host.yaml; null: nothing to say. The defaults are the doctor's matter. */
export function noteOf(limits: DecidedLimits, notKept: KeepPlan['notKept']): string | null {
  const said = notKept.filter((key) => limits[key]?.askedBy === 'host');
  if (said.length === 0) return null;
  return `without the limits of ${limitWords(said)} of host.yaml: ${whatIsMissing(said)}`;
}

function whatIsMissing(keys: KeepPlan['notKept']): string {
  const missing = [
    keys.some((key) => key !== 'files') ? 'no control groups that the agent can use' : null,
    keys.includes('files') ? 'the program prlimit (util-linux) is missing' : null,
  ];
  return missing.filter((part) => part !== null).join(', ');
}

/** @param launcher Of the runs. */
export function readLimitMeans(
  launcher: Launcher,
  o: { readonly isRoot: boolean; readonly isAgentRoot: boolean; readonly prlimit: string | null },
): LimitMeans {
  const home = launcher === 'direct' ? findGroupHome(homeFacts()) : null;
  const units = home === null ? unitControllers() : null;
  return {
    memory: units?.memory ?? home?.memory != null,
    processes: units?.processes ?? home?.processes != null,
    prlimit: o.prlimit,
    isRoot: o.isRoot,
    filesMax: o.isAgentRoot ? null : hardFiles(),
  };
}

function hardFiles(): number | null {
  const found = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileOrNull('/proc/self/limits') ?? '');
  return found === null ? null : Number(found[1]);
}
