/** The way to the remote: names that lead nowhere, addresses that swallow everything, interfaces that are down. On a network of its own. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type GitServer, startGitServer } from '../../src/demo/git-server.ts';
import { createHost, type TestHost } from '../support/host.ts';
import { findProgram, needs } from '../support/needs.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import {
  createSmallNetwork,
  FAR,
  FAR6,
  HOLE,
  HOLE6,
  missingForSmallNetworks,
  SILENT,
  type SmallNetwork,
  STRANGER,
  type Zone,
} from '../support/small-network.ts';
import { startSshd } from '../support/sshd.ts';
import { type Failure, survive } from '../support/survive.ts';

const missing = missingForSmallNetworks();
const test = needs(missing);
const URL_BY_NAME = 'http://git.example/it.git';
const LIMITS = { limits: { probeTimeout: '1s', fetchStall: '3s', fetchTimeout: '6s' } };

describe('a host on a network of its own', () => {
  let remote: Remote;
  let server: GitServer;
  let network: SmallNetwork;
  let host: TestHost;

  beforeAll(async () => {
    if (missing.length > 0) return;
    remote = await createRemote();
    const first = await remote.publish(sayRepository('the beginning'));
    server = await startGitServer({ folder: remote.folder });
    network = await createSmallNetwork({ 80: server.port });
    host = createHost({
      interval: '100ms',
      program: network.program,
      repos: { it: URL_BY_NAME },
      more: LIMITS,
    });
    // As a machine that boots before its network is there.
    network.near('ip', 'link', 'set', 'eth0', 'down');
    await host.start();
    const status = await host.untilTrouble(['dns', 'unreachable']);
    expect([status.host.state, status.repos[0]?.applied]).toEqual(['setup', null]);
    network.near('ip', 'link', 'set', 'eth0', 'up');
    network.near('ip', '-6', 'addr', 'replace', 'fd77::2/64', 'dev', 'eth0', 'nodad');
    await host.untilApplied(first);
  });

  afterAll(async () => {
    await host?.close();
    await network?.close();
    await server?.close();
    remote?.[Symbol.dispose]();
  });

  const named = (name: string, code: Failure['code'], zone: Zone): Failure => ({
    name,
    code,
    begin: () => {
      network.names(zone);
      network.cut();
    },
    end: () => network.names({ a: [FAR] }),
  });

  test('is live as soon as its network is, without help', () => {
    expect(said(host)[0]).toBe('the beginning');
  });

  for (const failure of [
    named('a name that does not exist', 'dns', { answer: 'no such name' }),
    named('a name server that fails', 'dns', { answer: 'failure' }),
    named('a name server that drops every question', 'dns', { answer: 'silence' }),
    named('the address of somebody else', 'not-git', { a: [STRANGER] }),
    named('an address where nobody listens', 'unreachable', { a: [SILENT] }),
    named('an address that swallows everything', 'unreachable', { a: [HOLE] }),
  ])
    test(`survives ${failure.name}`, () => survive(host, remote, failure));

  test.each<[string, Zone]>([
    ['over IPv6 alone', { aaaa: [FAR6] }],
    ['past an IPv6 address that swallows everything', { aaaa: [HOLE6], a: [FAR] }],
    ['past an IPv4 address that swallows everything', { aaaa: [FAR6], a: [HOLE] }],
    ['through a slow name server', { a: [FAR], delayMs: 400 }],
  ])('reaches its remote %s', async (_, zone) => {
    network.names(zone);
    network.cut();
    await host.untilApplied(await remote.publish(say(`with ${JSON.stringify(zone)}`)));
    network.names({ a: [FAR] });
  });

  test.each([
    ['its interface', 'ip link set eth0 down', 'ip link set eth0 up'],
    [
      'everything by a firewall',
      "nft 'add table inet cut; add chain inet cut out { type filter hook output priority 0; policy drop; }'",
      'nft delete table inet cut',
    ],
    [
      'its name servers',
      `echo nameserver ${SILENT} > /etc/resolv.conf`,
      `echo nameserver ${FAR} > /etc/resolv.conf`,
    ],
  ])(
    'outlives a script that cuts off %s, names the trouble, and goes on when it is back',
    async (what, cut, mend) => {
      const commit = await remote.publish({ files: { 'pullyu.yaml': withCut(cut), text: `${what}\n` } });
      await host.untilApplied(commit);
      // Where the name servers are gone, it is only the next connection that misses them.
      network.cut();
      const status = await host.untilTrouble(['silent', 'unreachable', 'dns']);
      expect(status.repos[0]?.applied).toBe(commit);
      const next = await remote.publish({
        files: { 'pullyu.yaml': withCut('true'), text: `after ${what}\n` },
      });
      network.near('sh', '-c', mend);
      await host.untilApplied(next);
      expect(said(host).slice(-2)).toEqual([what, `after ${what}`]);
      await host.expectNoLeaks();
    },
  );
});

/** After its word the action does something to this machine. */
function withCut(command: string): string {
  const run = ['sh', '-ec', `cat text >> "$PULLYU_STATE_DIR/said"; ${command}`];
  return JSON.stringify({ actions: { say: { run, paths: ['text'] } } });
}

const missingForSsh = ['sshd', 'ssh'].filter((name) => findProgram(name) === null);
needs([...missing, ...missingForSsh])('over ssh too the next address of a name has its turn', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using sshd = await startSshd({ bare: remote.bare });
  await using network = await createSmallNetwork({ 22: sshd.port });
  network.names({ aaaa: [HOLE6], a: [FAR] });
  await using host = createHost({ program: network.program });
  const knownHosts = join(host.root, 'known_hosts');
  const key = readFileSync(sshd.knownHosts, 'utf8').replace(/^\S+/, 'git.example');
  writeFileSync(knownHosts, key);
  const url = sshd.url.replace(`127.0.0.1:${sshd.port}`, 'git.example');
  host.configure({
    repos: { it: { remotes: [url], ssh: { key: sshd.key, knownHosts } } },
    more: { limits: { probeTimeout: '5s' } },
  });
  const ran = await host.look();
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
  expect(said(host)).toEqual(['one']);
});
