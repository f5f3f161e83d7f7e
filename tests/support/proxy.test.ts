import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { startGitServer } from '../../src/demo/git-server.ts';
import { startConnectProxy } from './connect-proxy.ts';
import { git } from './git.ts';
import { type FaultProxy, startFaultProxy } from './proxy.ts';
import { createRemote } from './repo.ts';

/** Says hello in 10 bytes to whoever comes. */
async function startGreeter() {
  const server = createServer((socket) => socket.on('error', () => {}).end('0123456789')).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return { port, [Symbol.asyncDispose]: async () => void server.close() };
}

/** What a client gets to see: the bytes, then how it ended. */
function visit(proxy: FaultProxy, giveUpMs = 5_000): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(proxy.port, '127.0.0.1');
    let text = '';
    const timer = setTimeout(() => socket.destroy(new Error('nothing')), giveUpMs);
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += `${piece}|`;
    });
    socket.once('end', () => {
      text += 'end';
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      text += error.code ?? error.message;
    });
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

test('each fault looks to a client like the real one, and can be switched', async () => {
  await using greeter = await startGreeter();
  await using proxy = await startFaultProxy({ to: greeter.port });
  expect(await visit(proxy)).toBe('0123456789|end');
  await proxy.set({ kind: 'silence' });
  expect(await visit(proxy, 100)).toBe('nothing');
  await proxy.set({ kind: 'reset' });
  expect(await visit(proxy)).toBe('ECONNRESET');
  await proxy.set({ kind: 'refuse' });
  expect(await visit(proxy)).toBe('ECONNREFUSED');
  await proxy.set({ kind: 'dribble', bytes: 4, everyMs: 20 });
  expect(await visit(proxy)).toBe('0123|4567|89|end');
  await proxy.set({ kind: 'truncate', bytes: 3 });
  expect(await visit(proxy)).toBe('012|end');
  await proxy.set({ kind: 'truncate', bytes: 3, how: 'reset' });
  expect(await visit(proxy)).toContain('ECONNRESET');
  await proxy.set({ kind: 'pass' });
  expect(await visit(proxy)).toBe('0123456789|end');
  expect(proxy.connections()).toBe(7);
  expect(proxy.bytes()).toBe(36);
});

test('a change of fault cuts the connections that are open', async () => {
  await using greeter = await startGreeter();
  await using proxy = await startFaultProxy({ to: greeter.port, fault: { kind: 'silence' } });
  const visitor = visit(proxy);
  await expect.poll(() => proxy.open()).toBe(1);
  await proxy.set({ kind: 'pass' });
  expect(await visitor).toBe('ECONNRESET');
  await expect.poll(() => proxy.open()).toBe(0);
});

test('git goes through the HTTP proxy, with its password', async () => {
  using remote = await createRemote();
  await remote.publish({ files: { x: '1' } });
  await using server = await startGitServer({ folder: remote.folder });
  await using proxy = await startConnectProxy({ user: 'u', password: 'p' });
  const listed = (proxyUrl: string) =>
    git(['-c', `http.proxy=${proxyUrl}`, 'ls-remote', server.url(remote.path)]);
  expect(await listed(`http://u:p@127.0.0.1:${proxy.port}`)).toContain('refs/heads/main');
  await expect(listed(proxy.url)).rejects.toThrow(/407/);
  expect(proxy.requests()[0]).toContain(`GET ${server.url(remote.path)}`);
});
