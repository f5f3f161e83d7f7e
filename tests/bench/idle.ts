/** What a look costs when there is nothing to do. */
import { join } from 'node:path';
import { delay } from '../../src/system/clock.ts';
import { type Child, startChild } from '../support/child.ts';
import { until } from '../support/until.ts';
import { type Cost, cpuOfProcess, measureCommand, memoryOfProcess } from './measure.ts';
import { REMOTE_NAMES, type RemoteName } from './remotes.ts';
import type { Scene } from './scene.ts';

export const COMMANDS = ['node', 'lsRemote', 'oneShot', 'shellLoop', 'ansiblePull'] as const;
export type Command = (typeof COMMANDS)[number];

export type CommandCosts = Readonly<Record<RemoteName, Readonly<Record<Command, readonly Cost[]>>>>;

/** Programs that start, look and end, in turns. */
export async function measureCommands(
  scene: Scene,
  o: { readonly rounds: number; readonly ansibleRounds: number; readonly say: (text: string) => void },
): Promise<CommandCosts> {
  const costs = Object.fromEntries(
    REMOTE_NAMES.map((name) => [
      name,
      Object.fromEntries(COMMANDS.map((command) => [command, [] as Cost[]])),
    ]),
  ) as Record<RemoteName, Record<Command, Cost[]>>;
  for (let round = 0; round < o.rounds; round += 1) {
    o.say(`idle looks of programs, round ${round + 1} of ${o.rounds}`);
    for (const name of REMOTE_NAMES) {
      const { lsRemote, shellLoop, ansiblePull, host } = scene.remotes[name];
      const argvs: Record<Command, readonly string[] | null> = {
        node: ['node', '-e', '0'],
        lsRemote,
        oneShot: host.argv('look'),
        shellLoop,
        // Its first one clones.
        ansiblePull: round < o.ansibleRounds ? ansiblePull : null,
      };
      // Each has each place in the order once in a while.
      const order = COMMANDS.map((_, n) => COMMANDS[(n + round) % COMMANDS.length]!);
      for (const command of order) {
        const argv = argvs[command];
        if (argv === null) continue;
        costs[name][command].push(await measureCommand(argv, { env: scene.env }));
      }
    }
  }
  return costs;
}

export interface DaemonCosts {
  /** By window, milliseconds of CPU: one look of the daemon, one bare request, one pass of the shell loop. The small remote. */
  readonly beside: { readonly look: number[]; readonly bare: number[]; readonly shellLoop: number[] };
  /** By window, of one look, of the daemons of all remotes at the same time. */
  readonly look: Readonly<Record<RemoteName, readonly number[]>>;
  /** Resident memory of a Node that does nothing but count. */
  readonly floorMb: number;
  readonly memoryMb: Readonly<Record<RemoteName, number>>;
  /** How many looks were counted. */
  readonly looks: number;
}

export interface DaemonOptions {
  readonly checkout: string;
  readonly windows: number;
  readonly windowMs: number;
  /** So many looks first: a daemon is an old program, and V8 compiles what was often called. */
  readonly warmLooks: number;
  readonly say: (text: string) => void;
}

/** A long-lived process of which the server counts the requests. */
interface Counted {
  readonly pid: number;
  readonly output: () => string;
  readonly requests: () => number;
}

const BESIDE_INTERVAL_MS = 50;
const ALL_INTERVAL_MS = 100;
const PASSES = 5;

export async function measureDaemons(scene: Scene, o: DaemonOptions): Promise<DaemonCosts> {
  const beside = await measureBeside(scene, o);
  return { beside, ...(await measureAll(scene, o)) };
}

/** The daemon and a bare client at the same interval, while the shell loop makes its passes. */
async function measureBeside(scene: Scene, o: DaemonOptions): Promise<DaemonCosts['beside']> {
  const { url, path, shellLoop } = scene.remotes.small;
  const costs: DaemonCosts['beside'] = { look: [], bare: [], shellLoop: [] };
  await using children = createChildren(scene);
  const daemon = children.startDaemon('small', BESIDE_INTERVAL_MS);
  const script = join(o.checkout, 'tests/bench/bare-request.mjs');
  const bare: Counted = {
    ...children.start(['node', script, url, String(BESIDE_INTERVAL_MS)]),
    requests: () => scene.server.requests(path, 'bare'),
  };
  await Promise.all([untilWarm(daemon, o.warmLooks), untilWarm(bare, o.warmLooks)]);
  for (let window = 0; window < o.windows; window += 1) {
    o.say(`a daemon beside the shell loop, window ${window + 1} of ${o.windows}`);
    const ends = [daemon, bare].map(openWindow);
    let passesMs = 0;
    for (let pass = 0; pass < PASSES; pass += 1) {
      await delay(o.windowMs / PASSES);
      passesMs += (await measureCommand(shellLoop, { env: scene.env })).cpuMs;
    }
    costs.shellLoop.push(passesMs / PASSES);
    costs.look.push(ends[0]!().cpuMs);
    costs.bare.push(ends[1]!().cpuMs);
  }
  return costs;
}

async function measureAll(scene: Scene, o: DaemonOptions): Promise<Omit<DaemonCosts, 'beside'>> {
  await using children = createChildren(scene);
  const floor = children.start(['node', '-e', `let n=0;setInterval(()=>{n+=1},${ALL_INTERVAL_MS})`]);
  const daemons = REMOTE_NAMES.map((name) => ({
    name,
    costs: [] as number[],
    ...children.startDaemon(name, ALL_INTERVAL_MS),
  }));
  await Promise.all(daemons.map((daemon) => untilWarm(daemon, o.warmLooks)));
  let looks = 0;
  for (let window = 0; window < o.windows; window += 1) {
    o.say(`daemons of all repositories, window ${window + 1} of ${o.windows}`);
    const ends = daemons.map(openWindow);
    await delay(o.windowMs);
    daemons.forEach(({ costs }, n) => {
      const { cpuMs, requests } = ends[n]!();
      costs.push(cpuMs);
      looks += requests;
    });
  }
  const of = <T>(pick: (daemon: (typeof daemons)[number]) => T) =>
    Object.fromEntries(daemons.map((daemon) => [daemon.name, pick(daemon)])) as Record<RemoteName, T>;
  return {
    look: of(({ costs }) => costs),
    floorMb: memoryOfProcess(floor.pid),
    memoryMb: of(({ pid }) => memoryOfProcess(pid)),
    looks,
  };
}

/** @returns what ends the window, and says what one request cost. */
function openWindow({ pid, requests }: Counted): () => { cpuMs: number; requests: number } {
  const before = { cpu: cpuOfProcess(pid), requests: requests() };
  return () => {
    const made = requests() - before.requests;
    return { cpuMs: (cpuOfProcess(pid) - before.cpu) / made, requests: made };
  };
}

async function untilWarm({ requests, output }: Counted, looks: number): Promise<void> {
  const before = requests();
  await until(() => requests() >= before + looks, {
    what: `${looks} requests`,
    found: output,
    timeoutMs: 300_000,
    everyMs: 200,
  });
}

/** All of them end when the block does. */
function createChildren(scene: Scene) {
  const children: Child[] = [];
  const start = (argv: readonly [string, ...string[]]) => {
    const child = startChild(argv, { env: { ...scene.env } });
    children.push(child);
    return child;
  };
  return {
    start,
    startDaemon(name: RemoteName, intervalMs: number): Counted {
      const { host, path } = scene.remotes[name];
      host.configure(`${intervalMs}ms`);
      const child = host.start();
      children.push(child);
      return {
        pid: child.pid,
        output: child.output,
        requests: () => scene.server.requests(path, 'git/pullyu'),
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(children.map((child) => child.close()));
    },
  };
}
