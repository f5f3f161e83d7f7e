/** examples/web-app, pushed as it is: deployed, changed, broken, removed. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../support/child.ts';
import { bootstrapExample, type Example, namesIn, nodeLabel } from '../support/example.ts';

const PAGE = 'apps/shop/page.html';
const STATE = 'var/lib/pullyu/repos/it/state/shop';
const page = (headline: string) => ({ files: { [PAGE]: `<h1>${headline}</h1>\n` }, message: headline });

async function visit(port: number): Promise<{ text: string; release: string | null }> {
  const response = await fetch(`http://127.0.0.1:${port}/`);
  return { text: await response.text(), release: response.headers.get('x-release') };
}

let port: number;
beforeAll(async () => {
  port = await freePort();
});

const start = (): Promise<Example> =>
  bootstrapExample('web-app', { labels: { part: 'app', port: String(port), ...nodeLabel() } });

test('the web application is deployed, changed by a push, safe from a bad commit, and removed with its label', async () => {
  await using example = await start();
  const { remote, host } = example;
  expect(example.bootstrapped.code, example.bootstrapped.stdout).toBe(0);
  expect(await visit(port)).toMatchObject({
    text: expect.stringContaining('<h1>Welcome to the shop</h1>'),
    release: await remote.head(),
  });

  const changed = await remote.publish(page('Summer sale'));
  expect((await host.look()).code).toBe(0);
  expect(await visit(port)).toEqual({ text: '<h1>Summer sale</h1>\n', release: changed });

  await remote.publish({ files: { 'README.md': 'other words\n' } });
  expect((await host.look()).code).toBe(0);
  expect(await visit(port)).toMatchObject({ release: changed });

  await remote.publish({ files: { 'apps/shop/server.mjs': 'this is no program\n' } });
  const failed = await host.look();
  expect(failed.code).toBe(1);
  expect(failed.stdout).toContain('the new release does not answer, the old one stays in service');
  expect(await visit(port)).toMatchObject({ release: changed });
  expect(namesIn(host, `${STATE}/releases`)).toHaveLength(2);

  const reverted = await remote.revert();
  expect((await host.look()).code).toBe(0);
  expect(await visit(port)).toMatchObject({ release: reverted });

  host.configure({ labels: { part: 'db' }, repos: { it: remote.url } });
  expect((await host.look()).code).toBe(0);
  await expect(visit(port)).rejects.toThrow();
  expect(namesIn(host, STATE)).toEqual([]);
  await host.expectNoLeaks();
});

test('a server that died is started again after a restart of the machine', async () => {
  await using example = await start();
  const { host } = example;
  process.kill(Number(host.read(`${STATE}/shop.pid`)), 'SIGKILL');
  expect((await host.look({ env: { PULLYU_BOOT_ID: 'another boot' } })).stdout).toContain(
    'the machine was started since its last success',
  );
  expect((await visit(port)).text).toContain('Welcome to the shop');
});

test('a port that another program has is named, and taken as soon as it is free', async () => {
  const other = createServer((_, response) => void response.end('something else')).listen(port, '127.0.0.1');
  await once(other, 'listening');
  onTestFinished(() => void other.close());
  await using example = await start();
  expect(example.bootstrapped.code).toBe(1);
  expect(example.bootstrapped.stdout).toContain(`port ${port} was not to be had`);
  other.close();
  await once(other, 'close');
  await example.host.run(['redo', 'shop']);
  expect((await example.host.look()).code).toBe(0);
  expect((await visit(port)).text).toContain('Welcome to the shop');
});
