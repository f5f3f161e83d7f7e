/** The hub as a program that dies and stops in the middle of things: all of a push, or nothing of it. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect, test } from 'vitest';
import { sweepQuarantines } from '../../src/hub/sweep-quarantines.ts';
import { delay } from '../../src/system/clock.ts';
import { startPiped } from '../../src/system/piped.ts';
import { createAuthority } from '../support/certificates.ts';
import { freePort, startChild, untilListening } from '../support/child.ts';
import { git, gitEnvironment } from '../support/git.ts';
import { program, runProgram } from '../support/host.ts';
import { startHub } from '../support/hub.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

interface Scene extends AsyncDisposable {
  readonly folder: string;
  readonly bare: string;
  readonly work: string;
  readonly url: (token?: string) => string;
  readonly port: number;
  start(...more: string[]): Promise<ReturnType<typeof startChild>>;
}

const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: '/nonexistent' };

async function createScene(bytes: number): Promise<Scene & { token: string }> {
  const temp = tempFolder('hub-ends');
  const repos = join(temp.path, 'repos');
  const bare = join(repos, 'it.git');
  const work = join(temp.path, 'work');
  await git(['init', '--quiet', '--bare', '--initial-branch=main', bare]);
  await git(['init', '--quiet', '--initial-branch=main', work]);
  writeFileSync(join(work, 'file'), randomBytes(bytes));
  await git(['add', '.'], { cwd: work });
  await git(['commit', '--quiet', '-m', 'one'], { cwd: work });
  const made = await runProgram(
    ['hub', 'token', 'create', '--repos', repos, '--scope', 'write', '--repo', 'it', '--json'],
    { env },
  );
  const { token } = made.json<{ token: string }>();
  const port = await freePort();
  const children: ReturnType<typeof startChild>[] = [];
  return {
    folder: temp.path,
    bare,
    work,
    port,
    token,
    url: (secret) => `http://${secret === undefined ? '' : `x:${secret}@`}127.0.0.1:${port}/it.git`,
    async start(...more) {
      const child = startChild(
        [program, 'hub', '--repos', repos, '--listen', `127.0.0.1:${port}`, '--anonymous-read', ...more],
        { env },
      );
      children.push(child);
      await untilListening(child, port);
      return child;
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) await child.close();
      temp[Symbol.dispose]();
    },
  };
}

const refsOf = async (bare: string) =>
  (await git(['for-each-ref', '--format=%(refname)'], { cwd: bare })).split('\n').filter(Boolean);
/** Command lines of processes that work at this repository. */
const gitsAt = (bare: string) =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((line) => line.includes(bare));
const leftIn = (bare: string) =>
  readdirSync(join(bare, 'objects')).filter((name) => /^(?:tmp|incoming)/.test(name));

test('killed at any moment of a push, either all of it is there or nothing', async () => {
  await using scene = await createScene(3_000_000);
  const branches = ['a', 'b', 'c'].map((name) => `main:refs/heads/${name}`);
  const seen = new Set<number>();
  // From before the first byte to after the last; how long a push takes here is found out by the first.
  let whole = 2_000;
  for (let n = 0; n < 6; n += 1) {
    const hub = await scene.start();
    const begun = performance.now();
    const pushing = startPiped(['git', 'push', '--quiet', scene.url(scene.token), ...branches], {
      env: gitEnvironment,
      cwd: scene.work,
      timeoutMs: 60_000,
    });
    pushing.stdout.resume();
    if (n > 0) setTimeout(() => hub.kill('SIGKILL'), (whole * n) / 5);
    await pushing.ended;
    if (n === 0) whole = performance.now() - begun;
    hub.kill('SIGKILL');
    await hub.ended;
    // A git that has everything finishes without the hub; one that has not gives up at once.
    await until(() => gitsAt(scene.bare).length === 0, {
      what: 'git to end',
      found: () => gitsAt(scene.bare),
    });
    sweepQuarantines(scene.bare, 0, Date.now() + 1_000);
    expect(leftIn(scene.bare)).toEqual([]);
    const refs = await refsOf(scene.bare);
    seen.add(refs.length);
    expect([0, 3]).toContain(refs.length);
    await git(['fsck', '--strict', '--connectivity-only'], { cwd: scene.bare });
    if (refs.length > 0)
      await git(['update-ref', '--stdin'], {
        cwd: scene.bare,
        input: refs.map((ref) => `delete ${ref}\n`).join(''),
      });
  }
  expect(seen).toContain(3);
});

test('told to stop, it finishes what runs and takes nothing new', async () => {
  await using scene = await createScene(5_000_000);
  const hub = await scene.start();
  const pushing = startPiped(['git', 'push', '--quiet', scene.url(scene.token), 'main'], {
    env: gitEnvironment,
    cwd: scene.work,
    timeoutMs: 60_000,
  });
  pushing.stdout.resume();
  await until(() => leftIn(scene.bare).length > 0, { what: 'the push to arrive', everyMs: 1 });
  hub.kill('SIGTERM');
  expect((await pushing.ended).exitCode).toBe(0);
  expect(await hub.ended).toEqual({ exitCode: 0, signal: null });
  expect(await refsOf(scene.bare)).toEqual(['refs/heads/main']);
  await expect(git(['ls-remote', scene.url()])).rejects.toThrow(/connect|refused/i);
  expect(hub.output()).toContain('stops, and lets what runs come to its end');
});

test('over TLS, with a certificate of its own', async () => {
  await using scene = await createScene(100);
  const authority = await createAuthority(scene.folder);
  const pair = await authority.issue('hub', { hosts: ['localhost', '127.0.0.1'] });
  await scene.start('--tls-cert', pair.cert, '--tls-key', pair.key);
  const trusting = ['-c', `http.sslCAInfo=${authority.cert}`];
  const url = (secret = '') => `https://${secret}localhost:${scene.port}/it.git`;
  await git([...trusting, 'push', '--quiet', url(`x:${scene.token}@`), 'main'], { cwd: scene.work });
  expect(await git([...trusting, 'ls-remote', url()])).toContain('refs/heads/main');
  await expect(git(['ls-remote', scene.url()])).rejects.toThrow();
});

test('a renewed certificate is taken without a restart; one that does not fit its key is not', async () => {
  using temp = tempFolder('hub-tls');
  const authority = await createAuthority(temp.path);
  const [one, two] = [
    await authority.issue('one', { hosts: ['localhost'] }),
    await authority.issue('two', { hosts: ['localhost'] }),
  ];
  const files = { cert: join(temp.path, 'cert.pem'), key: join(temp.path, 'key.pem') };
  const install = (cert: string, key: string) => {
    copyFileSync(cert, files.cert);
    copyFileSync(key, files.key);
  };
  install(one.cert, one.key);
  await using hub = await startHub({ serve: { tls: files, limits: { tlsMs: 10 } } });
  const shown = async () => {
    const socket = connect({
      port: hub.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: readFileSync(authority.cert),
    });
    try {
      await once(socket, 'secureConnect');
      return String(socket.getPeerCertificate().subject.CN);
    } finally {
      socket.destroy();
    }
  };
  expect(await shown()).toBe('one');
  install(two.cert, one.key);
  await delay(100);
  expect(await shown()).toBe('one');
  install(two.cert, two.key);
  await until(async () => (await shown()) === 'two', { what: 'the new certificate' });
});

test('what cannot be started says why', async () => {
  await using scene = await createScene(1);
  await scene.start();
  const say = async (...args: string[]) => {
    const ran = await runProgram(['hub', ...args], { env });
    return `${ran.code} ${ran.stderr.split('\n')[0]}`;
  };
  const repos = join(scene.folder, 'repos');
  expect(await say('--repos', repos, '--listen', `127.0.0.1:${scene.port}`)).toMatch(
    /^1 error: expected to listen on .*another program/,
  );
  expect(await say('--repos', join(scene.folder, 'none'))).toMatch(/^2 error: expected a folder for --repos/);
  expect(await say('--repos', repos, '--listen', 'everywhere')).toMatch(/^2 error: expected ADDRESS:PORT/);
  expect(await say('--repos', repos, '--tls-cert', 'x')).toMatch(
    /^2 error: expected --tls-cert and --tls-key together/,
  );
  expect(await say('--repos', repos, '--tls-cert', 'x', '--tls-key', 'y')).toMatch(
    /^2 error: expected a certificate and its key/,
  );
  expect(await say('token', 'create', '--repos', repos, '--scope', 'all', '--repo', 'it')).toMatch(
    /^2 error: expected read, write, status/,
  );
  expect(await say('token', 'create', '--repos', repos, '--scope', 'status', '--repo', 'it')).toMatch(
    /^2 error: expected the name of a host/,
  );
  expect(await say('token', 'revoke', 'nothing', '--repos', repos)).toMatch(
    /^2 error: expected the id of a token/,
  );
});
