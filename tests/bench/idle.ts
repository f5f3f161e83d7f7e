/** What a look costs when there is nothing to do. */
import { join } from 'node:path';
import { delay } from '../../src/system/clock.ts';
import { type Child, startChild } from '../support/child.ts';
import { until } from '../support/until.ts';
import type { BenchHost } from './bench-host.ts';
import { type Cost, cpuOfProcess, measureCommand, memoryOfProcess } from './measure.ts';
import { REMOTE_NAMES, type RemoteName } from './remotes.ts';
import type { Scene } from './scene.ts';

export const COMMANDS = ['node', 'lsRemote', 'oneShot', 'shellLoop', 'ansiblePull'] as const;
export type Command = (typeof COMMANDS)[number];

export type CommandCosts = Readonly<Record<RemoteName, Readonly<Record<Command, readonly Cost[]>>>>;

export interface CommandOptions {
  readonly rounds: number;
  readonly ansibleRounds: number;
  readonly say: (text: string) => void;
}

/** Programs that start, look and end, in turns. */
export async function measureCommands(scene: Scene, o: CommandOptions): Promise<CommandCosts> {
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

/** Milliseconds of CPU for one look, by window. */
export interface DaemonCosts {
  /** Of the small remote, at the same time: the daemon, a bare request, one pass of the shell loop. */
  readonly beside: BesideCosts;
  /** Of the daemons of all remotes, in turns. */
  readonly look: Readonly<Record<RemoteName, readonly number[]>>;
  /** Resident memory of a Node that does nothing but count. */
  readonly floorMb: number;
  readonly memoryMb: Readonly<Record<RemoteName, number>>;
}

interface BesideCosts {
  readonly look: number[];
  readonly bare: number[];
  readonly shellLoop: number[];
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
  readonly child: Child;
  readonly requests: () => number;
}

/** The shortest that there is: more looks in less time. */
const INTERVAL_MS = 50;
const PASSES = 5;
const SETTLE_MS = 300;

/** The daemon and a bare client at the same interval. They are started early, to grow old while others are measured. */
export function startBeside(scene: Scene, o: DaemonOptions) {
  const { url, path, shellLoop } = scene.remotes.small;
  const children = createChildren(scene);
  const daemon = children.startDaemon(scene.besideHost, path);
  const script = join(o.checkout, 'tests/bench/bare-request.mjs');
  const bare: Counted = {
    child: children.start(['node', script, url, String(INTERVAL_MS)]),
    requests: () => scene.server.requests(path, 'bare'),
  };
  return {
    [Symbol.asyncDispose]: children[Symbol.asyncDispose],
    /** While the shell loop makes its passes. */
    async measure(): Promise<BesideCosts> {
      await Promise.all([untilWarm(daemon, o.warmLooks), untilWarm(bare, o.warmLooks)]);
      const costs: BesideCosts = { look: [], bare: [], shellLoop: [] };
      for (let window = 0; window < o.windows; window += 1) {
        o.say(`a daemon beside the shell loop, window ${window + 1} of ${o.windows}`);
        const endLooks = openWindow(daemon);
        const endBare = openWindow(bare);
        let passesMs = 0;
        for (let pass = 0; pass < PASSES; pass += 1) {
          await delay(o.windowMs / PASSES);
          passesMs += (await measureCommand(shellLoop, { env: scene.env })).cpuMs;
        }
        costs.shellLoop.push(passesMs / PASSES);
        costs.look.push(endLooks());
        costs.bare.push(endBare());
      }
      return costs;
    },
  };
}

/** The daemons of all remotes: in turns, each alone, because where their looks meet they disturb each other. */
export async function measureDaemons(scene: Scene, o: DaemonOptions): Promise<Omit<DaemonCosts, 'beside'>> {
  await using children = createChildren(scene);
  const floor = children.start(['node', '-e', `let n=0;setInterval(()=>{n+=1},${INTERVAL_MS})`]);
  const daemons = REMOTE_NAMES.map((name) => {
    const { host, path } = scene.remotes[name];
    return { name, costs: [] as number[], ...children.startDaemon(host, path) };
  });
  await Promise.all(daemons.map((daemon) => untilWarm(daemon, o.warmLooks / 4)));
  for (const { child } of daemons) child.kill('SIGSTOP');
  for (let window = 0; window < o.windows; window += 1) {
    o.say(`daemons of all repositories in turns, window ${window + 1} of ${o.windows}`);
    for (let turn = 0; turn < daemons.length; turn += 1) {
      const daemon = daemons[(turn + window) % daemons.length]!;
      daemon.child.kill('SIGCONT');
      await delay(SETTLE_MS);
      const end = openWindow(daemon);
      await delay(o.windowMs / 2);
      daemon.costs.push(end());
      daemon.child.kill('SIGSTOP');
    }
  }
  const of = <T>(pick: (daemon: (typeof daemons)[number]) => T) =>
    Object.fromEntries(daemons.map((daemon) => [daemon.name, pick(daemon)])) as Record<RemoteName, T>;
  return {
    look: of(({ costs }) => costs),
    floorMb: memoryOfProcess(floor.pid),
    memoryMb: of(({ child }) => memoryOfProcess(child.pid)),
  };
}

/** @returns what ends the window, and says what one request cost. */
function openWindow({ child, requests }: Counted): () => number {
  const before = { cpu: cpuOfProcess(child.pid), requests: requests() };
  return () => (cpuOfProcess(child.pid) - before.cpu) / (requests() - before.requests);
}

async function untilWarm({ child, requests }: Counted, looks: number): Promise<void> {
  await until(() => requests() >= looks || !child.isRunning(), {
    what: `${looks} requests`,
    found: child.output,
    timeoutMs: 300_000,
    everyMs: 1_000,
  });
  if (!child.isRunning()) throw new Error(`it ended: ${child.output()}`);
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
    startDaemon(host: BenchHost, path: string): Counted {
      host.configure(`${INTERVAL_MS}ms`);
      const child = host.start();
      children.push(child);
      const before = scene.server.requests(path, OUR_AGENT);
      return { child, requests: () => scene.server.requests(path, OUR_AGENT) - before };
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill('SIGCONT');
      await Promise.all(children.map((child) => child.close()));
    },
  };
}

const OUR_AGENT = 'git/pullyu';
