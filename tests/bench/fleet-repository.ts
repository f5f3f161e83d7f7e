/** A status repository with presences of many hosts: made at once, as if they had published. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { CommitId, HostId } from '../../src/model/ids.ts';
import type { Presence, SignedPresence } from '../../src/model/presence.ts';
import { formatPresence } from '../../src/presence/format-presence.ts';
import { ensureHostKey } from '../../src/presence/host-key.ts';
import { signPresence } from '../../src/presence/sshsig.ts';
import { git } from '../support/git.ts';

const COMMIT = '3f2a91c0d4b5a6978812f3e4d5c6b7a8990a1b2c' as CommitId;
const BOOT = '2c1f0e7e-9d2c-4f0a-8a6b-0f5f6f3b7c11';
/** Of the hosts that are only there: never silent while the figures are made. */
const HEARTBEAT_MS = 12 * 60 * 60_000;

/** A presence, and what of it a store asks for. */
export interface SignedHost extends SignedPresence {
  readonly host: string;
  readonly id: HostId;
  readonly bootId: string;
  readonly sequence: number;
}

export type MakePresence = (host: string) => SignedHost;

export interface FleetRepository {
  /** Below the folder that is served. */
  readonly path: string;
  readonly hosts: number;
}

export function nameOf(n: number): string {
  return `host-${n + 1}`;
}

/** @param served The folder; the repository is `fleet-HOSTS.git` in it. */
export async function createFleetRepository(
  served: string,
  hosts: number,
  presence: MakePresence,
): Promise<FleetRepository> {
  const path = `fleet-${hosts}.git`;
  const bare = join(served, path);
  await git(['init', '--quiet', '--bare', '--initial-branch=main', bare]);
  await git(['-C', bare, 'config', 'http.receivepack', 'true']);
  const importing = spawn('git', ['-C', bare, 'fast-import', '--quiet'], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  const ended = once(importing, 'exit');
  for (let n = 0; n < hosts; n += 1) {
    const host = nameOf(n);
    if (!importing.stdin.write(commitsOf(host, presence(host)))) await once(importing.stdin, 'drain');
  }
  importing.stdin.write(commit('refs/heads/roster', 'roster', { 'roster.json': '{}\n' }));
  importing.stdin.end();
  const [code] = await ended;
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
  await git(['-C', bare, 'pack-refs', '--all']);
  return { path, hosts };
}

/** The next presence of any host, signed. One key for all: nobody asks whether two hosts share it, and a signature costs the same. */
export function createPresences(folder: string): MakePresence {
  const key = ensureHostKey(folder, 'bench');
  let sequence = Math.floor(Date.now() / 1000);
  return (host) => {
    sequence += 1;
    const now = Date.now();
    const id = idOf(host);
    const presence: Presence = {
      version: 1,
      host,
      id,
      labels: { part: Number(host.slice(-1)) % 2 === 0 ? 'app' : 'db', deployment: 'prod', zone: 'eu' },
      addresses: [addressOf(host)],
      state: 'working',
      reason: null,
      repos: [{ name: 'it', wanted: COMMIT, applied: COMMIT, trouble: null }],
      actions: ['dns', 'monitoring', 'shop'].map((name) => ({
        repo: 'it',
        name,
        outcome: 'ok',
        commit: COMMIT,
        exitCode: 0,
        attempt: 1,
        endedAt: now,
        parked: false,
      })),
      actionsOmitted: 0,
      agent: '0.1.0',
      git: '2.39.5',
      bootId: BOOT,
      sequence,
      intervalMs: 60_000,
      heartbeatMs: HEARTBEAT_MS,
      clock: now,
      freeBytes: 10 ** 10,
      facts: { port: '8080' },
      conflict: null,
    };
    const text = formatPresence(presence);
    return { host, id, bootId: BOOT, sequence, text, signature: signPresence(text, key) };
  };
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** 26 letters, another for each name. */
function idOf(host: string): HostId {
  let number = 0;
  for (const char of host) number = (number * 131 + char.charCodeAt(0)) % 2 ** 40;
  let id = '';
  for (let n = 0; n < 26; n += 1) {
    id += LETTERS[number % 26];
    number = (Math.floor(number / 26) + 7 * n) % 2 ** 40;
  }
  return id as HostId;
}

function addressOf(host: string): string {
  const n = Number(/\d+$/.exec(host)?.[0] ?? 0);
  return `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
}

function commitsOf(host: string, { text, signature }: SignedPresence): string {
  const files = { 'presence.json': text, 'presence.json.sig': signature };
  return (
    commit(`refs/heads/presence/${host}`, `${host} working`, files) +
    commit(`refs/heads/hosts/${host}`, 'shop ok at 3f2a91c in 3.2 s', files)
  );
}

function commit(ref: string, message: string, files: Readonly<Record<string, string>>): string {
  const data = (text: string) => `data ${Buffer.byteLength(text)}\n${text}\n`;
  const lines = Object.entries(files).map(([path, text]) => `M 100644 inline ${path}\n${data(text)}`);
  const committer = `committer host <host@pullyu> ${Math.floor(Date.now() / 1000)} +0000\n`;
  return `commit ${ref}\n${committer}${data(message)}${lines.join('')}\n`;
}
