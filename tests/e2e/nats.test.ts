/** Hosts over NATS: Debian's server, real agents. They see each other at once, are woken, and go on alone while the bus is away. */
import { afterEach, expect } from 'vitest';
import { createHost, type HostOptions, type TestHost } from '../support/host.ts';
import { type NatsServer, startNats } from '../support/nats.ts';
import { needsProgram } from '../support/needs.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { until } from '../support/until.ts';

const nats = needsProgram('nats-server');
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const ACTIONS = `actions:
  shop: {run: shop.sh, hosts: {part: app}, paths: [shop.sh]}
  lb: {run: lb.sh, hosts: {part: lb}, paths: [lb.sh], on: [change, {presence: {part: app}, settle: 100ms}]}
`;
const SCRIPTS = {
  'shop.sh': '#!/bin/sh\necho well\n',
  'lb.sh': '#!/bin/sh\n{ echo live; grep -o "web-[0-9]*" "$PULLYU_ROSTER" | sort -u; } | tr "\\n" " "\n',
};

interface World {
  readonly it: Remote;
  readonly bus: NatsServer;
  host(name: string, more?: HostOptions): TestHost;
}

async function world(statusMore: Record<string, unknown> = {}): Promise<World> {
  const it = await createRemote();
  cleanups.push(() => it[Symbol.dispose]());
  const bus = await startNats();
  cleanups.push(() => bus.close());
  await it.publish({ files: { 'pullyu.yaml': ACTIONS }, scripts: SCRIPTS });
  return {
    it,
    bus,
    host(name, more = {}) {
      const host = createHost({
        name,
        repos: { it: it.url },
        ...more,
        more: { status: { nats: [bus.url], ...statusMore }, ...more.more },
      });
      cleanups.push(() => host.close());
      return host;
    },
  };
}

interface FleetJson {
  readonly hosts: {
    name: string;
    state: string;
    lastContactAt: string | null;
    repos: { applied: string | null }[];
  }[];
}

const fleetOf = async (host: TestHost, bus: NatsServer): Promise<FleetJson['hosts']> =>
  (await host.run(['fleet', '--json', '--status', bus.url])).json<FleetJson>().hosts;

nats('two hosts see each other at once: a presence trigger fires hours before the next look', async () => {
  const w = await world({ heartbeat: '1h' });
  const lb = w.host('lb-1', { labels: { part: 'lb' }, interval: '1h' });
  const agent = await lb.start();
  const backends = async () => (await lb.run(['logs', 'lb', '--json'])).stdout;
  await until(async () => (await backends()).includes('live '), {
    what: 'the first run, without any app host',
  });
  const web = w.host('web-1', { labels: { part: 'app' }, interval: '1h' });
  await web.start();
  await until(async () => (await backends()).includes('live web-1 '), {
    what: 'the run that the new host is the reason of',
    found: async () => ({ log: await backends(), history: await lb.history(), out: agent.output() }),
  });
  const [run] = await lb.history();
  expect(run).toMatchObject({ action: 'lb', outcome: 'ok' });
  expect((await fleetOf(lb, w.bus)).map(({ name, state }) => [name, state])).toEqual([
    ['lb-1', 'working'],
    ['web-1', 'working'],
  ]);
});

nats('a wake makes a host with a long interval look', async () => {
  const w = await world();
  const web = w.host('web-1', { labels: { part: 'app' }, interval: '10m' });
  const agent = await web.start();
  await until(async () => (await fleetOf(web, w.bus))[0]?.repos[0]?.applied, { what: 'the first commit' });
  const commit = await w.it.publish({ scripts: { 'shop.sh': '#!/bin/sh\necho 2\n' } });
  // Of another branch, of another repo: no reason to look.
  expect((await web.run(['wake', 'it', '--ref', 'other', '--commit', commit])).code).toBe(0);
  expect((await web.run(['wake', 'else'])).code).toBe(0);
  const woke = await web.run(['wake', 'it', '--ref', 'refs/heads/main', '--commit', commit, '--json']);
  expect(woke.json()).toEqual({ repo: 'it', ref: 'refs/heads/main', commit, servers: [w.bus.url] });
  await web.untilApplied(commit);
  expect(agent.isRunning()).toBe(true);
  // From anywhere: no host is needed.
  const again = await w.it.publish({ scripts: { 'shop.sh': '#!/bin/sh\necho 3\n' } });
  const laptop = createHost();
  cleanups.push(() => laptop.close());
  const told = await laptop.run(['wake', 'it'], { env: { PULLYU_NATS: w.bus.url } });
  expect(told).toMatchObject({
    code: 0,
    stdout: `hosts that follow it were told to look, by ${w.bus.url}\n`,
  });
  await web.untilApplied(again);
});

nats('while the bus is away pulling goes on; later everything arrives, in order', async () => {
  const w = await world();
  const web = w.host('web-1', { labels: { part: 'app' } });
  await w.bus.stop();
  await web.start();
  for (let n = 1; n <= 3; n += 1) {
    const commit = await w.it.publish({ scripts: { 'shop.sh': `#!/bin/sh\nexit 0 # ${n}\n` } });
    await web.untilApplied(commit);
  }
  expect((await web.status()).repos[0]?.trouble).toBeNull();
  await w.bus.start();
  const subjects = async () =>
    (await web.run(['fleet', 'web-1', '--json', '--status', w.bus.url])).json<{
      history: { subject: string }[];
    }>().history;
  const runs = await until(
    async () => {
      const found = (await subjects()).filter(({ subject }) => subject.startsWith('shop ok'));
      return found.length >= 3 ? found : null;
    },
    { what: 'all transitions', found: subjects, timeoutMs: 60_000, everyMs: 200 },
  );
  const told = (await web.history()).filter(({ action, outcome }) => action === 'shop' && outcome === 'ok');
  expect(runs.map(({ subject }) => subject.split(' ')[3])).toEqual(
    told.map(({ commit }) => commit.slice(0, 7)),
  );
});

nats('nothing that speaks to NATS is loaded without `nats` in host.yaml', async () => {
  const w = await world();
  const env = { NODE_DEBUG: 'module' };
  const loaded = async (host: TestHost) => (await host.look({ env })).stderr.includes('nats.cjs');
  expect(await loaded(w.host('plain', { more: { status: undefined } }))).toBe(false);
  expect(await loaded(w.host('web-1'))).toBe(true);
});

nats('a wake that nobody can pass on is an error with a name', async () => {
  const laptop = createHost();
  cleanups.push(() => laptop.close());
  const usage = await laptop.run(['wake', 'it']);
  expect(usage.code).toBe(2);
  expect(usage.stderr).toContain('--nats');
  const away = await laptop.run(['wake', 'it', '--nats', 'nats://127.0.0.1:9']);
  expect(away.code).toBe(3);
  expect(away.stderr).toContain('127.0.0.1:9');
  const secret = await laptop.run(['wake', 'it', '--nats', 'nats://me:geheim@127.0.0.1:9']);
  expect(secret.code).toBe(2);
  expect(secret.stderr).not.toContain('geheim');
});
