/** A status repository that keeps everybody waiting, or takes little: what takes a test long because the hosts wait as they would. */
import { afterEach, expect, test } from 'vitest';
import { startFaultProxy } from '../support/proxy.ts';
import { createPublishingWorld } from '../support/publishing-world.ts';
import { createRemote } from '../support/repo.ts';
import { said, say } from '../support/say.ts';
import { startSmartHttp } from '../support/smart-http.ts';
import { until } from '../support/until.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
const world = (o: Parameters<typeof createPublishingWorld>[1] = {}) => createPublishingWorld(cleanups, o);

test('a status server that is silent delays no look and no end of the agent, and gets everything when it is back', async () => {
  const served = await createRemote('status');
  cleanups.push(() => served[Symbol.dispose]());
  const web = await startSmartHttp(served.folder);
  const proxy = await startFaultProxy({ to: web.port, fault: { kind: 'silence' } });
  cleanups.push(
    () => web[Symbol.asyncDispose](),
    () => proxy.close(),
  );
  // Whoever waited for it would wait for longer than this test.
  const limits = { probeTimeout: '5m', fetchStall: '5m' };
  const w = await world({ statusUrl: `http://127.0.0.1:${proxy.port}/${served.path}`, more: { limits } });
  const host = w.host();
  const agent = await host.start();
  await until(() => proxy.open() > 0, { what: 'a question to the status server' });
  for (const text of ['two', 'three']) await host.untilApplied(await w.it.publish(say(text)));
  agent.kill('SIGTERM');
  expect(await agent.ended).toMatchObject({ exitCode: 0 });
  expect(said(host)).toEqual(['one', 'two', 'three']);

  const commit = await w.it.publish(say('four'));
  expect((await host.look()).code).toBe(0);
  expect((await host.status()).repos[0]?.applied).toBe(commit);
  await proxy.set({ kind: 'pass' });
  await host.look();
  expect((await w.told('web-1', served)).filter((line) => / ok at /.test(line))).toHaveLength(4);
}, 120_000);

test('a web server that takes small requests only gets what waits in parts', async () => {
  const served = await createRemote('status');
  cleanups.push(() => served[Symbol.dispose]());
  const web = await startSmartHttp(served.folder);
  cleanups.push(() => web[Symbol.asyncDispose]());
  const w = await world({ statusUrl: web.url(served.path), heartbeat: '1s' });
  const host = w.host();
  // No push arrives, until twelve wait.
  web.hook = (_, response) => {
    response.writeHead(502).end();
    return true;
  };
  for (let n = 0; n < 10; n += 1) {
    await w.it.publish(say(`text ${n}`));
    expect((await host.look()).code).toBe(0);
  }
  const MOST = 6_000;
  let refused = 0;
  web.hook = (request, response) => {
    if (Number(request.headers['content-length'] ?? 0) <= MOST) return false;
    refused += 1;
    response.writeHead(413).end();
    return true;
  };
  await host.start();
  await until(async () => (await w.told('web-1', served)).length >= 11, {
    what: 'all lines',
    found: () => ({ refused, asked: web.asked.slice(-5) }),
    timeoutMs: 60_000,
  });
  expect(refused).toBeGreaterThan(0);
}, 120_000);
