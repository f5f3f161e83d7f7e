import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { monotonicMs } from '../system/clock.ts';
import { openHttpConnection } from './http-connection.ts';
import { parseRemoteUrl } from './remote-url.ts';

afterEach(() => vi.restoreAllMocks());

test('a connection is kept, and made anew after ten minutes, so that its name is looked up again', async () => {
  let connections = 0;
  const server = createServer((_, response) => response.end('well'));
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = parseRemoteUrl(`http://127.0.0.1:${port}/it.git`);
  if (!url.ok) throw new Error(url.trouble.message);
  const connection = await openHttpConnection(url.value, {
    proxy: null,
    tls: { ca: null, cert: null, key: null },
    timeoutMs: 10_000,
  });
  const ask = () =>
    connection.send(
      { method: 'GET', path: '/', headers: [], body: null },
      { deadline: monotonicMs() + 10_000, onBody: () => false },
    );
  try {
    for (let n = 0; n < 3; n += 1) expect(await ask()).toMatchObject({ status: 200 });
    expect(connections).toBe(1);
    const real = process.hrtime.bigint;
    vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => real() + 600_000_000_000n);
    for (let n = 0; n < 3; n += 1) expect(await ask()).toMatchObject({ status: 200 });
    expect(connections).toBe(2);
    // Hung up, it may be used again.
    connection.close();
    expect(await ask()).toMatchObject({ status: 200 });
    expect(connections).toBe(3);
  } finally {
    connection.close();
    server.close();
    server.closeAllConnections();
  }
});
