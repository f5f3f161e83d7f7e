/** Server programs of tests: started in a group of their own, ended for certain, and no other process is ever touched. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, connect as openSocket } from 'node:net';
import { delay } from '../../src/system/clock.ts';
import { isAlive, type ProcessIdentity, readProcessStat, signalProcess } from '../../src/system/processes.ts';
import { findProgram } from './needs.ts';
import { until } from './until.ts';

const OUTPUT_KEPT = 64 * 1024;

export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** The end of what it printed, stdout and stderr together. */
  output(): string;
  readonly ended: Promise<{ exitCode: number | null; signal: NodeJS.Signals | null }>;
  isRunning(): boolean;
  kill(signal: NodeJS.Signals): void;
  /** TERM, then KILL, to it, its group and its descendants; resolves when all are gone. */
  close(): Promise<void>;
}

/** Starts a program that stays in the foreground. Should this test process die, it gets a TERM from the kernel. */
export function startChild(
  argv: readonly [string, ...string[]],
  options: { readonly env?: Record<string, string>; readonly cwd?: string } = {},
): Child {
  const guard = findProgram('setpriv');
  const [file, ...args] = guard ? [guard, '--pdeathsig', 'TERM', '--', ...argv] : argv;
  const child = spawn(file!, args, {
    cwd: options.cwd,
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C.UTF-8', ...options.env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_KEPT);
    });
  let running = true;
  const ended = new Promise<{ exitCode: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('error', (error) => {
      running = false;
      output += `\n${error.message}`;
      resolve({ exitCode: null, signal: null });
    });
    child.on('exit', (exitCode, signal) => {
      running = false;
      resolve({ exitCode, signal });
    });
  });
  const pid = child.pid ?? 0;
  const drained = Promise.all(
    [child.stdout, child.stderr].map((stream) => new Promise((resolve) => stream.once('close', resolve))),
  );
  const close = async () => {
    if (pid === 0) return;
    // Servers such as sshd give each connection a session of its own: ask for descendants before the parent is gone.
    const outside = descendants(pid);
    const living = () => [...groupMembers(pid), ...outside.filter(isAlive)];
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      for (const member of living()) signalProcess(member, signal);
      const deadline = Date.now() + 3_000;
      while (living().length > 0 && Date.now() < deadline) await delay(5);
      if (living().length === 0) break;
    }
    // Its last words may still be in the pipes; a daemon that it left outside may hold these open for ever.
    await Promise.race([drained, delay(500)]);
    child.stdout.destroy();
    child.stderr.destroy();
    await ended;
  };
  return {
    pid,
    output: () => output,
    ended,
    isRunning: () => running,
    kill: (signal) => void child.kill(signal),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Living members of a process group; a zombie is not living. */
export function groupMembers(group: number): ProcessIdentity[] {
  return allProcesses().filter((stat) => stat.group === group && stat.state !== 'Z' && stat.state !== 'X');
}

/** Children, their children, and so on, as long as the chain of parents is unbroken. */
export function descendants(pid: number): ProcessIdentity[] {
  const all = allProcesses();
  const found: ProcessIdentity[] = [];
  for (let parents = [pid]; parents.length > 0; ) {
    const children = all.filter(({ parent }) => parents.includes(parent));
    found.push(...children);
    parents = children.map((child) => child.pid);
  }
  return found;
}

function allProcesses() {
  return readdirSync('/proc').flatMap((name) =>
    /^\d+$/.test(name) ? (readProcessStat(Number(name)) ?? []) : [],
  );
}

/** A port of the loopback that was free a moment ago: for programs that cannot take port 0. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
  return address.port;
}

/** Waits until somebody accepts on the port, or fails with what the child said when it ended before that. */
export async function untilListening(child: Child, port: number, host = '127.0.0.1'): Promise<void> {
  await until(
    () => {
      if (!child.isRunning()) return 'ended';
      return new Promise<string | false>((resolve) => {
        const socket = openSocket({ port, host });
        const say = (value: string | false) => {
          socket.destroy();
          resolve(value);
        };
        socket.once('connect', () => say('open'));
        socket.once('error', () => say(false));
      });
    },
    { what: `a server on port ${port}`, found: () => child.output(), everyMs: 10 },
  );
  if (!child.isRunning()) throw new Error(`the server ended at once: ${child.output()}`);
}
