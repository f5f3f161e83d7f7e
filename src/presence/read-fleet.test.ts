import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFolderStore, type FolderStore } from '../../tests/support/folder-store.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import type { Presence, SignedPresence } from '../model/presence.ts';
import { trouble } from '../model/trouble.ts';
import { formatPresence } from './format-presence.ts';
import { ensureHostKey } from './host-key.ts';
import { AT, somePresence } from './presence.testing.ts';
import { createFleetReader, type FleetReader } from './read-fleet.ts';
import { signPresence } from './sshsig.ts';

let temp: ReturnType<typeof tempFolder>;
let now: number;
let store: FolderStore;

beforeEach(() => {
  temp = tempFolder('read-fleet');
  now = AT + 1_000;
  store = createFolderStore(join(temp.path, 'store'), () => now);
});
afterEach(() => temp[Symbol.dispose]());

const clock = { now: () => now, monotonic: () => now, random: () => 0 };
const open = (...stores: FolderStore[]): FleetReader =>
  createFleetReader(stores, { folder: join(temp.path, 'pins'), clock });

function sign(more: Partial<Presence> = {}, keyOf = more.host ?? 'web-1'): SignedPresence {
  const text = formatPresence(somePresence(more));
  return { text, signature: signPresence(text, ensureHostKey(join(temp.path, 'keys', keyOf), keyOf)) };
}

async function states(reader: FleetReader): Promise<Record<string, string>> {
  const read = await reader.read(null);
  if (!read.ok) return { trouble: read.trouble.code };
  return Object.fromEntries(read.value.hosts.map((host) => [host.name, host.state]));
}

test('what hosts published is read, and is silent when time goes by', async () => {
  store.put('web-1', sign());
  const reader = open(store);
  expect(await states(reader)).toEqual({ 'web-1': 'working' });
  expect(await reader.hasNews()).toEqual({ ok: true, value: false });
  now += 3_600_000;
  expect(reader.picture(null).map((host) => host.state)).toEqual(['silent']);
});

test('the key that was seen first is remembered by the next reader', async () => {
  store.put('web-1', sign());
  await states(open(store));
  store.put('web-1', sign({ sequence: 9 }, 'somebody-else'));
  expect(await states(open(store))).toEqual({ 'web-1': 'forged' });
});

test('what a heartbeat changes is written once in a while and at the end, a new host at once', async () => {
  const file = () => {
    const [name] = readdirSync(join(temp.path, 'pins'));
    return readFileSync(join(temp.path, 'pins', name!), 'utf8');
  };
  store.put('web-1', sign({ sequence: 1 }));
  const reader = open(store);
  await states(reader);
  expect(file()).toContain('"sequence":1');
  store.put('web-1', sign({ sequence: 2 }));
  await states(reader);
  expect(file()).toContain('"sequence":1');
  store.put('web-2', sign({ host: 'web-2', sequence: 5 }));
  await states(reader);
  expect(file()).toMatch(/"sequence":2.*"sequence":5/);
  store.put('web-1', sign({ sequence: 3 }));
  now += 60_000;
  await states(reader);
  expect(file()).toContain('"sequence":3');
  store.put('web-1', sign({ sequence: 4 }));
  await states(reader);
  await reader.close();
  expect(file()).toContain('"sequence":4');
});

test('a damaged memory is none', async () => {
  store.put('web-1', sign());
  await states(open(store));
  const folder = join(temp.path, 'pins');
  for (const text of ['', '{', '[]', '{"hosts":{"web-1":{"key":1}}}', '{"hosts":null}', 'null']) {
    for (const name of readdirSync(folder)) writeFileSync(join(folder, name), text);
    expect(await states(open(store))).toEqual({ 'web-1': 'working' });
  }
});

test('of two stores each may lag or be away', async () => {
  const second = createFolderStore(join(temp.path, 'second'), () => now, 'second');
  store.put('web-1', sign({ sequence: 8, state: 'paused' }));
  second.put('web-1', sign({ sequence: 7, clock: AT - 1_000 }));
  second.put('web-2', sign({ host: 'web-2' }));
  const reader = open(store, second);
  expect(await states(reader)).toEqual({ 'web-1': 'paused', 'web-2': 'working' });
  store.setTrouble(trouble('dns', 'no such name'));
  const read = await reader.read(null);
  expect(read).toMatchObject({ ok: true, value: { troubles: [{ code: 'dns' }] } });
  // What it said last still counts.
  expect(await states(reader)).toEqual({ 'web-1': 'paused', 'web-2': 'working' });
  // A reader that begins now knows only the store that lags, and takes it for no replay.
  expect(await states(open(store, second))).toEqual({ 'web-1': 'working', 'web-2': 'working' });
  second.setTrouble(trouble('silent', 'no answer'));
  expect(await states(reader)).toEqual({ trouble: 'dns' });
});

test('who signed is told, for hosts.yaml', async () => {
  store.put('web-1', sign());
  const reader = open(store);
  await states(reader);
  expect(reader.keyOf('web-1')).toMatch(/^ssh-ed25519 AAAA/);
  expect(reader.keyOf('web-2')).toBe(null);
});
