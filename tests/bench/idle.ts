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
  /** By window, milliseconds of CPU for one look. */
  readonly look: Readonly<Record<RemoteName, readonly number[]>>;
  /** The same of a bare request from Node, of the small remote. */
  readonly bare: readonly number[];
  /** Of a Node that does nothing but count. */
  readonly floorMb: number;
  readonly memoryMb: Readonly<Record<RemoteName, number>>;
  readonly looks: number;
}

/** Long-lived processes, all at the same time and at the same interval. */
export async function measureDaemons(
  scene: Scene,
  o: {
    readonly checkout: string;
    readonly intervalMs: number;
    readonly windows: number;
    readonly windowMs: number;
    readonly say: (text: string) => void;
  },
): Promise<DaemonCosts> {
  const children: Child[] = [];
  const start = (argv: readonly [string, ...string[]]) => {
    const child = startChild(argv, { env: { ...scene.env } });
    children.push(child);
    return child;
  };
  try {
    const floor = start(['node', '-e', `let n=0;setInterval(()=>{n+=1},${o.intervalMs})`]);
    const { small } = scene.remotes;
    const bare = start([
      'node',
      join(o.checkout, 'tests/bench/bare-request.mjs'),
      small.url,
      String(o.intervalMs),
    ]);
    const daemons = REMOTE_NAMES.map((name) => {
      const { host, path } = scene.remotes[name];
      host.configure(`${o.intervalMs}ms`);
      const daemon = host.start();
      children.push(daemon);
      return {
        name,
        pid: daemon.pid,
        output: daemon.output,
        asked: () => scene.server.requests(path, 'git/pullyu'),
      };
    });
    for (const daemon of daemons) {
      const before = daemon.asked();
      const warm = () => daemon.asked() > before + WARM_LOOKS;
      await until(warm, {
        what: `the agent of ${daemon.name} to look`,
        found: daemon.output,
        timeoutMs: 60_000,
      });
    }
    const look = Object.fromEntries(REMOTE_NAMES.map((name) => [name, [] as number[]])) as Record<
      RemoteName,
      number[]
    >;
    const bares: number[] = [];
    let looks = 0;
    const counters = [
      ...daemons.map(({ name, pid, asked }) => ({ pid, asked, into: look[name] })),
      { pid: bare.pid, asked: () => scene.server.requests(small.path, 'bare'), into: bares },
    ];
    for (let window = 0; window < o.windows; window += 1) {
      o.say(`idle looks of daemons, window ${window + 1} of ${o.windows}`);
      const before = counters.map(({ pid, asked }) => ({ cpu: cpuOfProcess(pid), asked: asked() }));
      await delay(o.windowMs);
      counters.forEach(({ pid, asked, into }, n) => {
        const cpu = cpuOfProcess(pid) - before[n]!.cpu;
        const times = asked() - before[n]!.asked;
        into.push(cpu / times);
        looks += times;
      });
    }
    return {
      look,
      bare: bares,
      floorMb: memoryOfProcess(floor.pid),
      memoryMb: Object.fromEntries(daemons.map(({ name, pid }) => [name, memoryOfProcess(pid)])) as Record<
        RemoteName,
        number
      >,
      looks,
    };
  } finally {
    await Promise.all(children.map((child) => child.close()));
  }
}

/** So many looks until everything that is used was loaded. */
const WARM_LOOKS = 40;
