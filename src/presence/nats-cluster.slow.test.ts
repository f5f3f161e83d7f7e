/** Three servers on the loopback, one of them killed and restarted in the middle: nothing is lost, everybody comes back. */
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { startNats, startNatsCluster } from '../../tests/support/nats.ts';
import { needsProgram } from '../../tests/support/needs.ts';
import { createMachine } from '../../tests/support/status-repository.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { until } from '../../tests/support/until.ts';
import type { NatsConfig } from '../model/host.ts';
import type { Transition } from '../model/presence.ts';
import { delay, systemClock } from '../system/clock.ts';
import { loadNatsClient } from './load-nats-client.ts';
import { createNatsStore } from './nats-store.ts';
import type { StatusStore } from './store.ts';

const nats = needsProgram('nats-server');
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const HEARTBEAT_MS = 1_500;
const HOSTS = 6;
const EACH = 12;
const WAIT = { timeoutMs: 120_000, everyMs: 200 };

/** A host as an agent is one: what was not taken is said again, in order, until it is. */
function createTellingHost(name: string, store: StatusStore) {
  const machine = createMachine(name, { heartbeatMs: HEARTBEAT_MS });
  const waiting: Transition[] = [];
  const said: string[] = [];
  const end = new AbortController();
  const troubles = new Set<string>();
  const run = (async () => {
    while (!end.signal.aborted) {
      const batch = [...waiting];
      const answer = await store.publish(machine.outgoing(batch), end.signal);
      if (answer.ok) waiting.splice(0, batch.length);
      else troubles.add(answer.trouble.code);
      await delay(answer.ok && waiting.length === 0 ? HEARTBEAT_MS / 3 : 50, end.signal);
    }
  })();
  return {
    name,
    said,
    troubles,
    isDone: () => waiting.length === 0,
    happen() {
      const subject = `${name} did ${said.length}`;
      said.push(subject);
      waiting.push(machine.transition(subject));
    },
    async stop() {
      end.abort();
      await run;
    },
  };
}

nats(
  'a cluster loses a server, and another: no transition is lost, none is there twice, hosts come back',
  { timeout: 300_000 },
  async () => {
    const cluster = await startNatsCluster();
    cleanups.push(() => cluster.close());
    const temp = tempFolder('cluster');
    cleanups.push(() => temp[Symbol.dispose]());
    const storeOf = (name: string, config: NatsConfig) => {
      const store = createNatsStore(config, {
        folder: join(temp.path, name),
        heartbeatMs: HEARTBEAT_MS,
        clock: systemClock,
      });
      cleanups.push(() => store.close());
      return store;
    };
    const hosts = Array.from({ length: HOSTS }, (_, n) =>
      createTellingHost(`web-${n}`, storeOf(`web-${n}`, cluster.config())),
    );
    cleanups.push(async () => void (await Promise.all(hosts.map((host) => host.stop()))));
    const reader = storeOf('reader', cluster.config());
    let news = 0;
    reader.watch!(() => {
      news += 1;
    });
    const seen = async () => {
      const read = await reader.read();
      return read.ok ? read.value.map(({ host }) => host).sort() : [];
    };
    await until(async () => (await seen()).length === HOSTS, { what: 'all hosts', found: seen, ...WAIT });
    for (let n = 0; n < EACH; n += 1) {
      for (const host of hosts) host.happen();
      const victim = cluster.servers[n < EACH / 2 ? 0 : 1]!;
      if (n === 3 || n === 8) {
        victim.kill('SIGKILL');
        await victim.stop();
      }
      if (n === 5 || n === 10) await victim.start();
      await delay(400);
    }
    await until(() => hosts.every((host) => host.isDone()), {
      what: 'everything to arrive',
      found: () => hosts.map(({ name, troubles }) => ({ name, troubles: [...troubles] })),
      ...WAIT,
    });
    for (const host of hosts) {
      const history = await reader.history(host.name, 100);
      const subjects = history.ok ? history.value.map(({ subject }) => subject) : history.trouble;
      expect(subjects).toEqual([...host.said].reverse());
    }
    // A host stops: its entry goes by itself; the others stay.
    const [gone, ...others] = hosts;
    await gone!.stop();
    const { connect, jetstream, Kvm } = await loadNatsClient();
    const connection = await connect({ servers: cluster.config().servers.map((url) => url.slice(7)) });
    cleanups.push(() => connection.close());
    const kv = await new Kvm(jetstream(connection)).open('pullyu-presence');
    expect((await kv.status()).replicas).toBe(3);
    await until(async () => (await kv.get('host.web-0')) === null, { what: 'the entry to go', ...WAIT });
    for (const { name } of others) expect(await kv.get(`host.${name}`)).not.toBeNull();
    // The reader hears of each heartbeat, after all of that, and of a host that is new at once.
    const textOf = async (name: string) => {
      const read = await reader.read();
      return read.ok ? (read.value.find(({ host }) => host === name)?.text ?? null) : null;
    };
    const text = await textOf('web-1');
    await until(async () => ![text, null].includes(await textOf('web-1')), { what: 'a heartbeat', ...WAIT });
    const before = news;
    const late = createTellingHost('late', storeOf('late', cluster.config()));
    cleanups.push(() => late.stop());
    await until(() => news > before, { what: 'the reader to be told', ...WAIT });
  },
);

nats('a server that hangs is silent, and is left for another one', { timeout: 120_000 }, async () => {
  const server = await startNats();
  cleanups.push(() => server.close());
  const temp = tempFolder('hangs');
  cleanups.push(() => temp[Symbol.dispose]());
  const other = await startNats();
  cleanups.push(() => other.close());
  server.kill('SIGSTOP');
  cleanups.push(() => server.kill('SIGCONT'));
  const o = { folder: temp.path, heartbeatMs: 60_000, clock: systemClock };
  const web = createMachine('web-1');
  const alone = createNatsStore(server.config(), o);
  cleanups.push(() => alone.close());
  expect(await alone.publish(web.outgoing())).toMatchObject({ ok: false, trouble: { code: 'silent' } });
  const both = createNatsStore(server.config({ servers: [server.url, other.url] }), o);
  cleanups.push(() => both.close());
  expect(await both.publish(web.outgoing())).toMatchObject({ ok: true });
});
