/** The fleet: what one status repository carries, how fast hosts hear of each other, what reading costs; NATS beside it where it is installed. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createGitStore } from '../../src/presence/git-store.ts';
import { createNatsStore } from '../../src/presence/nats-store.ts';
import { systemClock } from '../../src/system/clock.ts';
import { startNats } from '../support/nats.ts';
import { findProgram } from '../support/needs.ts';
import { createStatusRepository, storeOptions } from '../support/status-repository.ts';
import { measurePushes, outgoing, type PushRates } from './fleet-pushes.ts';
import { measureFleetReactions } from './fleet-reaction.ts';
import { READINGS, type Reading, startFleetReader } from './fleet-reader.ts';
import { createFleetRepository, createPresences, type MakePresence, nameOf } from './fleet-repository.ts';
import { startServer } from './server.ts';

export interface FleetSize {
  /** Hosts in the store, the largest last: that one is read. */
  readonly hosts: readonly number[];
  readonly clients: number;
  readonly windowMs: number;
  readonly reactions: number;
  readonly rounds: number;
  /** Probes and questions for news first, and in each round. */
  readonly warm: number;
  readonly each: number;
}

export const FULL_FLEET: FleetSize = {
  hosts: [10, 1_000, 10_000],
  clients: 8,
  windowMs: 10_000,
  reactions: 7,
  rounds: 25,
  warm: 500,
  each: 40,
};
export const QUICK_FLEET: FleetSize = {
  hosts: [10, 1_000],
  clients: 8,
  windowMs: 2_000,
  reactions: 2,
  rounds: 6,
  warm: 200,
  each: 20,
};

export interface FleetFigures {
  readonly clients: number;
  readonly server: string;
  readonly pushes: readonly {
    readonly hosts: number;
    readonly git: PushRates;
    readonly nats: PushRates | null;
  }[];
  /** Milliseconds; of NATS null when it is not installed. */
  readonly reactions: { readonly git: readonly number[]; readonly nats: readonly number[] | null };
  readonly reading: ReadingFigures;
}

export interface ReadingFigures {
  readonly hosts: number;
  /** Of one, round by round: one host had said something, before each of those that read; nobody before the first two. */
  readonly cpuMs: Readonly<Record<Reading, readonly number[]>>;
  /** Of a list in which nothing is new. */
  readonly idleReadMs: readonly number[];
  /** The first reading of a process that knows nothing. */
  readonly first: { readonly cpuMs: number; readonly wallMs: number };
  readonly memoryMb: number;
  /** Before the first reading. */
  readonly floorMb: number;
}

interface Bench extends FleetSize {
  readonly folder: string;
  readonly presence: MakePresence;
  readonly say: (text: string) => void;
}

export async function measureFleet(
  folder: string,
  o: FleetSize & { readonly say: (text: string) => void },
): Promise<FleetFigures> {
  const served = join(folder, 'served');
  mkdirSync(served, { recursive: true });
  const bench: Bench = { ...o, folder, presence: createPresences(join(folder, 'keys')) };
  await using server = await startServer(served);
  const hasNats = findProgram('nats-server') !== null;
  const pushes: FleetFigures['pushes'][number][] = [];
  let url = '';
  for (const hosts of o.hosts) {
    o.say(`pushes into a status with ${hosts} hosts`);
    const repository = await createFleetRepository(served, hosts, bench.presence);
    url = server.url(repository.path);
    const git = await measurePushes({
      ...bench,
      folder: join(folder, `git-${hosts}`),
      open: (own) => createGitStore(url, storeOptions(own)),
    });
    pushes.push({ hosts, git, nats: hasNats ? await measureNats(hosts, bench) : null });
  }
  o.say('what reading costs');
  const reading = await measureReading(url, o.hosts.at(-1)!, bench);
  return { clients: o.clients, server: server.name, pushes, reading, reactions: await measureBoth(bench) };
}

/** Everybody publishes first, as it would be. */
async function measureNats(hosts: number, o: Bench): Promise<PushRates> {
  await using nats = await startNats();
  const folder = join(o.folder, `nats-${hosts}`);
  // One connection for the many; each of the clients has one of its own.
  const shared = nats.config();
  const options = (own: string) => ({ folder: own, heartbeatMs: 12 * 60 * 60_000, clock: systemClock });
  const names = Array.from({ length: hosts }, (_, n) => nameOf(n)).values();
  const fill = async () => {
    for (const host of names) {
      const store = createNatsStore(shared, options(join(folder, host)));
      const answer = await store.publish(outgoing(o.presence(host), false));
      if (!answer.ok) throw new Error(answer.trouble.message);
    }
  };
  const holder = createNatsStore(shared, options(join(folder, 'holder')));
  await Promise.all(Array.from({ length: 32 }, fill));
  try {
    const open = (own: string) => createNatsStore(nats.config(), options(own));
    return await measurePushes({ ...o, folder: join(folder, 'clients'), open });
  } finally {
    await holder.close();
  }
}

async function measureReading(url: string, hosts: number, o: Bench): Promise<ReadingFigures> {
  await using reader = await startFleetReader(url, join(o.folder, 'reader'));
  await reader.cost('probe', o.warm);
  const floorMb = await reader.memoryMb();
  const first = await reader.cost('kept');
  const memoryMb = await reader.memoryMb();
  await reader.cost('judged');
  await reader.cost('read');
  await reader.cost('news', o.warm);
  const change = async (n: number) => {
    const host = nameOf((n * 37) % hosts);
    const store = createGitStore(url, storeOptions(join(o.folder, 'writers', host)));
    const answer = await store.publish(outgoing(o.presence(host), true));
    await store.close();
    if (!answer.ok) throw new Error(answer.trouble.message);
  };
  // The second reading compares for the first time, and V8 compiles what was often called.
  for (let n = 0; n < 10; n += 1) {
    await change(n);
    for (const one of ['read', 'judged', 'kept'] as const) await reader.cost(one);
  }
  const cpuMs = Object.fromEntries(READINGS.map((one) => [one, [] as number[]])) as Record<Reading, number[]>;
  const idleReadMs: number[] = [];
  for (let n = 0; n < o.rounds; n += 1) {
    await change(n + 10);
    for (const one of ['kept', 'judged', 'read'] as const) cpuMs[one].push((await reader.cost(one)).cpuMs);
    idleReadMs.push((await reader.cost('read')).cpuMs);
    for (const one of ['probe', 'news'] as const) cpuMs[one].push((await reader.cost(one, o.each)).cpuMs);
  }
  return { hosts, cpuMs, idleReadMs, first, memoryMb, floorMb };
}

async function measureBoth(o: Bench): Promise<FleetFigures['reactions']> {
  o.say('from one host to another, over git');
  using repository = await createStatusRepository();
  await using server = await startServer(repository.folder);
  const git = await measureFleetReactions({
    folder: join(o.folder, 'react-git'),
    status: { remote: server.url(repository.path), heartbeat: '10m' },
    rounds: o.reactions,
  });
  if (findProgram('nats-server') === null) return { git, nats: null };
  o.say('from one host to another, over NATS');
  await using nats = await startNats();
  const status = { nats: [nats.url], heartbeat: '10m' };
  return {
    git,
    nats: await measureFleetReactions({ folder: join(o.folder, 'react-nats'), status, rounds: o.reactions }),
  };
}
