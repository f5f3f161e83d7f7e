/** Every way in which the servers of NATS cannot be used has a name of its own, and tells no secret. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { type NatsOptions, type NatsServer, startNats } from '../../tests/support/nats.ts';
import { createNatsOperator } from '../../tests/support/nats-creds.ts';
import { needsProgram } from '../../tests/support/needs.ts';
import { createMachine } from '../../tests/support/status-repository.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { until } from '../../tests/support/until.ts';
import type { NatsConfig } from '../model/host.ts';
import { systemClock } from '../system/clock.ts';
import { createNatsStore } from './nats-store.ts';
import type { StatusStore } from './store.ts';
import { publishWake } from './wakes.ts';

const nats = needsProgram('nats-server');
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder(): string {
  const temp = tempFolder('nats-troubles');
  cleanups.push(() => temp[Symbol.dispose]());
  return temp.path;
}

async function serve(options: NatsOptions = {}): Promise<NatsServer> {
  const server = await startNats(options);
  cleanups.push(() => server.close());
  return server;
}

function storeOf(config: NatsConfig): StatusStore {
  const store = createNatsStore(config, { folder: folder(), heartbeatMs: 60_000, clock: systemClock });
  cleanups.push(() => store.close());
  return store;
}

const web = createMachine('web-1');

/** The trouble of a first publish, or `published`. */
async function codeOf(config: NatsConfig): Promise<string> {
  const answer = await storeOf(config).publish(web.outgoing([web.transition('here')]));
  if (answer.ok) return answer.value.kind;
  expect(JSON.stringify(answer.trouble)).not.toContain('geheim');
  return answer.trouble.code;
}

function secretFile(text: string): string {
  const file = join(folder(), 'credentials');
  writeFileSync(file, text);
  return file;
}

const bare: NatsConfig = { servers: [], credentialsFile: null, tlsCa: null, tlsCert: null, tlsKey: null };

nats('no address, nobody there, another protocol', async () => {
  expect(await codeOf({ ...bare, servers: ['nats://nowhere.invalid:4222'] })).toBe('dns');
  expect(await codeOf({ ...bare, servers: ['nats://127.0.0.1:9'] })).toBe('unreachable');
  const http = createServer(
    (socket) => void socket.on('error', () => {}).write('HTTP/1.1 400 Bad Request\r\n\r\n'),
  );
  await new Promise<void>((resolve) => void http.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => void http.close());
  const { port } = http.address() as { port: number };
  expect(await codeOf({ ...bare, servers: [`nats://127.0.0.1:${port}`] })).toBe('server-error');
});

nats('one server of the list that answers is enough', async () => {
  const server = await serve();
  expect(
    await codeOf({ ...bare, servers: ['nats://127.0.0.1:9', server.url, 'nats://nowhere.invalid'] }),
  ).toBe('published');
});

nats('a server without JetStream is named', async () => {
  const server = await serve({ jetstream: false });
  expect(await codeOf(server.config())).toBe('server-error');
});

nats('a password, a token: refused, renewed under a running store, accepted', async () => {
  const server = await serve({ authorization: 'authorization { user: web, password: geheim }' });
  expect(await codeOf(server.config())).toBe('auth-refused');
  const file = secretFile('username=web\npassword=geheim-old\n');
  const store = storeOf(server.config({ credentialsFile: file }));
  const refused = await store.publish(web.outgoing());
  expect(refused).toMatchObject({ ok: false, trouble: { code: 'auth-refused' } });
  expect(JSON.stringify(refused)).not.toContain('geheim');
  writeFileSync(file, 'username=web\npassword=geheim\n');
  await until(async () => (await store.publish(web.outgoing())).ok, { what: 'the new password to be used' });
  const token = await serve({ authorization: 'authorization { token: geheim-token }' });
  expect(await codeOf(token.config({ credentialsFile: secretFile('geheim-token\n') }))).toBe('published');
  expect(await codeOf(token.config({ credentialsFile: secretFile('geheim-other\n') }))).toBe('auth-refused');
  expect(await codeOf(token.config({ credentialsFile: '/nowhere' }))).toBe('auth-refused');
});

nats('a .creds file: accepted, that of another operator refused, a damaged one named', async () => {
  const operator = createNatsOperator();
  const server = await serve({ jetstream: false, authorization: operator.configuration });
  const wake = { repo: 'it', ref: null, commit: null };
  const wakeBy = async (creds: string) => {
    const config = server.config({ credentialsFile: secretFile(creds) });
    const answer = await publishWake(config, wake, {
      clock: systemClock,
      signal: new AbortController().signal,
    });
    expect(JSON.stringify(answer)).not.toContain(operator.seed.slice(0, 20));
    return answer.ok ? 'ok' : answer.trouble.code;
  };
  expect(await wakeBy(operator.creds)).toBe('ok');
  expect(await wakeBy(createNatsOperator().creds)).toBe('auth-refused');
  expect(await wakeBy(operator.creds.replace(operator.seed, 'SUgeheim'))).toBe('auth-refused');
  expect(await wakeBy(operator.creds.slice(0, 200))).toBe('auth-refused');
});

nats('TLS: by our authority only, by name, with our certificate where it is asked for', async () => {
  const server = await serve({ tls: true });
  const stranger = await serve({ tls: true });
  expect(await codeOf(server.config())).toBe('published');
  expect(await codeOf(server.config({ servers: [`tls://127.0.0.1:${server.port}`] }))).toBe('published');
  // Also where it was not asked for: the server wants it.
  expect(await codeOf(server.config({ servers: [`nats://localhost:${server.port}`] }))).toBe('published');
  expect(await codeOf(server.config({ tlsCa: null }))).toBe('tls');
  expect(await codeOf(server.config({ tlsCa: stranger.ca }))).toBe('tls');
  expect(await codeOf(server.config({ tlsCa: '/nowhere' }))).toBe('tls');
  const plain = await serve();
  expect(await codeOf(plain.config({ servers: [`tls://localhost:${plain.port}`] }))).toBe('tls');
  const mutual = await serve({ tls: 'client' });
  const pair = { tlsCert: mutual.client!.cert, tlsKey: mutual.client!.key };
  expect(await codeOf(mutual.config(pair))).toBe('published');
  expect(await codeOf(mutual.config())).toBe('tls');
  const strange = { tlsCert: stranger.client!.cert, tlsKey: stranger.client!.key };
  expect(await codeOf(mutual.config(strange))).toBe('tls');
});

/** As docs/nats.md gives them. */
const HOST_RIGHTS = (host: string) => `
  publish = [
    "$JS.API.STREAM.INFO.KV_pullyu-presence", "$JS.API.STREAM.INFO.pullyu-transitions"
    "$JS.API.STREAM.MSG.GET.KV_pullyu-presence", "$JS.API.STREAM.MSG.GET.pullyu-transitions"
    "$JS.API.CONSUMER.CREATE.KV_pullyu-presence.>", "$JS.API.CONSUMER.INFO.KV_pullyu-presence.>"
    "$JS.FC.KV_pullyu-presence.>"
    "$KV.pullyu-presence.host.${host}", "$KV.pullyu-presence.claim.${host}.*"
    "pullyu.transition.${host}"
  ]
  subscribe = ["_INBOX.>", "pullyu.wake.*"]`;

nats('the least rights of a host are enough, and do not let it speak for another', async () => {
  const server = await serve({
    authorization: `authorization { users = [
      {user: operator, password: geheim1}
      {user: web, password: geheim2, permissions: {${HOST_RIGHTS('web-1')}}}
    ] }`,
  });
  const host = server.config({ credentialsFile: secretFile('username=web\npassword=geheim2\n') });
  const early = await storeOf(host).publish(web.outgoing());
  expect(early).toMatchObject({ ok: false, trouble: { code: 'forbidden' } });
  expect(early.ok ? '' : early.trouble.hint).toContain('docs/nats.md');
  const operator = server.config({ credentialsFile: secretFile('username=operator\npassword=geheim1\n') });
  const db = createMachine('db-1');
  expect((await storeOf(operator).publish(db.outgoing([db.transition('here')]))).ok).toBe(true);
  const store = storeOf(host);
  let news = 0;
  store.watch!(() => {
    news += 1;
  });
  expect(await store.publish(web.outgoing([web.transition('here')]))).toMatchObject({ ok: true });
  const names = async () => {
    const read = await store.read();
    return read.ok ? read.value.map(({ host: name }) => name).sort() : read.trouble;
  };
  await until(async () => JSON.stringify(await names()) === '["db-1","web-1"]', {
    what: 'both',
    found: names,
  });
  expect(news).toBeGreaterThan(0);
  const other = createMachine('db-1', { id: 'b'.repeat(26) });
  expect(await storeOf(host).publish(other.outgoing())).toMatchObject({
    ok: false,
    trouble: { code: 'forbidden' },
  });
  const wake = { repo: 'it', ref: null, commit: null };
  const { signal } = new AbortController();
  expect(await publishWake(host, wake, { clock: systemClock, signal })).toMatchObject({
    trouble: { code: 'forbidden' },
  });
  expect(await publishWake(operator, wake, { clock: systemClock, signal })).toEqual({
    ok: true,
    value: null,
  });
});
