/** A control group with a limit of memory, as a small machine or a service has it: version 1 or 2, whichever this machine mounts. Needs root. */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processIdentity, signalProcess } from '../../src/system/processes.ts';
import { until } from './until.ts';

export interface MemoryGroup extends AsyncDisposable {
  /** For a shell: the process and what it starts belong to the group. */
  readonly join: string;
  setLimit(megabytes: number): void;
  /** How often the kernel killed somebody in there. */
  kills(): number;
  /** The most that was in use at once, in megabytes. */
  peak(): number;
}

const MB = 1024 * 1024;
const V1 = '/sys/fs/cgroup/memory';
const V2 = '/sys/fs/cgroup';

/** What is missing for it, by name; empty when groups can be made. */
export function missingForMemoryGroups(): string[] {
  if (process.getuid?.() !== 0) return ['root rights'];
  try {
    const folder = join(base(), `pullyu-ask-${process.pid}`);
    mkdirSync(folder);
    rmdirSync(folder);
    return [];
  } catch {
    return ['a memory controller of control groups'];
  }
}

/** Ends what is left in it when it is disposed of. */
export function createMemoryGroup(megabytes: number): MemoryGroup {
  const isV2 = base() === V2;
  const folder = join(base(), `pullyu-test-${process.pid}-${Date.now()}`);
  mkdirSync(folder);
  const file = (name: string) => join(folder, name);
  const number = (text: string, key: RegExp) => Number(key.exec(text)?.[1] ?? 0);
  const members = () => readFileSync(file('cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  const setLimit = (limit: number) => {
    writeFileSync(file(isV2 ? 'memory.max' : 'memory.limit_in_bytes'), String(limit * MB));
    if (isV2) writeFileSync(file('memory.swap.max'), '0');
  };
  setLimit(megabytes);
  return {
    join: `echo $$ > ${file('cgroup.procs')}`,
    setLimit,
    kills: () =>
      number(readFileSync(file(isV2 ? 'memory.events' : 'memory.oom_control'), 'utf8'), /^oom_kill (\d+)$/m),
    peak: () => Number(readFileSync(file(isV2 ? 'memory.peak' : 'memory.max_usage_in_bytes'), 'utf8')) / MB,
    async [Symbol.asyncDispose]() {
      await until(() => {
        for (const pid of members()) {
          const identity = processIdentity(pid);
          if (identity) signalProcess(identity, 'SIGKILL');
        }
        return members().length === 0;
      });
      rmdirSync(folder);
    },
  };
}

function base(): string {
  const names = readdirSync(V2);
  if (names.includes('cgroup.controllers')) {
    if (readFileSync(join(V2, 'cgroup.subtree_control'), 'utf8').includes('memory')) return V2;
    writeFileSync(join(V2, 'cgroup.subtree_control'), '+memory');
    return V2;
  }
  return V1;
}
