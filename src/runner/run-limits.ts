/** Which limits a run gets, and what its note says when it met one. Pure. */
import type { Amount, RunLimits } from '../model/action.ts';
import type { RunResult } from '../model/run.ts';

/** Where a limit comes from: only one that the action itself asks for is worth refusing a run. */
export type AskedBy = 'action' | 'host' | 'default';

export interface RunLimit {
  /** Bytes, processes or files. */
  readonly value: number;
  readonly askedBy: AskedBy;
}

/** null: no limit. */
export type DecidedLimits = Readonly<Record<keyof RunLimits, RunLimit | null>>;

/** What shares are shares of. */
export interface MachineSize {
  readonly memoryBytes: number;
  readonly processes: number;
}

export interface LimitSources {
  readonly action?: RunLimits | undefined;
  readonly host?: RunLimits | undefined;
  readonly default: Required<RunLimits>;
}

export function decideRunLimits(from: LimitSources, machine: MachineSize): DecidedLimits {
  const decide = (key: keyof RunLimits, whole: number): RunLimit | null => {
    for (const askedBy of ['action', 'host', 'default'] as const) {
      const amount = from[askedBy]?.[key];
      if (amount === undefined) continue;
      return amount === null ? null : { value: Math.max(1, amountOf(amount, whole)), askedBy };
    }
    return null;
  };
  return {
    memory: decide('memory', machine.memoryBytes),
    processes: decide('processes', machine.processes),
    files: decide('files', 0),
  };
}

function amountOf(amount: Amount, whole: number): number {
  return typeof amount === 'number' ? amount : Math.floor((whole * Number.parseInt(amount, 10)) / 100);
}

/** What the kernel counted while the run went on. */
export interface LimitsHit {
  /** Processes that it ended for want of memory. */
  readonly outOfMemory: number;
  /** Times that it refused another process. */
  readonly outOfProcesses: number;
}

export const NOTHING_HIT: LimitsHit = { outOfMemory: 0, outOfProcesses: 0 };

/** The limits in force, for the words; null: not set by us. */
export interface LimitsInForce {
  readonly memory: number | null;
  readonly processes: number | null;
  /** A sentence about limits of host.yaml that this host cannot keep; null: there are none. */
  readonly notKept: string | null;
}

export const NO_LIMITS: LimitsInForce = { memory: null, processes: null, notKept: null };

/** The same result with a note that names the limits which it met. */
export function withLimitsHit(result: RunResult, hit: LimitsHit, limits: LimitsInForce): RunResult {
  const notes: string[] = [];
  if (hit.outOfMemory > 0) {
    const which = `its memory limit${limits.memory === null ? '' : ` of ${formatSize(limits.memory)}`}`;
    const itself = result.signal === 'SIGKILL' || result.interruption === 'killed';
    notes.push(itself ? `killed by ${which}` : `some of its processes were killed by ${which}`);
  }
  if (hit.outOfProcesses > 0) {
    const which =
      limits.processes === null ? 'its limit of processes' : `its limit of ${limits.processes} processes`;
    notes.push(`could start no more processes, by ${which}`);
  }
  if (limits.notKept !== null) notes.push(limits.notKept);
  return withNotes(
    result,
    notes,
    hit.outOfMemory > 0 ? ['ended by SIGKILL', result.interruption === 'killed' ? result.note : null] : [],
  );
}

/** `64 MiB`. */
function formatSize(bytes: number): string {
  const unit = ['GiB', 'MiB', 'KiB'].findIndex((_, n) => bytes >= 1024 ** (3 - n));
  if (unit === -1) return `${bytes} B`;
  const value = bytes / 1024 ** (3 - unit);
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${['GiB', 'MiB', 'KiB'][unit]}`;
}

/** @param instead Notes that say less than the new ones. */
function withNotes(
  result: RunResult,
  notes: readonly string[],
  instead: readonly (string | null)[] = [],
): RunResult {
  if (notes.length === 0) return result;
  const own = result.note === null || instead.includes(result.note) ? [] : [result.note];
  return { ...result, note: [...own, ...notes].join('; ') };
}

const WORDS = { memory: 'memory', processes: 'processes', files: 'open files' } as const;

/** `memory and processes`. */
export function limitWords(keys: readonly (keyof RunLimits)[]): string {
  const words = keys.map((key) => WORDS[key]);
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
