/** A long-lived process that reads the fleet, as an agent does, and says what each reading cost it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRosterKeeper } from '../../src/agent/roster-keeper.ts';
import { defaultLimits } from '../../src/config/limits.ts';
import { createProber } from '../../src/git/probe.ts';
import type { HostId } from '../../src/model/ids.ts';
import type { RepoConfig } from '../../src/model/repo.ts';
import { NO_ACCESS } from '../../src/model/repo.ts';
import type { Result } from '../../src/model/trouble.ts';
import { createGitStore } from '../../src/presence/git-store.ts';
import { createFleetReader } from '../../src/presence/read-fleet.ts';
import { systemClock } from '../../src/system/clock.ts';
import { storeOptions } from '../support/status-repository.ts';

/** `probe`: of one ref. `news`: has anybody said something? `read`: all presences. `judged`: also verified. `kept`: what an agent does. */
export const READINGS = ['probe', 'news', 'read', 'judged', 'kept'] as const;
export type Reading = (typeof READINGS)[number];

export interface ReadingCost {
  readonly cpuMs: number;
  readonly wallMs: number;
}

export interface FleetReaderProcess extends AsyncDisposable {
  /** Of one, on the average of so many. */
  cost(reading: Reading, times?: number): Promise<ReadingCost>;
  /** Resident, MB of 2^20 bytes, after a collection. */
  memoryMb(): Promise<number>;
}

interface Question {
  readonly reading: Reading | 'memory';
  readonly times: number;
}

/** @param folder Of its own. */
export async function startFleetReader(url: string, folder: string): Promise<FleetReaderProcess> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'reader.mjs');
  writeFileSync(
    file,
    `import { serveAsReader } from ${JSON.stringify(import.meta.url)};\nserveAsReader();\n`,
  );
  const child = fork(file, [url, folder], {
    execArgv: ['--expose-gc'],
  });
  const ask = async (question: Question) => {
    child.send(question);
    return (await answerOf(child)) as ReadingCost & { memoryMb: number };
  };
  return {
    cost: (reading, times = 1) => ask({ reading, times }),
    memoryMb: async () => (await ask({ reading: 'memory', times: 1 })).memoryMb,
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const over = new AbortController();
  try {
    const { signal } = over;
    const died = once(child, 'exit', { signal }).then(([code]) => {
      throw new Error(`the reader ended with ${code}`);
    });
    const [answer] = (await Promise.race([once(child, 'message', { signal }), died])) as [
      { trouble?: string },
    ];
    died.catch(() => {});
    if (answer.trouble !== undefined) throw new Error(answer.trouble);
    return answer;
  } finally {
    over.abort();
  }
}

/** The other end of `startFleetReader`. */
export function serveAsReader(): void {
  const [url = '', folder = ''] = process.argv.slice(2);
  const readings = createReadings(url, folder);
  process.on('message', ({ reading, times }: Question) => {
    if (reading === 'memory') {
      globalThis.gc?.();
      process.send!({ memoryMb: process.memoryUsage().rss / 2 ** 20 });
      return;
    }
    measure(readings[reading], times).then(
      (cost) => process.send!(cost),
      (error: unknown) => process.send!({ trouble: `${reading}: ${String(error)}` }),
    );
  });
  process.on('disconnect', () => process.exit(0));
}

async function measure(read: () => Promise<unknown>, times: number): Promise<ReadingCost> {
  const begun = performance.now();
  const before = process.cpuUsage();
  for (let n = 0; n < times; n += 1) await read();
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1000 / times, wallMs: (performance.now() - begun) / times };
}

/** Each with a store of its own: what one has read is still news for the others. */
function createReadings(url: string, folder: string): Record<Reading, () => Promise<unknown>> {
  const prober = createProber({ limits: defaultLimits, env: { PATH: process.env.PATH } });
  const repo: RepoConfig = {
    name: 'status',
    remotes: [url],
    track: { ref: 'roster' },
    pull: 'agent',
    clone: 'full',
    submodules: false,
    lfs: false,
    convention: { work: false, init: false } as unknown as RepoConfig['convention'],
    access: NO_ACCESS,
  };
  const store = (name: string) => createGitStore(url, storeOptions(join(folder, name)));
  const lazily = <T>(make: () => T) => {
    let made: T | null = null;
    return () => {
      made ??= make();
      return made;
    };
  };
  const news = lazily(() => store('store'));
  const plain = news;
  const judged = lazily(() => createFleetReader([store('judged')], { folder: null, clock: systemClock }));
  const kept = lazily(() => createKeeper(store('kept'), join(folder, 'state')));
  return {
    probe: async () => good(await prober.probe(repo, url, { kind: 'branch', name: 'roster' })),
    news: async () => good(await news().hasNews()),
    read: async () => good(await plain().read()),
    judged: async () => good(await judged().read(null)),
    kept: () => kept().refresh(new AbortController().signal),
  };
}

function createKeeper(store: ReturnType<typeof createGitStore>, stateFolder: string) {
  mkdirSync(join(stateFolder, 'status'), { recursive: true });
  const keeper = createRosterKeeper({
    reader: createFleetReader([store], { folder: join(stateFolder, 'status'), clock: systemClock }),
    clock: systemClock,
    stateFolder,
    self: () => ({
      name: 'reader',
      id: 'r'.repeat(26) as HostId,
      labels: { part: 'lb' },
      addresses: ['192.0.2.1'],
      state: 'working',
      facts: {},
      lastContactAt: Date.now(),
    }),
    expected: () => null,
    intervalMs: () => 60_000,
    heartbeatMs: () => 12 * 60 * 60_000,
  });
  keeper.view([{ type: 'presence', of: { part: 'app' }, settleMs: 10_000, facts: ['port'] }]);
  return keeper;
}

function good<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.trouble.message);
  return result.value;
}
