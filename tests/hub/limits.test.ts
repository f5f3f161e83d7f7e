/** Clients that mean ill, or do not know better: each is refused or bounded, and the hub serves the others. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { formatPacket } from '../../src/git/pkt-line.ts';
import { HUB_LIMITS } from '../../src/hub/hub-context.ts';
import { git } from '../support/git.ts';
import { startHub, type TestHub } from '../support/hub.ts';
import { until } from '../support/until.ts';

const LS_REFS = `${formatPacket('command=ls-refs\n')}0000`;

/** Sends bytes as they are. @returns everything that comes back until the hub closes. */
async function raw(hub: TestHub, ...pieces: (string | Buffer)[]): Promise<string> {
  const socket = connect(hub.port, '127.0.0.1');
  socket.on('error', () => {});
  let text = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
  });
  for (const piece of pieces) socket.write(piece);
  await once(socket, 'close');
  return text;
}

const statusOf = (text: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0);

async function isWell(hub: TestHub): Promise<void> {
  expect(await (await fetch(hub.url('healthz'))).text()).toBe('ok\n');
  expect(await git(['ls-remote', hub.url('it.git')])).toBe('');
}

test('no path leads out of the folder, or into a repository', async () => {
  await using hub = await startHub();
  await hub.createRepository('it');
  await git(['init', '--quiet', '--bare', join(hub.folder, 'outside.git')]);
  symlinkSync(join(hub.folder, 'outside.git'), join(hub.repos, 'link.git'));
  const paths = [
    '/../outside.git',
    '/..%2foutside.git',
    '/%2e%2e/outside.git',
    '/it.git/../../outside.git',
    '//outside.git',
    '/./it.git/.git',
    '/.pullyu-hub.git',
    '/it.git/refs.git',
    '/link.git',
    '/it.git%00.git',
    `/${'a'.repeat(5_000)}.git`,
    '/\\..\\outside.git',
  ];
  for (const path of paths) {
    const line = `GET ${path}/info/refs?service=git-upload-pack HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`;
    expect({ path, status: statusOf(await raw(hub, line)) }).toEqual({ path, status: 404 });
  }
  for (const line of [
    'GET http://other/it.git/info/refs HTTP/1.1',
    'CONNECT other:443 HTTP/1.1',
    'DELETE /it.git/info/refs HTTP/1.1',
    'TRACE /it.git/info/refs HTTP/1.1',
    'GET // HTTP/1.1',
  ])
    expect([0, 400, 404, 405]).toContain(
      statusOf(await raw(hub, `${line}\r\nHost: h\r\nConnection: close\r\n\r\n`)),
    );
  await isWell(hub);
});

test('two lengths of one body, and heads that are too long or broken, are refused', async () => {
  await using hub = await startHub();
  await hub.createRepository('it');
  const post = 'POST /it.git/git-upload-pack HTTP/1.1\r\nHost: h\r\n';
  const smuggled = 'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n';
  const both = `${post}Content-Length: ${5 + smuggled.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`;
  const twice = `${post}Content-Length: 4\r\nContent-Length: 40\r\n\r\n0000${smuggled}`;
  const odd = `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`;
  for (const text of [both, twice, odd]) {
    const answer = await raw(hub, text);
    expect(statusOf(answer)).toBe(400);
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  }
  expect(statusOf(await raw(hub, `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`))).toBe(431);
  expect(statusOf(await raw(hub, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'))).toBe(400);
  await isWell(hub);
});

test('a small body that unpacks to a large one is refused at the first byte too many', async () => {
  const limits = { ...HUB_LIMITS, questionMaxBytes: 100_000 };
  await using hub = await startHub({ limits });
  await hub.createRepository('it');
  const send = (body: Uint8Array, more: Record<string, string> = {}) =>
    fetch(hub.url('it.git/git-upload-pack'), {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-git-upload-pack-request',
        'Git-Protocol': 'version=2',
        ...more,
      },
      body: new Uint8Array(body),
    });
  const bomb = gzipSync(Buffer.alloc(200 * 2 ** 20));
  expect(bomb.length).toBeLessThan(300_000);
  const before = process.memoryUsage().rss;
  expect((await send(bomb, { 'Content-Encoding': 'gzip' })).status).toBe(413);
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 2 ** 20);
  expect((await send(Buffer.alloc(200_000))).status).toBe(413);
  expect((await send(Buffer.from('no gzip'), { 'Content-Encoding': 'gzip' })).status).toBe(400);
  expect((await send(Buffer.from(LS_REFS), { 'Content-Encoding': 'br' })).status).toBe(415);
  expect((await send(gzipSync(LS_REFS), { 'Content-Encoding': 'x-gzip' })).status).toBe(200);
  expect((await send(Buffer.from(LS_REFS), { 'Content-Type': 'text/plain' })).status).toBe(415);
  await isWell(hub);
});

test('a client that does not go on is cut off: before the head, in the head, in a small body, in a long one', async () => {
  const limits = { ...HUB_LIMITS, stallMs: 200 };
  await using hub = await startHub({
    limits,
    serve: { limits: { headMs: 300, bodyMs: 200, silentMs: 5_000 } },
  });
  await hub.createRepository('it');
  const post =
    'POST /it.git/git-upload-pack HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-git-upload-pack-request\r\n';
  const token = Buffer.from(`x:${hub.token()}`).toString('base64');
  const push = `POST /it.git/git-receive-pack HTTP/1.1\r\nHost: h\r\nAuthorization: Basic ${token}\r\nContent-Type: application/x-git-receive-pack-request\r\n`;
  const answers = await Promise.all([
    raw(hub),
    raw(hub, 'GET /healthz HTTP/1.1\r\nHo'),
    raw(hub, `${post}Content-Length: 100\r\n\r\n0014`),
    raw(hub, `${post}Transfer-Encoding: chunked\r\n\r\n4\r\n0014\r\n`),
    raw(hub, `${push}Transfer-Encoding: chunked\r\n\r\n4\r\n00ab\r\n`),
  ]);
  expect(answers.map(statusOf)).toEqual([408, 408, 408, 408, 408]);
  await isWell(hub);
});

test('a push that is larger than allowed is refused, and leaves nothing', async () => {
  const limits = { ...HUB_LIMITS, git: { ...HUB_LIMITS.git, pushMaxBytes: 100_000 } };
  await using hub = await startHub({ limits });
  const bare = await hub.createRepository('it');
  const work = join(hub.folder, 'work');
  await git(['init', '--quiet', '--initial-branch=main', work]);
  writeFileSync(join(work, 'large'), randomBytes(3_000_000));
  await git(['add', '.'], { cwd: work });
  await git(['commit', '--quiet', '-m', 'large'], { cwd: work });
  await expect(git(['push', hub.url('it.git', hub.token()), 'main'], { cwd: work })).rejects.toThrow(
    /413|exceeds|hung up|larger than/,
  );
  expect(await git(['for-each-ref'], { cwd: bare })).toBe('');
  await until(() => !readdirSync(join(bare, 'objects')).some((name) => /^(?:tmp|incoming)/.test(name)), {
    what: 'the quarantine to be gone',
  });
});

test('a thousand idle connections hold nobody up; one more than the limit is closed', async () => {
  await using hub = await startHub({ serve: { connectionsMax: 1_010 } });
  await hub.createRepository('it');
  const sockets: Socket[] = [];
  try {
    for (let n = 0; n < 1_000; n += 1) {
      const socket = connect(hub.port, '127.0.0.1');
      socket.on('error', () => {});
      sockets.push(socket);
      if (n % 100 === 99) await once(socket, 'connect');
    }
    await until(() => hub.connections() === 1_000, { what: 'all to be accepted' });
    await isWell(hub);
    const more = Array.from({ length: 20 }, () => connect(hub.port, '127.0.0.1').on('error', () => {}));
    sockets.push(...more);
    await Promise.race(more.map((socket) => once(socket.resume(), 'close')));
    expect(hub.connections()).toBeLessThanOrEqual(1_010);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  await until(() => hub.connections() < 5, { what: 'the places to be free' });
  await isWell(hub);
});

test('a git that wants more memory than it may have ends, and the hub serves the others', async () => {
  const limits = { ...HUB_LIMITS, git: { ...HUB_LIMITS.git, memoryMaxBytes: 24 * 2 ** 20 } };
  await using hub = await startHub({ limits });
  const bare = await hub.createRepository('it');
  const work = join(hub.folder, 'work');
  await git(['init', '--quiet', '--initial-branch=main', work]);
  writeFileSync(join(work, 'large'), randomBytes(30 * 2 ** 20));
  await git(['add', '.'], { cwd: work });
  await git(['commit', '--quiet', '-m', 'large'], { cwd: work });
  await expect(git(['push', hub.url('it.git', hub.token()), 'main'], { cwd: work })).rejects.toThrow();
  expect(await git(['for-each-ref'], { cwd: bare })).toBe('');
  await isWell(hub);
});

test('a list of tokens that cannot be read lets nobody in, and stops no reading that is open to all', async () => {
  await using hub = await startHub();
  await hub.createRepository('it');
  const token = hub.token();
  writeFileSync(join(hub.repos, '.pullyu-hub/tokens.json'), '{"version":1,"tok');
  const ask = (headers: Record<string, string>) =>
    fetch(hub.url('it.git/info/refs?service=git-receive-pack'), { headers });
  expect((await ask({ Authorization: `Bearer ${token}` })).status).toBe(500);
  expect((await ask({})).status).toBe(401);
  expect(hub.events).toContainEqual(
    expect.objectContaining({ type: 'failed', message: expect.stringContaining('list of tokens') }),
  );
  await isWell(hub);
});
