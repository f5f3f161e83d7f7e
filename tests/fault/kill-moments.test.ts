/** Kills in the middle of what takes time: a fetch, an action, a restart of the machine, and moments that nobody chose. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signalProcess } from '../../src/system/processes.ts';
import { startChild } from '../support/child.ts';
import { program } from '../support/host.ts';
import { createKilledHost, type KilledHost } from '../support/killed-host.ts';
import { processesOf } from '../support/leaks.ts';
import { startFaultProxy } from '../support/proxy.ts';
import { killAtRandom, killMachine } from '../support/random-kills.ts';
import { until } from '../support/until.ts';
import type { KindName } from '../support/witness.ts';

let world: KilledHost;

beforeAll(async () => {
  world = await createKilledHost();
  expect((await world.host.look()).code).toBe(0);
});

afterAll(() => world?.[Symbol.asyncDispose]());

const startLook = (env: Record<string, string> = {}) =>
  startChild([program, '--root', world.host.root, 'look'], { env: { ...world.host.env, ...env }, cwd: '/' });

/** A process of this host whose command fits. */
const untilProcess = (pattern: RegExp) =>
  until(() => processesOf(world.host.root).find(({ command }) => pattern.test(command)), {
    what: `a process ${pattern}`,
    found: () => processesOf(world.host.root).map(({ command }) => command),
    everyMs: 5,
  });

async function expectLook(code: number, env: Record<string, string> = {}): Promise<void> {
  const ran = await world.host.look({ env });
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code });
}

describe('in the middle of a fetch', () => {
  /** A fetch that is at work until somebody ends it. */
  async function stuckFetch() {
    const proxy = await startFaultProxy({ to: world.server.port });
    world.host.configure({ repos: { it: `http://127.0.0.1:${proxy.port}/${world.remote.path}` } });
    await world.remote.commit({ files: { large: randomBytes(400_000) } });
    const pushed = await world.push();
    // The question and the beginning of the pack pass; the rest comes one byte a second.
    await proxy.set({ kind: 'dribble', bytes: 20_000, everyMs: 200 });
    const look = startLook();
    await untilProcess(/index-pack/);
    return {
      pushed,
      look,
      async [Symbol.asyncDispose]() {
        await look.close();
        await proxy.close();
        world.host.configure({ repos: { it: world.server.url(world.remote.path) } });
      },
      end: async () => {
        await proxy.close();
        world.host.configure({ repos: { it: world.server.url(world.remote.path) } });
      },
    };
  }

  test('an agent that is killed leaves git behind, which the next look ends', async () => {
    await using stuck = await stuckFetch();
    stuck.look.kill('SIGKILL');
    await stuck.look.ended;
    const orphan = await untilProcess(/index-pack/);
    world.host.configure({ repos: { it: world.server.url(world.remote.path) } });
    await expectLook(0);
    expect(signalProcess(orphan.identity, 'SIGCONT')).toBe(false);
    await world.expectDone(stuck.pushed);
  });

  test('a git that is killed is a trouble of that look, and none of the next', async () => {
    await using stuck = await stuckFetch();
    signalProcess((await untilProcess(/index-pack/)).identity, 'SIGKILL');
    expect((await stuck.look.ended).exitCode).toBe(3);
    expect((await world.host.status()).repos[0]?.trouble?.code).toMatch(/git-failed|unreachable/);
    await stuck.end();
    await expectLook(0);
    await world.expectDone(stuck.pushed);
  });

  test('an agent that is told to end takes its git with it', async () => {
    await using stuck = await stuckFetch();
    stuck.look.kill('SIGTERM');
    expect((await stuck.look.ended).exitCode).toBe(130);
    expect(stuck.look.output()).toMatch(/^cut off: the next look goes on with it$/m);
    await world.host.expectNoLeaks();
    await stuck.end();
    await expectLook(0);
    await world.expectDone(stuck.pushed);
  });
});

describe('in the middle of an action', () => {
  for (const kind of ['again', 'once', 'probed'] as const) {
    test(`a look that is killed during "${kind}" is gone on with by the next, which waits for the very same run`, async () => {
      const pushed = await world.push();
      const look = await beginAction(kind, pushed.text);
      look.kill('SIGKILL');
      await look.ended;
      const next = startLook();
      await until(() => next.output().includes('waiting for it'), { found: () => next.output() });
      world.witness.release();
      expect((await next.ended).exitCode).toBe(0);
      await world.expectDone(pushed);
    });
  }

  test('a run that ends while no agent is there is collected', async () => {
    const pushed = await world.push();
    const look = await beginAction('once', pushed.text);
    look.kill('SIGKILL');
    await look.ended;
    world.witness.release();
    await until(() => processesOf(world.host.root).length === 0);
    await expectLook(0);
    await world.expectDone(pushed);
  });

  test('a daemon that is killed over and over during one run loses and repeats nothing', async () => {
    const pushed = await world.push();
    world.witness.hold();
    for (let n = 0; n < 3; n += 1) {
      const agent = await world.host.start();
      await world.witness.untilBegun('again', pushed.text);
      agent.kill('SIGKILL');
      await agent.ended;
    }
    world.witness.release();
    const agent = await world.host.start();
    await world.host.untilApplied(pushed.commit);
    await agent.close();
    await world.expectDone(pushed);
  });

  const isShim = /shim\.sh/;
  const isAction = /^\/bin\/sh \S*bin\/work\.sh|^\/bin\/sh bin\/work\.sh/;

  test('an idempotent action that is killed is run again', async () => {
    for (const victims of [[isAction], [isShim], [isShim, isAction]]) {
      const pushed = await world.push();
      const look = await beginAction('again', pushed.text);
      for (const victim of victims) signalProcess((await untilProcess(victim)).identity, 'SIGKILL');
      world.witness.release();
      expect((await look.ended).exitCode).toBe(1);
      await until(async () => (await world.host.look()).code === 0, { everyMs: 100 });
      expect(world.witness.of('again', pushed.text).length).toBe(2);
      await world.expectDone(pushed, ['again']);
    }
  });

  test('an action that may run once only is not, and waits for a person or the next commit', async () => {
    for (const victims of [[isAction], [isShim, isAction]]) {
      const pushed = await world.push();
      const look = await beginAction('once', pushed.text);
      for (const victim of victims) signalProcess((await untilProcess(victim)).identity, 'SIGKILL');
      world.witness.release();
      expect((await look.ended).exitCode).toBe(1);
      await expectLook(1);
      expect(world.witness.of('once', pushed.text)).toHaveLength(1);
      const status = await world.host.status();
      expect(status.host.state).toBe('wedged');
      expect(status.actions.find(({ name }) => name === 'once')?.state).toBe('parked');
      // What does not depend on it went on.
      expect(world.witness.of('probed', pushed.text).at(-1)?.ended).toBe(true);
      const fixed = await world.push();
      await expectLook(0);
      await world.expectDone(fixed);
    }
  });
});

/** A look that is at work on this action, until `release`; the ones before it go through. */
async function beginAction(kind: KindName, text: string, env: Record<string, string> = {}) {
  world.witness.hold(kind);
  const look = startLook(env);
  await world.witness.untilBegun(kind, text);
  return look;
}

describe('when the machine is started again', () => {
  test('each kind is treated as it promises', async () => {
    for (const kind of ['again', 'once', 'probed'] as const) {
      const boots = [`${kind}-before`, `${kind}-after`].map((id) => ({ PULLYU_BOOT_ID: id }));
      const pushed = await world.push();
      const look = await beginAction(kind, pushed.text, boots[0]);
      killMachine(world, look);
      await look.ended;
      world.witness.release();
      await expectLook(kind === 'once' ? 1 : 0, boots[1]);
      const cutOff = (await world.host.history()).find(
        (run) => run.commit === pushed.commit && run.action === kind && run.outcome === 'interrupted',
      );
      expect(cutOff?.outcome).toBe('interrupted');
      expect(world.witness.of(kind, pushed.text)).toHaveLength(kind === 'once' ? 1 : 2);
      if (kind !== 'once') await world.expectDone(pushed, [kind]);
    }
  });

  test('three times in a row by the same commit, that is parked; the next commit is tried', async () => {
    const pushed = await world.push();
    for (let boot = 1; boot <= 3; boot += 1) {
      world.witness.hold();
      const look = startLook({ PULLYU_BOOT_ID: `loop-${boot}` });
      await until(() => world.witness.of('again', pushed.text).length === boot);
      killMachine(world, look);
      await look.ended;
    }
    world.witness.release();
    await expectLook(1, { PULLYU_BOOT_ID: 'loop-4' });
    expect(world.witness.of('again', pushed.text)).toHaveLength(3);
    const status = await world.host.status();
    expect(status.host.state).toBe('wedged');
    expect(status.actions.find(({ name }) => name === 'again')).toMatchObject({
      state: 'parked',
      reason: 'parked',
    });
    const fixed = await world.push();
    await expectLook(0, { PULLYU_BOOT_ID: 'loop-4' });
    await world.expectDone(fixed);
  });
});

test('fifteen kills at random moments lose, repeat and leak nothing', () => killAtRandom(world, 15), 180_000);
