/** News of a fleet of real hosts, told to a real web service by one of those that may. */
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Child } from '../support/child.ts';
import { git } from '../support/git.ts';
import { createHost, type TestHost } from '../support/host.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { until } from '../support/until.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Told {
  readonly level: string;
  readonly text: string;
  readonly host: string;
}

interface Service {
  readonly url: string;
  readonly told: Told[];
  status: number;
}

async function startService(): Promise<Service> {
  const told: Told[] = [];
  const service = { url: '', told, status: 200 };
  const server: Server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (text) => {
      body += text;
    });
    req.on('end', () => {
      res.statusCode = service.status;
      res.end();
      if (service.status === 200) told.push(JSON.parse(body) as Told);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  service.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/s3cr3t`;
  return service;
}

const ACTIONS = 'actions:\n  shop: {run: shop.sh, paths: [shop.sh], retry: {delay: 1h}}\n';

interface World {
  readonly it: Remote;
  readonly service: Service;
  /** Until what was told is known to the others: who dies before that is repeated. */
  untilShared(text: string): Promise<unknown>;
  /** Without an agent. */
  shot(name: string, part: string): TestHost;
  host(name: string, part: string): Promise<{ host: TestHost; agent: Child }>;
}

async function world(hold: string): Promise<World> {
  const [it, status, service] = [await createRemote(), await createRemote('status'), await startService()];
  cleanups.push(
    () => it[Symbol.dispose](),
    () => status[Symbol.dispose](),
  );
  await it.publish({ files: { 'pullyu.yaml': ACTIONS }, scripts: { 'shop.sh': '#!/bin/sh\nexit 0\n' } });
  const shot = (name: string, part: string): TestHost => {
    const host = createHost({
      name,
      labels: { part },
      repos: { it: it.url },
      more: {
        status: { remote: status.url, heartbeat: '2s' },
        notify: { from: { part: 'control' }, hold, channels: [{ webhook: service.url }] },
      },
    });
    cleanups.push(() => host.close());
    return host;
  };
  return {
    it,
    service,
    untilShared: (text) =>
      until(
        async () => {
          const args = ['--git-dir', status.bare, 'show', 'refs/heads/news/state:state.json'];
          return (await git(args).catch(() => '')).includes(text);
        },
        { what: `"${text}" to be shared`, ...LONG },
      ),
    shot,
    async host(name, part) {
      const host = shot(name, part);
      return { host, agent: await host.start() };
    },
  };
}

const LONG = { timeoutMs: 60_000 };

test('a failing commit is one message, a silent host another, and a control host that dies is replaced', async () => {
  const w = await world('2s');
  const hosts = [
    await w.host('control-1', 'control'),
    await w.host('control-2', 'control'),
    await w.host('app-1', 'app'),
  ];
  const { told } = w.service;
  const first = await w.it.git('rev-parse', 'main');
  await Promise.all(hosts.map(({ host }) => host.untilApplied(first.trim(), LONG)));

  /** On a machine under load others may be late too: of one thing there is one message. */
  const about = (pattern: RegExp) => told.filter(({ text }) => pattern.test(text));
  const untilTold = (pattern: RegExp) =>
    until(() => about(pattern)[0], { what: `${pattern} to be told`, found: () => told, ...LONG });

  const bad = await w.it.publish({ message: 'a bad shop', scripts: { 'shop.sh': '#!/bin/sh\nexit 3\n' } });
  const failed = await untilTold(/failed/);
  expect(failed.level).toBe('critical');
  expect(failed.text).toBe(
    `${bad.slice(0, 7)} (a bad shop): shop failed on all 3 hosts: app-1, control-1, control-2 (exit code 3)`,
  );

  await w.untilShared('failed it shop');
  // Whoever told it dies: the other one tells that, and goes on.
  const [dead, left] = failed.host === 'control-1' ? [0, 1] : [1, 0];
  process.kill(hosts[dead]!.agent.pid, 'SIGKILL');
  const gone = await untilTold(new RegExp(`${failed.host} is silent: no contact for`));
  expect(gone.host).toBe(`control-${left + 1}`);

  process.kill(hosts[2]!.agent.pid, 'SIGKILL');
  const silent = await untilTold(/app-1 is silent: no contact for/);
  expect(silent.host).toBe(gone.host);
  expect([about(/failed/), about(/app-1 is silent/)].map((list) => list.length)).toEqual([1, 1]);
});

test('one-shot looks tell the news too, and a service that fails keeps no look from its work', async () => {
  const w = await world('100ms');
  const host = w.shot('control-1', 'control');
  const { told } = w.service;
  expect((await host.look()).code).toBe(0);
  const bad = await w.it.publish({ message: 'a bad shop', scripts: { 'shop.sh': '#!/bin/sh\nexit 3\n' } });
  w.service.status = 503;
  const looks = [await host.look(), await host.look(), await host.look()];
  expect(looks.map(({ code }) => code)).toEqual([1, 1, 1]);
  expect(looks.map(({ stdout, stderr }) => stdout + stderr).join('')).toContain(
    'took no message: status 503; it is tried again',
  );
  w.service.status = 200;
  const ask = async () => {
    await host.look();
    return told[0];
  };
  const found = await until(ask, { what: 'the news', everyMs: 500, ...LONG });
  expect(found.text).toBe(
    `${bad.slice(0, 7)} (a bad shop): shop failed on its only host: control-1 (exit code 3)`,
  );
  await host.look();
  expect(told).toHaveLength(1);
});

test('`notify test` says of each channel whether it took the message, and shows no secret', async () => {
  const service = await startService();
  const host = createHost({ repos: { it: '/nonexistent' } });
  cleanups.push(() => host.close());
  const script = join(host.root, 'tell.sh');
  writeFileSync(script, '#!/bin/sh\nexit 9\n', { mode: 0o755 });
  const channels = [{ webhook: service.url, level: 'chatty' }, { script }];
  host.configure({
    more: { status: { remote: '/srv/status.git' }, notify: { from: { part: 'x' }, channels } },
  });
  const tested = await host.run(['notify', 'test']);
  expect(tested.code).toBe(1);
  expect(tested.stdout).toBe(
    `sent channel 1 (webhook at ${new URL(service.url).host}), chatty\nfailed channel 2 (script ${script}), critical: it exited with 9\n`,
  );
  expect(service.told).toMatchObject([
    { level: 'chatty', text: 'a test of pullyu on host-1: this channel works' },
  ]);
  service.status = 500;
  const failed = await host.run(['notify', 'test', '--json']);
  expect(failed.json()).toMatchObject({ channels: [{ sent: false, why: 'status 500' }, { sent: false }] });
  expect(failed.stdout + failed.stderr).not.toContain('s3cr3t');
});

test('a host without `notify` says so', async () => {
  const host = createHost({ repos: { it: '/nonexistent' } });
  cleanups.push(() => host.close());
  const tested = await host.run(['notify', 'test']);
  expect([tested.code, tested.stderr]).toEqual([2, expect.stringContaining('expected notify in')]);
});
