import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type NatsServer, startNats } from '../../tests/support/nats.ts';
import { needsProgram } from '../../tests/support/needs.ts';
import { createMachine } from '../../tests/support/status-repository.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { until } from '../../tests/support/until.ts';
import type { NatsConfig } from '../model/host.ts';
import type { Result } from '../model/trouble.ts';
import { systemClock } from '../system/clock.ts';
import { loadNatsClient } from './load-nats-client.ts';
import { createNatsStore } from './nats-store.ts';
import type { StatusStore } from './store.ts';

const nats = needsProgram('nats-server');
const published = { kind: 'published', contender: null };
const LOG = { repo: 'it', action: 'shop', run: 'r1', text: 'it broke\n' };

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.trouble.code}: ${result.trouble.message}`);
  return result.value;
}

interface World extends AsyncDisposable {
  readonly server: NatsServer;
  folder(name: string): string;
  /** Moves the monotonic clock. */
  skip(ms: number): void;
  /** Of another machine: with a connection and a folder of its own, unless a folder is named again. */
  store(folder?: string, more?: { heartbeatMs?: number; config?: Partial<NatsConfig> }): StatusStore;
}

async function world(options: Parameters<typeof startNats>[0] = {}): Promise<World> {
  const server = await startNats(options);
  const temp = tempFolder('nats-store');
  const stores: StatusStore[] = [];
  let folders = 0;
  let skipped = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + skipped };
  return {
    server,
    folder: (name) => join(temp.path, name),
    skip: (ms) => {
      skipped += ms;
    },
    store(folder = `m${++folders}`, { heartbeatMs = 60_000, config = {} } = {}) {
      const store = createNatsStore(server.config(config), {
        folder: join(temp.path, folder),
        heartbeatMs,
        clock,
      });
      stores.push(store);
      return store;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((store) => store.close()));
      await server.close();
      temp[Symbol.dispose]();
    },
  };
}

nats('what a host publishes is read by another, with its history', async () => {
  await using w = await world();
  const web = createMachine('web-1');
  const reader = w.store();
  expect(value(await reader.read())).toEqual([]);
  const store = w.store();
  const first = web.transition('shop failed at 3f2a91c in 3.2 s', { log: LOG });
  const second = web.transition('shop ok at 3f2a91c in 3.0 s');
  expect(value(await store.publish(web.outgoing([first, second])))).toEqual(published);
  const found = await until(async () => value(await reader.read())[0], { what: 'the presence' });
  expect(found).toMatchObject({ host: 'web-1', ...second.presence, contenders: [] });
  const history = value(await reader.history('web-1', 10));
  expect(history.map(({ subject, log }) => [subject, log])).toEqual([
    [second.subject, null],
    [first.subject, { name: 'it-shop.log', text: 'it broke\n' }],
  ]);
  expect(history[1]).toMatchObject({ at: first.at, presence: first.presence });
  expect(value(await reader.history('web-1', 1))).toEqual(history.slice(0, 1));
  expect(value(await reader.history('nobody', 1))).toEqual([]);
});

nats('a reader is told at once of what is new, and not of heartbeats', async () => {
  await using w = await world();
  const web = createMachine('web-1');
  const store = w.store();
  value(await store.publish(web.outgoing([web.transition('here')])));
  const reader = w.store();
  value(await reader.read());
  let calls = 0;
  reader.watch!(() => {
    calls += 1;
  });
  const beat = web.outgoing();
  value(await store.publish(beat));
  const read = async () => value(await reader.read())[0];
  await until(async () => (await read())?.text === beat.presence.text, { what: 'the heartbeat' });
  expect(calls).toBe(0);
  expect(value(await reader.hasNews())).toBe(false);
  const db = createMachine('db.example-1');
  value(await w.store().publish(db.outgoing([db.transition('here')])));
  await until(() => calls > 0, { what: 'a call' });
  expect(value(await reader.hasNews())).toBe(true);
  expect(value(await reader.read()).map(({ host }) => host)).toEqual(['web-1', 'db.example-1']);
  expect(value(await reader.hasNews())).toBe(false);
});

nats('a host that stops disappears from the bucket by itself', async () => {
  await using w = await world();
  const web = createMachine('web-1', { heartbeatMs: 300 });
  value(await w.store('a', { heartbeatMs: 300 }).publish(web.outgoing([web.transition('here')])));
  const gone = async () => {
    const fresh = w.store();
    const hosts = value(await fresh.read());
    await fresh.close();
    return hosts.every(({ isLastWord }) => isLastWord);
  };
  expect(await gone()).toBe(false);
  await until(gone, { what: 'the entry to go' });
  expect(value(await w.store().history('web-1', 5))).toHaveLength(1);
});

nats('the slowest host decides how long an entry is kept', async () => {
  await using w = await world();
  const fast = createMachine('fast');
  const slow = createMachine('slow');
  value(await w.store('f', { heartbeatMs: 200 }).publish(fast.outgoing()));
  value(await w.store('s', { heartbeatMs: 3_600_000 }).publish(slow.outgoing()));
  const { connect, jetstream, Kvm } = await loadNatsClient();
  const connection = await connect({ servers: `127.0.0.1:${w.server.port}` });
  const { ttl } = await (await new Kvm(jetstream(connection)).open('pullyu-presence')).status();
  await connection.close();
  expect(ttl).toBe(3 * 3_600_000);
});

nats('another machine under the same name overwrites nothing, and both are told', async () => {
  await using w = await world();
  const first = createMachine('web-1');
  const second = createMachine('web-1', { id: 'zyxwvutsrqponmlkjihgfedcba', addresses: ['10.0.0.66'] });
  const a = w.store('a');
  const b = w.store('b');
  const said = first.outgoing([first.transition('here')]);
  expect(value(await a.publish(said))).toEqual(published);
  expect(value(await b.publish(second.outgoing([second.transition('here too')])))).toMatchObject({
    kind: 'conflict',
    contender: { id: said.id },
  });
  const reader = w.store();
  const [found, ...others] = value(await reader.read());
  expect(others).toEqual([]);
  expect(found).toMatchObject({ text: said.presence.text, contenders: [{ addresses: ['10.0.0.66'] }] });
  expect(value(await reader.history('web-1', 5)).map(({ subject }) => subject)).toEqual(['here']);
  expect(value(await a.publish(first.outgoing()))).toMatchObject({
    kind: 'published',
    contender: { addresses: ['10.0.0.66'] },
  });
});

nats('a copy of a machine, with all that it knew, is another machine', async () => {
  await using w = await world();
  const web = createMachine('web-1');
  const a = w.store('a');
  value(await a.publish(web.outgoing([web.transition('here')])));
  // The copy holds the same id and ledger; its boot is another one.
  cpSync(w.folder('a'), w.folder('copy'), { recursive: true });
  value(await a.publish(web.outgoing()));
  const copy = createMachine('web-1', { bootId: 'another-boot' });
  expect(value(await w.store('copy').publish(copy.outgoing())).kind).toBe('conflict');
});

nats('a repeat after a lost answer is stored once', async () => {
  await using w = await world();
  const web = createMachine('web-1');
  const out = web.outgoing([web.transition('one'), web.transition('two', { log: LOG })]);
  value(await w.store('a').publish(out));
  // As after a crash before the outbox was told, once with what we knew, once without.
  expect(value(await w.store('a').publish(out))).toEqual(published);
  const more = web.outgoing([...out.transitions, web.transition('three')]);
  expect(value(await w.store('lost').publish(more))).toEqual(published);
  const history = value(await w.store().history('web-1', 10));
  expect(history.map(({ subject }) => subject)).toEqual(['three', 'two', 'one']);
});

nats('a machine that was made anew takes its name over when the old one is gone', async () => {
  await using w = await world();
  const old = createMachine('web-1', { heartbeatMs: 100 });
  value(await w.store('a').publish(old.outgoing()));
  const anew = createMachine('web-1', { id: 'zyxwvutsrqponmlkjihgfedcba', heartbeatMs: 100 });
  const b = w.store('b');
  expect(value(await b.publish(anew.outgoing())).kind).toBe('conflict');
  await until(
    async () => value(await b.publish(anew.outgoing([anew.transition('here')]))).kind === 'published',
    {
      everyMs: 100,
      what: 'the name',
    },
  );
  expect(value(await b.publish(anew.outgoing()))).toEqual(published);
  expect(value(await w.store().read())[0]?.contenders).toEqual([]);
});

nats('many hosts that come at once make one bucket and one stream', async () => {
  await using w = await world();
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, n) => {
      const machine = createMachine(`web-${n}`);
      return w
        .store(`m${n}`, { heartbeatMs: 60_000 + n })
        .publish(machine.outgoing([machine.transition('here')]));
    }),
  );
  expect(answers.map((answer) => (answer.ok ? answer.value.kind : answer.trouble))).toEqual(
    Array.from({ length: 12 }, () => 'published'),
  );
  expect(value(await w.store().read())).toHaveLength(12);
});

nats(
  'while the server is away everything is a trouble; then it goes on, and what was missed is read',
  async () => {
    await using w = await world();
    const web = createMachine('web-1');
    const store = w.store();
    const reader = w.store();
    value(await store.publish(web.outgoing([web.transition('one')])));
    value(await reader.read());
    await w.server.stop();
    const two = web.transition('two');
    await until(async () => !(await store.publish(web.outgoing([two]))).ok, { what: 'a trouble' });
    expect(await reader.hasNews()).toMatchObject({ ok: false, trouble: { code: 'unreachable' } });
    expect(await reader.read()).toMatchObject({ ok: false, trouble: { code: 'unreachable' } });
    await w.server.start();
    await until(async () => (await store.publish(web.outgoing([two]))).ok, { what: 'the way back' });
    const read = async () => reader.read().then((found) => (found.ok ? found.value[0] : null));
    const found = await until(async () => ((await read())?.text === two.presence.text ? read() : null), {
      what: 'the reader to come back',
    });
    // For so long nobody could know who was silent.
    expect(found?.unseen).toHaveLength(1);
    expect(value(await reader.history('web-1', 10)).map(({ subject }) => subject)).toEqual(['two', 'one']);
  },
);

nats(
  'a bucket and a stream that somebody removed are made anew, and hosts that were known stay known',
  async () => {
    await using w = await world();
    const web = createMachine('web-1');
    const db = createMachine('db-1');
    const store = w.store();
    const reader = w.store();
    value(await store.publish(web.outgoing([web.transition('one')])));
    value(await w.store().publish(db.outgoing()));
    expect(value(await reader.read())).toHaveLength(2);
    const { connect, jetstream } = await loadNatsClient();
    const connection = await connect({ servers: `127.0.0.1:${w.server.port}` });
    const { streams } = await jetstream(connection).jetstreamManager();
    for (const name of ['KV_pullyu-presence', 'pullyu-transitions']) await streams.delete(name);
    await connection.close();
    const two = web.transition('two');
    await until(async () => (await store.publish(web.outgoing([two]))).ok, { what: 'another bucket' });
    const texts = async () =>
      value(await reader.read()).map(({ host, text }) => [host, text === two.presence.text]);
    w.skip(60_000);
    await until(async () => JSON.stringify(await texts()) === '[["web-1",true],["db-1",false]]', {
      what: 'the reader to find it',
      found: texts,
    });
    expect(value(await reader.history('web-1', 10)).map(({ subject }) => subject)).toEqual(['two']);
  },
);

nats(
  'a host that went silent before a reader came is shown with what it said last, and not as a forgery',
  async () => {
    await using w = await world();
    const web = createMachine('web-1', { heartbeatMs: 300 });
    const store = w.store('a', { heartbeatMs: 300 });
    const here = web.transition('here');
    value(await store.publish(web.outgoing([here])));
    value(await store.publish(web.outgoing()));
    const gone = await until(
      async () => {
        const fresh = w.store();
        const [found] = value(await fresh.read());
        await fresh.close();
        return found?.isLastWord === true ? found : null;
      },
      { what: 'the entry to go' },
    );
    expect(gone).toMatchObject({ host: 'web-1', text: here.presence.text });
  },
);

nats('a name that was given up is gone at once, and nobody takes it for a silent host', async () => {
  await using w = await world();
  const web = createMachine('web-1');
  const store = w.store('a');
  const reader = w.store();
  value(await store.publish(web.outgoing([web.transition('here')])));
  await until(async () => value(await reader.read()).length === 1, { what: 'the host' });
  await store.leave!('web-1');
  await until(async () => value(await reader.read()).length === 0, { what: 'the host to be gone' });
  expect(value(await w.store().read())).toEqual([]);
  expect(value(await reader.history('web-1', 5)).map(({ subject }) => subject)).toEqual(['here']);
  // Of another machine nothing is taken away.
  value(await w.store('b').publish(createMachine('db-1').outgoing()));
  await store.leave!('db-1');
  expect(value(await w.store().read()).map(({ host }) => host)).toEqual(['db-1']);
});
