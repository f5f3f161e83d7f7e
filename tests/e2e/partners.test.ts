/** examples/load-balancer, pushed as it is: hosts that find one another, with a real HAProxy in front. Nobody tells anybody an address. */
import { writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { startGitServer } from '../../src/demo/git-server.ts';
import { exec } from '../../src/system/exec.ts';
import { freePort } from '../support/child.ts';
import { examplesFolder, namesIn, nodeLabel, pushExample } from '../support/example.ts';
import { createHost, program, type TestHost } from '../support/host.ts';
import { findProgram, needsProgram } from '../support/needs.ts';
import { createStatusRepository } from '../support/status-repository.ts';
import { until } from '../support/until.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const BALANCER = 'var/lib/pullyu/repos/it/state/balancer';

/** Bootstraps machines with one command each, and starts their agents. */
async function fleet() {
  const remote = await pushExample('load-balancer');
  cleanups.push(() => remote[Symbol.dispose]());
  const status = await createStatusRepository();
  cleanups.push(() => status[Symbol.dispose]());
  const servers = await Promise.all([remote, status].map(({ folder }) => startGitServer({ folder })));
  cleanups.push(() => Promise.all(servers.map((server) => server.close())));
  const [it, presences] = [servers[0]!.url(remote.path), servers[1]!.url(status.path)];

  const bootstrap = async (name: string, labels: Record<string, string>): Promise<TestHost> => {
    const host = createHost();
    cleanups.push(() => host.close());
    const all = { ...labels, address: '127.0.0.1', port: `${await freePort()}` };
    const words = Object.entries(all).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
    const more = ['--status', presences, '--status-heartbeat', '1s', '--interval', '500ms'];
    const rest = ['--host', name, '--name', 'it', '--heartbeat', 'none'];
    const done = await host.run(['bootstrap', it, ...words, ...more, ...rest]);
    expect(done.code, done.stdout + done.stderr).toBe(0);
    await host.start();
    return host;
  };
  return {
    remote,
    balancer: () => bootstrap('lb-1', { part: 'lb', haproxy: findProgram('haproxy')! }),
    app: (name: string) => bootstrap(name, { part: 'app', ...nodeLabel() }),
    database: (name: string) => bootstrap(name, { part: 'db', ...nodeLabel() }),
  };
}

/** One request on a connection of its own. */
function visit(port: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent: false, timeout: 5_000 }, (response) => {
      let text = `${response.statusCode} `;
      response.setEncoding('utf8').on('data', (more) => {
        text += more;
      });
      response.on('end', () => resolve(text.trim()));
      response.on('error', reject);
    })
      .on('timeout', (request: { destroy(e: Error): void }) => request.destroy(new Error('no answer')))
      .on('error', reject);
  });
}

needsProgram('haproxy')(
  'app hosts join and leave a real HAProxy, and follow their database, without a human',
  async () => {
    const { balancer, app, database, remote } = await fleet();
    const [lb, web1, web2, , db1] = await Promise.all([
      balancer(),
      app('web-1'),
      app('web-2'),
      app('web-3'),
      database('db-1'),
    ]);
    const { port } = (await lb.status()).host.labels as { port: string };
    const configured = () =>
      [...(lb.read(`${BALANCER}/haproxy.cfg`) ?? '').matchAll(/^ {2}server (\S+)/gm)].map(([, name]) => name);
    const said = async () => (await lb.run(['logs', 'balancer'])).stdout;
    /** Until twelve visitors in a row are served by these hosts and this database. */
    const untilServedBy = (hosts: readonly string[], db: string) => {
      let last: string[] = [];
      const wanted = hosts.map((name) => `200 ${name}: 12 articles, says ${db}`);
      return until(
        async () => {
          last = [];
          for (let n = 0; n < 12; n += 1) last.push(await visit(port));
          return `${[...new Set(last)].sort()}` === `${wanted}` && `${configured()}` === `${hosts}`;
        },
        {
          what: `pages of ${hosts} with ${db}`,
          found: async () => ({ last, configured: configured(), said: await said() }),
          timeoutMs: 60_000,
          everyMs: 100,
        },
      );
    };
    await untilServedBy(['web-1', 'web-2', 'web-3'], 'db-1');

    // Nobody is turned away from here on, whatever dies, comes or is reloaded.
    const turnedAway: string[] = [];
    let visiting = true;
    const visitors = (async () => {
      while (visiting) {
        const answer = await visit(port).catch((error: Error) => error.message);
        if (!/^200 web-\d: /.test(answer)) turnedAway.push(answer);
      }
    })();

    // A machine dies, with everything on it; so does the one with the database. A new one of each is bootstrapped with one command.
    await Promise.all([web2.close(), db1.close()]);
    const [web4] = await Promise.all([app('web-4'), database('db-2')]);
    await untilServedBy(['web-1', 'web-3', 'web-4'], 'db-2');
    visiting = false;
    await visitors;
    expect(turnedAway).toEqual([]);
    expect((await lb.run(['why', 'balancer'])).stdout).toContain('live hosts with part=app');
    const reasons = (await lb.history()).map((run) => run.reason);
    expect(reasons.at(-1)).toBe('first');
    expect(new Set(reasons.slice(0, -1))).toEqual(new Set(['presence']));
    expect(web4.read('srv/shop/database')).toBe(web1.read('srv/shop/database'));

    // A configuration that HAProxy refuses never gets into service.
    await remote.publish({ files: { 'lb/haproxy.cfg': 'no configuration\n' } });
    await until(async () => (await said()).includes('HAProxy refuses the new configuration'), {
      what: 'a refusal',
      found: said,
    });
    await untilServedBy(['web-1', 'web-3', 'web-4'], 'db-2');
  },
  180_000,
);

needsProgram('haproxy')(
  'a host that plays another part stops and removes what the part before had',
  async () => {
    using remote = await pushExample('load-balancer');
    using status = await createStatusRepository();
    await using host = createHost();
    const port = `${await freePort()}`;
    const play = async (part: string) => {
      const labels = {
        part,
        port,
        address: '127.0.0.1',
        pullyu: program,
        haproxy: findProgram('haproxy')!,
        ...nodeLabel(),
      };
      host.configure({
        labels,
        repos: { it: remote.url },
        more: { status: { remote: pathToFileURL(status.bare).href } },
      });
      const ran = await host.look();
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
      return ran.stdout;
    };
    await play('app');
    expect(await visit(port)).toBe('200 host-1: no database (ENOENT)');
    expect(await play('lb')).toMatch(/shop[^\n]* ok/);
    // Nobody to send a visitor to.
    expect(await visit(port)).toMatch(/^503 /);
    await play('db');
    expect(namesIn(host, BALANCER)).toEqual([]);
    await expect(visit(port)).rejects.toThrow();
    await play('none');
    await expect(visit(port)).rejects.toThrow(/ECONNREFUSED/);
    await host.expectNoLeaks();
  },
);

test('in an action `pullyu roster` is the list that the agent decided by', async () => {
  await using host = createHost();
  const file = writeRoster(host, [{ name: 'web-9', addresses: ['192.0.2.9'], facts: { port: '81' } }]);
  const ask = (part: string) =>
    host.run(['roster', '--label', `part=${part}`, '--format', '{name} {address} {fact.port}'], {
      env: { PULLYU_ROSTER: file },
    });
  expect((await ask('app')).stdout).toBe('web-9 192.0.2.9 81\n');
  expect(await ask('db')).toMatchObject({ code: 0, stdout: '' });
});

test('a partner is reached as its facts and labels say, and hostile ones are left out by name', async () => {
  await using host = createHost();
  const file = writeRoster(host, [
    { name: 'by-default', addresses: ['192.0.2.1', '192.0.2.2'] },
    { name: 'by-fact', addresses: ['fd00::1'], facts: { port: '9001' }, labels: { port: '9000' } },
    { name: 'by-label', addresses: ['192.0.2.1'], labels: { port: '9000', address: 'web.example.com' } },
    { name: 'nowhere', addresses: [] },
    { name: 'evil-fact', addresses: ['192.0.2.1'], facts: { port: '1; rm -rf /' } },
    { name: 'evil-label', addresses: ['192.0.2.1'], labels: { address: 'a b$(id)' } },
    { name: 'evil-bar', addresses: ['192.0.2.1'], labels: { address: 'x|y|z|w' } },
  ]);
  const ran = await exec(['/bin/sh', '-eu', '-c', '. lib/partners.sh; partners app 8080'], {
    cwd: join(examplesFolder, 'load-balancer'),
    env: {
      ...host.env,
      PATH: `${host.env.PATH}:${dirname(program)}`,
      PULLYU_ROSTER: file,
      PULLYU_STATE_DIR: host.root,
    },
    timeoutMs: 30_000,
  });
  expect(ran.stdout.toString().split('\n')).toEqual([
    'by-default 192.0.2.1 8080',
    'by-fact fd00::1 9001',
    'by-label web.example.com 9000',
    '',
  ]);
  expect(ran.stderr.match(/^\S+(?= is left out: )/gm)).toEqual([
    'nowhere',
    'evil-fact',
    'evil-label',
    'evil-bar',
  ]);
});

/** What PULLYU_ROSTER names. */
function writeRoster(
  host: TestHost,
  members: readonly { name: string; addresses: string[]; labels?: object; facts?: object }[],
): string {
  const file = join(host.root, 'roster.json');
  const hosts = members.map(({ labels, ...more }, n) => ({
    id: `${n}`.repeat(26),
    labels: { part: 'app', ...labels },
    state: 'working',
    facts: {},
    lastContactAt: '2026-01-01T00:00:00.000Z',
    ...more,
  }));
  writeFileSync(file, JSON.stringify({ hosts }));
  return file;
}
