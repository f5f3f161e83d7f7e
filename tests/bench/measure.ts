/** What something costs: processor time of a whole process tree, wall time, memory. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface Cost {
  /** User and system time of the program and of all that it started and waited for, milliseconds. */
  readonly cpuMs: number;
  readonly wallMs: number;
}

export interface CommandOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/** bash's `time` asks the kernel for the children's time in microseconds; what it starts itself is one fork. */
const TIMED = `TIMEFORMAT='%R %U %S'; exec 3>&1 4>&2; time "$@" >/dev/null 2>&4`;

/** @throws Error when the command fails: what was measured then is not what was meant. */
export function measureCommand(argv: readonly string[], o: CommandOptions): Promise<Cost> {
  return new Promise((resolve, reject) => {
    execFile(
      '/bin/bash',
      ['-c', TIMED, 'bash', ...argv],
      { env: o.env, cwd: o.cwd, timeout: o.timeoutMs ?? 120_000, maxBuffer: 16 * 1024 * 1024 },
      (error, _, stderr) => {
        const [line = ''] = stderr.trim().split('\n').slice(-1);
        const [real, user, system] = line.split(' ').map(Number);
        if (error || system === undefined || Number.isNaN(system))
          return reject(new Error(`"${argv.join(' ')}" failed: ${stderr.slice(-2_000)}`, { cause: error }));
        resolve({ cpuMs: (user! + system) * 1000, wallMs: real! * 1000 });
      },
    );
  });
}

/** Of a living process, all its threads and its ended children, milliseconds. */
export function cpuOfProcess(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => {
    // Nanoseconds; /proc/PID/stat counts in hundredths of a second.
    const [ran] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ');
    return Number(ran) / 1e6;
  });
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const children = (Number(fields[13]) + Number(fields[14])) * 10;
  return threads.reduce((sum, one) => sum + one, children);
}

/** Resident memory, MB of 2^20 bytes. */
export function memoryOfProcess(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Of things that were measured in turns: how many times `of` is as large as `to`. Each round is compared with itself, so a neighbour
 * on the machine who disturbs one round disturbs both sides of it.
 */
export function ratio(of: readonly number[], to: readonly number[]): number {
  return median(of.map((value, n) => value / to[n]!));
}
