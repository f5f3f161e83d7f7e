/** A bare repository that hosts publish into, and what they say. */
import { join } from 'node:path';
import { defaultLimits } from '../../src/config/limits.ts';
import type { HostId } from '../../src/model/ids.ts';
import type { Presence, Transition } from '../../src/model/presence.ts';
import { NO_ACCESS } from '../../src/model/repo.ts';
import { formatPresence } from '../../src/presence/format-presence.ts';
import type { GitStoreOptions } from '../../src/presence/git-store.ts';
import type { Outgoing } from '../../src/presence/store.ts';
import { systemClock } from '../../src/system/clock.ts';
import { git } from './git.ts';
import { tempFolder } from './temp.ts';

export interface StatusRepository extends Disposable {
  /** Holds the bare repository: what a git server may be pointed at. */
  readonly folder: string;
  readonly path: string;
  readonly bare: string;
  git(...args: string[]): Promise<string>;
  /** Makes it anew, after it was removed. */
  make(): Promise<void>;
  /** A folder for the state of one more machine. */
  state(name: string): string;
}

export async function createStatusRepository(
  o: { format?: 'sha1' | 'sha256' } = {},
): Promise<StatusRepository> {
  const temp = tempFolder('status');
  const folder = join(temp.path, 'served');
  const bare = join(folder, 'status.git');
  const make = async () => {
    await git(['init', '--quiet', '--bare', `--object-format=${o.format ?? 'sha1'}`, bare]);
    await git(['-C', bare, 'config', 'http.receivepack', 'true']);
  };
  await make();
  return {
    make,
    folder,
    path: 'status.git',
    bare,
    git: (...args) => git(['-C', bare, ...args]),
    state: (name) => join(temp.path, name),
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

export function storeOptions(folder: string, more: Partial<GitStoreOptions> = {}): GitStoreOptions {
  return {
    access: NO_ACCESS,
    folder,
    env: { PATH: process.env.PATH },
    sshFolder: null,
    limits: defaultLimits,
    clock: systemClock,
    ...more,
  };
}

/** One machine, which counts what it says. */
export function createMachine(
  host: string,
  o: { id?: string; bootId?: string; heartbeatMs?: number; addresses?: readonly string[] } = {},
) {
  const id = (o.id ?? 'a'.repeat(26)) as HostId;
  const bootId = o.bootId ?? 'boot-1';
  let sequence = 0;

  const presence = (more: Partial<Presence> = {}) => {
    sequence += 1;
    const value: Presence = {
      version: 1,
      host,
      id,
      labels: { part: 'app' },
      addresses: o.addresses ?? ['192.0.2.1'],
      state: 'working',
      reason: null,
      repos: [],
      actions: [],
      actionsOmitted: 0,
      agent: '1.0.0',
      git: '2.39.5',
      bootId,
      sequence,
      intervalMs: 60_000,
      heartbeatMs: o.heartbeatMs ?? 300_000,
      clock: Date.UTC(2026, 0, 1) + sequence * 1_000,
      freeBytes: 1_000_000,
      facts: {},
      conflict: null,
      ...more,
    };
    return { text: formatPresence(value), signature: `signature of ${host} ${sequence}\n` };
  };
  const transition = (subject: string, more: Partial<Transition> = {}): Transition => {
    const signed = presence();
    return {
      sequence,
      at: Date.UTC(2026, 0, 1) + sequence * 1_000,
      subject,
      presence: signed,
      log: null,
      ...more,
    };
  };
  const outgoing = (transitions: readonly Transition[] = []): Outgoing => ({
    host,
    id,
    bootId,
    transitions,
    presence: transitions.at(-1)?.presence ?? presence(),
  });
  return { host, id, bootId, presence, transition, outgoing };
}
