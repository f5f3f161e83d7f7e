import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../tests/support/until.ts';
import {
  type AgentAnswer,
  askAgent,
  holdAgent,
  openSocket,
  type SocketHandlers,
  socketFile,
} from './socket.ts';
import { readState } from './state-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pullyu-socket-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const handlers = (state: string, more: Partial<SocketHandlers> = {}): SocketHandlers => ({
  state: () => ({ state: readState(state), openRun: null, heldSince: null }),
  look: async () => ({ exitCode: 0, message: 'looked' }),
  run: async (repo, action) => ({ code: 'busy', message: `${repo} ${action}`, hint: null }),
  hold: async () => false,
  ...more,
});

test.each([
  ['a short path', ''],
  ['a path that is too long for a socket', 'x'.repeat(120)],
])('the agent answers on %s', async (_, name) => {
  const state = join(folder, name);
  mkdirSync(state, { recursive: true });
  const socket = await openSocket(state, handlers(state));
  try {
    expect(await askAgent<AgentAnswer>(state, 'GET', '/state', 2_000)).toMatchObject({ openRun: null });
    expect(await askAgent(state, 'POST', '/look', 2_000)).toEqual({ exitCode: 0, message: 'looked' });
    for (const path of ['/secrets', '//', '/%', '?'])
      expect(await askAgent(state, 'GET', path, 2_000)).toBeNull();
    expect(statSync(socketFile(state)).mode & 0o777).toBe(0o600);
  } finally {
    socket.close();
  }
  expect(await askAgent(state, 'GET', '/state', 2_000)).toBeNull();
});

test('a socket that a dead agent left is replaced, and nobody answers on it before', async () => {
  writeFileSync(socketFile(folder), '');
  expect(await askAgent(folder, 'GET', '/state', 2_000)).toBeNull();
  const socket = await openSocket(folder, handlers(folder));
  expect(await askAgent(folder, 'GET', '/state', 2_000)).not.toBeNull();
  socket.close();
});

test('a run is asked for by repo and action, whatever characters they hold', async () => {
  const socket = await openSocket(folder, handlers(folder));
  const path = `/run?${new URLSearchParams({ repo: 'it', action: 'a b&c/é' })}`;
  expect(await askAgent(folder, 'POST', path, 2_000)).toMatchObject({ message: 'it a b&c/é' });
  socket.close();
});

test('a hold lasts until it is released, and is refused while a run is open', async () => {
  let ended = false;
  const socket = await openSocket(
    folder,
    handlers(folder, {
      hold: async (released) => {
        void released.then(() => {
          ended = true;
        });
        return true;
      },
    }),
  );
  const hold = await holdAgent(folder, 2_000);
  if (hold === null || hold === 'busy') throw new Error('expected a hold');
  expect(ended).toBe(false);
  hold.release();
  await until(() => ended, { what: 'the end of the hold' });
  socket.close();
  expect(await holdAgent(folder, 2_000)).toBeNull();
  const other = await openSocket(folder, handlers(folder));
  expect(await holdAgent(folder, 2_000)).toBe('busy');
  other.close();
});
