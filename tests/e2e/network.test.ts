/** The network between the agent and its remote: silence, dribble, cuts, and names that lead nowhere. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GitServer, startGitServer } from '../../src/demo/git-server.ts';
import { createHost, type TestHost } from '../support/host.ts';
import { type Fault, type FaultProxy, startFaultProxy } from '../support/proxy.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { type Failure, survive } from '../support/survive.ts';
import { until } from '../support/until.ts';

/** A probe is given up after a second, a fetch that stands still after two. */
const IMPATIENT = { limits: { probeTimeout: '1s', fetchStall: '2s', fetchTimeout: '5s' } };

describe('an agent behind a bad network', () => {
  let remote: Remote;
  let server: GitServer;
  let proxy: FaultProxy;
  let host: TestHost;
  const url = () => `http://127.0.0.1:${proxy.port}/${remote.path}`;

  beforeAll(async () => {
    remote = await createRemote();
    const first = await remote.publish(sayRepository('the beginning'));
    server = await startGitServer({ folder: remote.folder });
    proxy = await startFaultProxy({ to: server.port });
    host = createHost({ interval: '100ms', repos: { it: url() }, more: IMPATIENT });
    await host.start();
    await host.untilApplied(first);
  });

  afterAll(async () => {
    await host?.close();
    await proxy?.close();
    await server?.close();
    remote?.[Symbol.dispose]();
  });

  const faulty = (
    name: string,
    code: Failure['code'],
    fault: Fault,
    before?: () => Promise<unknown>,
  ): Failure => ({
    name,
    code,
    begin: async () => {
      await before?.();
      await proxy.set(fault);
    },
    end: () => proxy.set({ kind: 'pass' }),
  });

  /** Committed, pushed by the next publish: makes the pack of that too large to slip through before the cut. */
  const large = () =>
    remote.commit({ files: { [`large-${randomBytes(4).toString('hex')}`]: randomBytes(600_000) } });

  const FAILURES: readonly Failure[] = [
    faulty('a server that accepts and never answers', 'silent', { kind: 'silence' }),
    faulty('one byte a second', 'silent', { kind: 'dribble' }),
    faulty('a refused connection', 'unreachable', { kind: 'refuse' }),
    faulty('a connection that is reset', 'unreachable', { kind: 'reset' }),
    faulty('an answer that is cut off', ['empty-answer', 'unreachable', 'not-git'], {
      kind: 'truncate',
      bytes: 40,
    }),
    faulty(
      'a pack that is cut off',
      ['unreachable', 'empty-answer'],
      { kind: 'truncate', bytes: 200_000 },
      large,
    ),
    faulty('a pack that is reset', 'unreachable', { kind: 'truncate', bytes: 200_000, how: 'reset' }, large),
    faulty('a pack that dribbles', 'silent', { kind: 'dribble', bytes: 2_000, everyMs: 40 }, large),
    {
      name: 'a name that cannot be resolved',
      code: 'dns',
      begin: () => host.configure({ repos: { it: 'http://git.nowhere.invalid/it.git' } }),
      end: () => host.configure({ repos: { it: url() } }),
    },
    {
      name: 'a server that is away and comes back',
      code: 'unreachable',
      begin: async () => {
        await server.close();
      },
      end: async () => {
        server = await startGitServer({ folder: remote.folder, port: server.port });
      },
    },
  ];

  for (const failure of FAILURES) {
    test(`survives ${failure.name}`, () => survive(host, remote, failure));
  }

  test('keeps one connection for its questions when all is well', async () => {
    await host.untilApplied(await remote.publish(say('a quiet time')));
    const looked = (await host.status()).agent.lastLookAt;
    const connections = proxy.connections();
    await until(
      async () => Date.parse((await host.status()).agent.lastLookAt ?? '') > Date.parse(looked ?? '') + 500,
    );
    expect(proxy.connections() - connections).toBeLessThanOrEqual(1);
    expect(proxy.open()).toBeLessThanOrEqual(2 * 2);
  });
});

test('a machine that starts without any network is live as soon as the network is', async () => {
  using remote = await createRemote();
  const first = await remote.publish(sayRepository('one'));
  await using server = await startGitServer({ folder: remote.folder });
  await using proxy = await startFaultProxy({ to: server.port });
  await proxy.set({ kind: 'refuse' });
  const url = `http://127.0.0.1:${proxy.port}/${remote.path}`;
  await using host = createHost({ interval: '100ms', repos: { it: url } });
  await host.start();
  const status = await host.untilTrouble('unreachable');
  expect([status.host.state, status.repos[0]?.applied]).toEqual(['setup', null]);
  await proxy.set({ kind: 'pass' });
  await host.untilApplied(first);
  expect(said(host)).toEqual(['one']);
  expect((await host.status()).host.state).toBe('working');
});

test('a single look says by its exit code that no remote could be reached', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using server = await startGitServer({ folder: remote.folder });
  await using proxy = await startFaultProxy({ to: server.port });
  const url = `http://127.0.0.1:${proxy.port}/${remote.path}`;
  await using host = createHost({ repos: { it: url }, more: IMPATIENT });
  expect((await host.look()).code).toBe(0);
  for (const fault of [{ kind: 'silence' }, { kind: 'refuse' }, { kind: 'reset' }] as const) {
    await proxy.set(fault);
    expect({ fault: fault.kind, code: (await host.look()).code }).toEqual({ fault: fault.kind, code: 3 });
  }
  await proxy.set({ kind: 'pass' });
  expect((await host.look()).code).toBe(0);
  await host.expectNoLeaks();
});
