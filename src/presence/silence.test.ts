/** Who is silent after an outage of the status repository, and after a clock was set: never everybody. */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  createStatusRepository,
  type StatusRepository,
  storeOptions,
} from '../../tests/support/status-repository.ts';
import type { HostId } from '../model/ids.ts';
import { systemClock } from '../system/clock.ts';
import { formatPresence } from './format-presence.ts';
import { createGitStore } from './git-store.ts';
import { ensureHostKey } from './host-key.ts';
import { AT, somePresence } from './presence.testing.ts';
import { createFleetReader } from './read-fleet.ts';
import { signPresence } from './sshsig.ts';

const MINUTE = 60_000;

let repository: StatusRepository;
let now: number;
let up: number;

beforeEach(async () => {
  repository = await createStatusRepository();
  now = AT;
  up = MINUTE;
});
afterEach(() => repository[Symbol.dispose]());

const clock = { ...systemClock, now: () => now };
const pass = (minutes: number) => {
  now += minutes * MINUTE;
  up += minutes * MINUTE;
};

/** A reader; each has what the one before kept. */
function open() {
  const options = storeOptions(repository.state('reader'), { clock, uptime: () => up });
  const reader = createFleetReader([createGitStore(repository.bare, options)], { folder: null, clock });
  return async () => {
    const read = await reader.read(null);
    return read.ok
      ? Object.fromEntries(read.value.hosts.map(({ name, state }) => [name, state]))
      : read.trouble.code;
  };
}

/** Beats every five minutes. */
async function publish(host: string, sequence: number): Promise<void> {
  const presence = { host, sequence, clock: now, heartbeatMs: 5 * MINUTE };
  const text = formatPresence(somePresence(presence));
  const signed = {
    text,
    signature: signPresence(text, ensureHostKey(repository.state(`${host}.key`), host)),
  };
  const store = createGitStore(repository.bare, storeOptions(repository.state(host), { clock }));
  const out = {
    host,
    id: 'abcdefghijklmnopqrstuvwxyz' as HostId,
    bootId: 'boot',
    transitions: [],
    presence: signed,
  };
  expect((await store.publish(out)).ok).toBe(true);
  await store.close();
}

test('a status repository that was away for hours makes nobody silent when it comes back, and who is gone later', async () => {
  await publish('web-1', 1);
  await publish('web-2', 1);
  let read = open();
  expect(await read()).toEqual({ 'web-1': 'working', 'web-2': 'working' });
  const away = join(repository.folder, 'away');
  renameSync(repository.bare, away);
  for (let minutes = 0; minutes < 120; minutes += 10) {
    // Now and then the reader is started anew.
    if (minutes === 60) read = open();
    pass(10);
    expect(typeof (await read())).toBe('string');
  }
  renameSync(away, repository.bare);
  pass(1);
  // The hosts wait for their next try.
  expect(await read()).toEqual({ 'web-1': 'working', 'web-2': 'working' });
  pass(5);
  await publish('web-1', 2);
  expect(await open()()).toEqual({ 'web-1': 'working', 'web-2': 'working' });
  pass(11);
  expect(await read()).toEqual({ 'web-1': 'working', 'web-2': 'silent' });
});

test('a clock that is set forward makes nobody silent, one that is set back lets nobody live on', async () => {
  await publish('web-1', 1);
  const read = open();
  expect(await read()).toEqual({ 'web-1': 'working' });
  pass(1);
  now += 600 * MINUTE;
  expect(await read()).toEqual({ 'web-1': 'working' });
  pass(16);
  expect(await read()).toEqual({ 'web-1': 'silent' });
  await publish('web-1', 2);
  expect(await read()).toEqual({ 'web-1': 'working' });
  now -= 600 * MINUTE;
  expect(await read()).toEqual({ 'web-1': 'working' });
  pass(16);
  expect(await read()).toEqual({ 'web-1': 'silent' });
});

test('a reader that slept sees who went on and who did not', async () => {
  await publish('web-1', 1);
  await publish('web-2', 1);
  const read = open();
  await read();
  pass(8 * 60);
  await publish('web-1', 2);
  expect(await read()).toEqual({ 'web-1': 'working', 'web-2': 'silent' });
});
