import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { needsProgram } from '../../tests/support/needs.ts';
import { type Asker, createAsker } from '../../tests/support/probe.ts';
import { createRemote, type Remote } from '../../tests/support/repo.ts';
import { type Sshd, startSshd } from '../../tests/support/sshd.ts';
import { type TempFolder, tempFolder } from '../../tests/support/temp.ts';
import type { CommitId } from '../model/ids.ts';

const PROGRAMS = ['sshd', 'ssh', 'ssh-keygen'];
const test = needsProgram(...PROGRAMS);

let temp: TempFolder;
let remote: Remote;
let head: CommitId;
let sshd: Sshd;

beforeAll(async () => {
  temp = tempFolder('ssh');
  remote = await createRemote();
  head = await remote.publish({ files: { a: '1' } });
  await remote.tag('v1.0.0', { annotated: true });
  try {
    sshd = await startSshd({ bare: remote.bare });
  } catch {
    // Without sshd every test below is skipped, visibly.
  }
});
afterAll(async () => {
  await sshd?.close();
  remote?.[Symbol.dispose]();
  temp?.[Symbol.dispose]();
});

let count = 0;
function ssh(o: { key?: string; kept?: boolean } = {}): Asker & { folder: string } {
  const folder = join(temp.path, `s${count++}`);
  const asker = createAsker(
    sshd.url,
    { sshKey: o.key ?? sshd.key, sshKnownHosts: sshd.knownHosts },
    {
      env: { PATH: process.env.PATH },
      sshFolder: o.kept === false ? null : folder,
      limits: { probeTimeoutMs: 15_000 },
    },
  );
  return Object.assign(asker, { folder });
}

test('one login serves many probes, and closing ends the connection', async () => {
  const asker = ssh();
  const before = sshd.logins();
  for (let i = 0; i < 3; i++) {
    expect(await asker.ask()).toMatchObject({
      ok: true,
      value: { commit: head, ref: 'refs/heads/main', url: sshd.url },
    });
  }
  expect(sshd.logins() - before).toBe(1);
  expect(readdirSync(asker.folder)).toHaveLength(1);
  asker[Symbol.dispose]();
  await expect.poll(() => (existsSync(asker.folder) ? readdirSync(asker.folder).length : 0)).toBe(0);
});

test('tags are peeled and patterns chosen, with protocol v2 and without', async () => {
  for (const accept of [true, false]) {
    await sshd.setAcceptProtocol(accept);
    using asker = ssh({ kept: false });
    for (let i = 0; i < 2; i++) expect(await asker.outcome(), `v2 ${accept}`).toBe(head);
    expect(await asker.outcome({ kind: 'exact-tag', name: 'v1.0.0' })).toBe(head);
    expect(await asker.ask({ kind: 'tag', pattern: 'v*' })).toMatchObject({
      value: { ref: 'refs/tags/v1.0.0' },
    });
    expect(await asker.outcome({ kind: 'branch', name: 'gone' })).toBe('ref-missing');
  }
  await sshd.setAcceptProtocol(true);
});

test('a key that is not known there, a host key that changed and a server that is gone have their own names', async () => {
  using stranger = ssh({ key: sshd.strangerKey });
  expect(await stranger.outcome()).toBe('auth-refused');
  await sshd.rotateHostKey();
  using asker = ssh();
  expect(await asker.outcome()).toBe('host-key');
  await sshd.rotateHostKey({ trust: true });
  expect(await asker.outcome()).toBe(head);
  await sshd.stop();
  expect(await asker.outcome()).toBe('unreachable');
  await sshd.start();
  expect(await asker.outcome()).toBe(head);
});

test('a server that accepts and says nothing is silent', async () => {
  const { createServer } = await import('node:net');
  const silent = createServer((socket) => void socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  using asker = createAsker(
    `ssh://git@127.0.0.1:${port}/it.git`,
    { sshKey: sshd.key, sshKnownHosts: sshd.knownHosts },
    { env: { PATH: process.env.PATH }, limits: { probeTimeoutMs: 400 } },
  );
  expect(await asker.outcome()).toBe('silent');
  await new Promise((resolve) => silent.close(resolve));
});
