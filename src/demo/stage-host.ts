/** One host of the demo: a root of its own on this machine, and everything that runs for it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { delay } from '../system/clock.ts';
import { type ExecResult, exec } from '../system/exec.ts';
import { processesMarked, signalProcess } from '../system/processes.ts';
import { type Agent, startAgent } from './agent.ts';

export interface StageHost {
  readonly name: string;
  /** PULLYU_ROOT. */
  readonly root: string;
  readonly hostFile: string;
  /** Runs `pullyu ARGS` for the host, to its end. A non-zero exit is a result. */
  pullyu(...args: string[]): Promise<ExecResult>;
  startAgent(): Agent;
  /** The agent when it was started: what it said belongs into a report of failure. */
  agent(): Agent | null;
  /** As when its power is cut: whatever runs on it is gone at once. */
  die(): Promise<void>;
  close(): Promise<void>;
}

export interface StageHostOptions {
  readonly name: string;
  readonly root: string;
  /** The program and its first arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** From TERM to KILL for what is ended. */
const GRACE_MS = 3_000;

export function createStageHost(o: StageHostOptions): StageHost {
  const { root } = o;
  mkdirSync(root, { recursive: true });
  const env = { ...o.env, PULLYU_ROOT: root };
  let agent: Agent | null = null;
  return {
    name: o.name,
    root,
    hostFile: join(root, 'etc/pullyu/host.yaml'),
    pullyu: (...args) =>
      exec([...o.command, ...args], { cwd: o.cwd, env, timeoutMs: o.timeoutMs, signal: o.signal }),
    startAgent: () => {
      agent = startAgent([...o.command, 'agent'], env, o.cwd);
      return agent;
    },
    agent: () => agent,
    async die() {
      agent?.onLine(() => {});
      await endMarked(root, 0);
    },
    async close() {
      await agent?.close();
      await endMarked(root);
    },
  };
}

/** The shop, runs, the agent: whatever was started for this host carries its root in its environment. */
export async function endMarked(root: string, graceMs = GRACE_MS): Promise<void> {
  const started = Date.now();
  const termed = new Set<number>();
  for (;;) {
    const living = processesMarked('PULLYU_ROOT', root);
    if (living.length === 0) return;
    const since = Date.now() - started;
    if (since > graceMs + GRACE_MS) return; // Hangs in the kernel: nobody can end it.
    for (const one of living) {
      if (since >= graceMs) signalProcess(one, 'SIGKILL');
      else if (!termed.has(one.pid)) signalProcess(one, 'SIGTERM');
      termed.add(one.pid);
    }
    await delay(20);
  }
}
