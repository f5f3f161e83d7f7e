/** The metrics of a host, as node_exporter's textfile collector finds them. */
import { existsSync, mkdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createHost, type TestHost } from '../support/host.ts';
import { parseMetrics } from '../support/prometheus.ts';
import { createRemote } from '../support/repo.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const ACTIONS =
  'actions:\n  shop: {run: shop.sh, paths: [shop.sh]}\n  other: {run: shop.sh, hosts: {part: db}}\n';

async function world(more: Record<string, unknown> = {}) {
  const remote = await createRemote();
  cleanups.push(() => remote[Symbol.dispose]());
  await remote.publish({ files: { 'pullyu.yaml': ACTIONS }, scripts: { 'shop.sh': '#!/bin/sh\nexit 0\n' } });
  const host = createHost({
    repos: { it: remote.url },
    more: { metrics: { textfile: '../../prom', ...more } },
  });
  cleanups.push(() => host.close());
  mkdirSync(join(host.root, 'prom'));
  return { remote, host, file: join(host.root, 'prom/pullyu.prom') };
}

function values(host: TestHost, name = 'pullyu.prom'): ReadonlyMap<string, number> {
  return parseMetrics(host.read(`prom/${name}`) ?? '').values;
}

const runs = (outcome: string) => `pullyu_action_runs_total{repo="it",action="shop",outcome="${outcome}"}`;
const succeeded = 'pullyu_action_last_success_timestamp_seconds{repo="it",action="shop"}';

test('after each look the file says what the host is, did and knows; anybody may read it', async () => {
  const { remote, host, file } = await world();
  const before = Date.now() / 1000;
  expect((await host.look()).code).toBe(0);
  const commit = (await host.status()).repos[0]!.applied;
  const first = values(host);
  expect(first.get(`pullyu_repo_info{repo="it",wanted="${commit}",applied="${commit}"}`)).toBe(1);
  expect(first.get(runs('ok'))).toBe(1);
  expect(first.get(succeeded)).toBeGreaterThan(before);
  expect(first.get('pullyu_state{state="working"}')).toBe(1);
  expect(first.get('pullyu_last_contact_timestamp_seconds{repo="it"}')).toBeGreaterThan(before);
  expect([...first.keys()].some((name) => name.includes('other'))).toBe(false);
  expect(statSync(file).mode & 0o777).toBe(0o644);

  await remote.publish({ scripts: { 'shop.sh': '#!/bin/sh\nexit 78\n' } });
  await host.look();
  const second = values(host);
  expect([second.get(runs('ok')), second.get(runs('failed'))]).toEqual([1, 1]);
  expect(second.get(succeeded)).toBe(first.get(succeeded));
  expect(second.get('pullyu_state{state="wedged"}')).toBe(1);
});

test('while only times change the file is left alone for ten seconds', async () => {
  const { host, file } = await world();
  await host.look();
  // The second look remembers that there is nothing to do.
  await host.look();
  const written = statSync(file).ino;
  await host.look();
  expect(statSync(file).ino).toBe(written);
  const old = new Date(Date.now() - 11_000);
  utimesSync(file, old, old);
  const before = values(host).get('pullyu_last_look_timestamp_seconds')!;
  await host.look();
  expect(statSync(file).ino).not.toBe(written);
  expect(values(host).get('pullyu_last_look_timestamp_seconds')).toBeGreaterThan(before);
});

test('a remote that cannot be reached is a trouble, until it is back', async () => {
  const { remote, host } = await world();
  await host.look();
  host.configure({ repos: { it: join(remote.folder, 'gone.git') } });
  await host.look();
  expect(values(host).get('pullyu_repo_trouble{repo="it",code="not-found"}')).toBe(1);
  expect(values(host).get('pullyu_state{state="working"}')).toBe(1);
  host.configure({ repos: { it: remote.url } });
  await host.look();
  expect([...values(host).keys()].filter((name) => name.startsWith('pullyu_repo_trouble'))).toEqual([]);
});

test('a folder that is not there is a warning and no more; nobody but its owner makes it', async () => {
  const { host } = await world();
  rmSync(join(host.root, 'prom'), { recursive: true });
  const looked = await host.look();
  expect(looked.code).toBe(0);
  expect(looked.stdout + looked.stderr).toContain('the metrics were not written: expected the folder of');
  expect(existsSync(join(host.root, 'prom'))).toBe(false);
});

test('one of several hosts of a machine has a file of its own, and takes it along when it is renamed', async () => {
  const { host } = await world({ file: 'pullyu-a.prom' });
  await host.look();
  expect(values(host, 'pullyu-a.prom').get('pullyu_info{host="host-1",version="0.1.0"}')).toBe(1);
  host.configure({ more: { metrics: { textfile: '../../prom', file: 'pullyu-b.prom' } } });
  await host.look();
  expect(host.read('prom/pullyu-a.prom')).toBe(null);
  expect(values(host, 'pullyu-b.prom').get(`${runs('ok').replace('{', '{host="host-1",')}`)).toBe(1);
  host.configure({ more: {} });
  await host.look();
  expect(host.read('prom/pullyu-b.prom')).toBe(null);
});
