import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { needsProgram } from '../../tests/support/needs.ts';
import { startNginx } from '../../tests/support/nginx.ts';
import {
  createMachine,
  createStatusRepository,
  storeOptions,
} from '../../tests/support/status-repository.ts';
import type { RunId } from '../model/ids.ts';
import type { Result } from '../model/trouble.ts';
import { systemClock } from '../system/clock.ts';
import { createGitStore } from './git-store.ts';
import { shardOf } from './sharded-store.ts';

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.trouble.code}: ${result.trouble.message}`);
  return result.value;
}

/** Monotonic time goes on when the test says so. */
function createClock() {
  let monotonic = 1_000_000;
  return {
    clock: { ...systemClock, monotonic: () => monotonic },
    pass(ms: number) {
      monotonic += ms;
    },
  };
}

const OTHER_ID = 'b'.repeat(26);

test('two machines of one name: neither is overwritten, both are told, and the one that is gone is followed', async () => {
  using repository = await createStatusRepository();
  const { clock, pass } = createClock();
  const first = createMachine('web-1', { heartbeatMs: 60_000 });
  const second = createMachine('web-1', { id: OTHER_ID, heartbeatMs: 60_000 });
  const one = createGitStore(repository.bare, storeOptions(repository.state('one'), { clock }));
  const two = createGitStore(repository.bare, storeOptions(repository.state('two'), { clock }));
  const reader = createGitStore(repository.bare, storeOptions(repository.state('reader'), { clock }));
  await one.publish(first.outgoing([first.transition('one begins')]));
  value(await reader.read());

  const lost = second.transition('two begins');
  const refused = value(await two.publish(second.outgoing([lost])));
  expect(refused).toMatchObject({ kind: 'conflict', contender: { id: first.id, bootId: 'boot-1' } });
  expect(value(await reader.hasNews())).toBe(true);
  const [found] = value(await reader.read());
  expect(found?.contenders).toMatchObject([{ id: OTHER_ID }]);
  const told = value(await one.publish(first.outgoing()));
  expect(told).toMatchObject({ kind: 'published', contender: { id: OTHER_ID } });
  expect(await repository.git('log', '--format=%s', 'hosts/web-1')).toBe('one begins');

  // The holder goes on: it is never taken over, however long that lasts.
  for (let n = 0; n < 4; n += 1) {
    pass(100_000);
    expect(value(await one.publish(first.outgoing())).kind).toBe('published');
    expect(value(await two.publish(second.outgoing([lost]))).kind).toBe('conflict');
  }
  // The holder is gone.
  pass(100_000);
  expect(value(await two.publish(second.outgoing([lost]))).kind).toBe('conflict');
  pass(100_000);
  expect(value(await two.publish(second.outgoing([lost])))).toEqual({ kind: 'published', contender: null });
  expect(await repository.git('log', '--format=%s', 'hosts/web-1')).toBe('two begins\none begins');
  expect(await repository.git('for-each-ref', 'refs/heads/conflicts/')).toBe('');
  // It comes back: now it is the second one.
  const back = value(await one.publish(first.outgoing([first.transition('one is back')])));
  expect(back).toMatchObject({ kind: 'conflict', contender: { id: OTHER_ID } });
  // And goes again: its claim does not move any more.
  expect(value(await two.publish(second.outgoing())).kind).toBe('published');
  pass(200_000);
  expect(value(await two.publish(second.outgoing()))).toEqual({ kind: 'published', contender: null });
  expect(await repository.git('for-each-ref', 'refs/heads/conflicts/')).toBe('');
  expect(value(await reader.read())[0]?.contenders).toEqual([]);
});

test('a clone with the same id and boot does not take turns with the original', async () => {
  using repository = await createStatusRepository();
  const { clock } = createClock();
  const machine = createMachine('web-1');
  const original = createGitStore(repository.bare, storeOptions(repository.state('original'), { clock }));
  const clone = createGitStore(repository.bare, storeOptions(repository.state('clone'), { clock }));
  value(await original.publish(machine.outgoing([machine.transition('begins')])));
  // It knows nothing, and takes the presence for its own.
  expect(value(await clone.publish(machine.outgoing())).kind).toBe('published');
  expect(value(await original.publish(machine.outgoing())).kind).toBe('conflict');
  expect(value(await clone.publish(machine.outgoing())).kind).toBe('published');
});

test('whatever is lost of the state, the same boot goes on at once, and nothing is told twice', async () => {
  using repository = await createStatusRepository();
  const machine = createMachine('web-1');
  const state = repository.state('web-1');
  const open = () => createGitStore(repository.bare, storeOptions(state));
  const transitions = [machine.transition('one'), machine.transition('two')];
  value(await open().publish(machine.outgoing(transitions)));
  // The outbox was not told: it hands the same over again, with one more.
  const more = [...transitions, machine.transition('three')];
  value(await open().publish(machine.outgoing(more)));
  expect(await repository.git('log', '--format=%s', 'hosts/web-1')).toBe('three\ntwo\none');
  rmSync(state, { recursive: true });
  expect(value(await open().publish(machine.outgoing([machine.transition('four')]))).kind).toBe('published');
  expect(await repository.git('log', '--format=%s', 'hosts/web-1')).toBe('four\nthree\ntwo\none');
  const folder = join(state, readdirSync(state)[0]!);
  writeFileSync(join(folder, 'own-web-1.json'), '{"broken');
  expect(value(await open().publish(machine.outgoing())).kind).toBe('published');
});

test('a push that arrived although its answer did not is recognised, and its transitions are not told again', async () => {
  using repository = await createStatusRepository();
  const machine = createMachine('web-1');
  const state = repository.state('web-1');
  const store = createGitStore(repository.bare, storeOptions(state));
  value(await store.publish(machine.outgoing([machine.transition('one')])));
  // The agent dies when the refs have moved.
  const gone = new AbortController();
  const hook = join(repository.bare, 'hooks', 'post-receive');
  writeFileSync(hook, `#!/bin/sh\ntouch ${repository.bare}/arrived\nsleep 5\n`, { mode: 0o755 });
  const out = machine.outgoing([machine.transition('two')]);
  const cut = store.publish(out, gone.signal);
  while (!existsSync(join(repository.bare, 'arrived'))) await new Promise((done) => setTimeout(done, 10));
  gone.abort();
  expect((await cut).ok).toBe(false);
  rmSync(hook);
  const again = createGitStore(repository.bare, storeOptions(state));
  const next = machine.outgoing([...out.transitions, machine.transition('three')]);
  expect(value(await again.publish(next)).kind).toBe('published');
  expect(await repository.git('log', '--format=%s', 'hosts/web-1')).toBe('three\ntwo\none');
});

test('ten hosts publish at the same time: each is delivered, and a reader is told', async () => {
  using repository = await createStatusRepository();
  const reader = createGitStore(repository.bare, storeOptions(repository.state('reader')));
  value(await reader.read());
  const machines = Array.from({ length: 10 }, (_, n) => createMachine(`web-${n}`));
  const answers = await Promise.all(
    machines.map(async (machine) => {
      const store = createGitStore(repository.bare, storeOptions(repository.state(machine.host)));
      const kinds: string[] = [];
      for (let n = 0; n < 3; n += 1)
        kinds.push(value(await store.publish(machine.outgoing([machine.transition(`step ${n}`)]))).kind);
      return kinds;
    }),
  );
  expect(new Set(answers.flat())).toEqual(new Set(['published']));
  expect(value(await reader.hasNews())).toBe(true);
  expect(value(await reader.read())).toHaveLength(10);
  for (const { host } of machines)
    expect(await repository.git('log', '--format=%s', `hosts/${host}`)).toBe('step 2\nstep 1\nstep 0');
});

test('a hook that refuses is forbidden, with its words escaped; a repository without non-fast-forwards too', async () => {
  using repository = await createStatusRepository();
  const machine = createMachine('web-1');
  const store = createGitStore(repository.bare, storeOptions(repository.state('web-1')));
  const hook = join(repository.bare, 'hooks', 'pre-receive');
  writeFileSync(hook, '#!/bin/sh\nprintf "\\033[2Jonly on Mondays\\n" >&2\nexit 1\n', { mode: 0o755 });
  const refused = await store.publish(machine.outgoing());
  expect(refused).toMatchObject({ ok: false, trouble: { code: 'forbidden' } });
  expect(refused.ok || refused.trouble.message).toContain('\\x1b[2Jonly on Mondays');
  rmSync(hook);
  value(await store.publish(machine.outgoing()));
  await repository.git('config', 'receive.denyNonFastForwards', 'true');
  const again = await store.publish(machine.outgoing());
  expect(again).toMatchObject({ ok: false, trouble: { code: 'forbidden' } });
  expect(again.ok || again.trouble.message).toContain('non-fast-forward');
});

test('the roster may be refused: the presence is delivered all the same', async () => {
  using repository = await createStatusRepository();
  const machine = createMachine('web-1');
  const store = createGitStore(repository.bare, storeOptions(repository.state('web-1')));
  const hook = join(repository.bare, 'hooks', 'update');
  writeFileSync(hook, '#!/bin/sh\ntest "$1" != refs/heads/roster\n', { mode: 0o755 });
  expect(value(await store.publish(machine.outgoing([machine.transition('one')]))).kind).toBe('published');
  expect(await repository.git('for-each-ref', '--format=%(refname)')).toBe(
    'refs/heads/hosts/web-1\nrefs/heads/presence/web-1',
  );
});

test('a repository that was made anew is filled again by itself', async () => {
  using repository = await createStatusRepository();
  const machine = createMachine('web-1');
  const store = createGitStore(repository.bare, storeOptions(repository.state('web-1')));
  const reader = createGitStore(repository.bare, storeOptions(repository.state('reader')));
  value(await store.publish(machine.outgoing([machine.transition('one')])));
  value(await reader.read());
  rmSync(repository.bare, { recursive: true });
  expect(await store.publish(machine.outgoing())).toMatchObject({
    ok: false,
    trouble: { code: 'not-found' },
  });
  await repository.make();
  expect(await reader.read()).toMatchObject({ ok: false, trouble: { code: 'empty-answer' } });
  expect(value(await store.publish(machine.outgoing([machine.transition('two')]))).kind).toBe('published');
  expect(value(await reader.read())).toHaveLength(1);
});

test('a host writes to the shard that its name hashes to, and readers ask all', async () => {
  using a = await createStatusRepository();
  using b = await createStatusRepository();
  const shards = [a.bare, b.bare];
  const hosts = Array.from({ length: 6 }, (_, n) => createMachine(`web-${n}`));
  const store = createGitStore(shards, storeOptions(a.state('writer')));
  for (const host of hosts)
    value(await store.publish(host.outgoing([host.transition(`${host.host} begins`)])));
  const inA = await a.git('for-each-ref', '--format=%(refname:lstrip=3)', 'refs/heads/presence/');
  expect(inA.split('\n')).toEqual(hosts.map(({ host }) => host).filter((host) => shardOf(host, 2) === 0));
  const reader = createGitStore(shards, storeOptions(a.state('reader')));
  expect(value(await reader.hasNews())).toBe(true);
  expect(
    value(await reader.read())
      .map(({ host }) => host)
      .sort(),
  ).toEqual(hosts.map(({ host }) => host));
  expect(value(await reader.hasNews())).toBe(false);
  expect(value(await reader.history('web-3', 5))).toHaveLength(1);
  // Part of what the configuration means: never to change.
  expect(['web-0', 'web-1', 'db', 'lb'].map((host) => shardOf(host, 7))).toMatchInlineSnapshot(`
    [
      4,
      0,
      3,
      0,
    ]
  `);
});

test('a name that cannot be part of a branch is refused by name', async () => {
  using repository = await createStatusRepository();
  const store = createGitStore(repository.bare, storeOptions(repository.state('x')));
  const answer = await store.publish(createMachine('web..1').outgoing());
  expect(answer).toMatchObject({ ok: false, trouble: { code: 'config' } });
});

test('a name that a host had before is taken away, but not from another machine that has it by now', async () => {
  using there = await createStatusRepository();
  const store = createGitStore(there.bare, storeOptions(there.state('one')));
  const refs = () => there.git('for-each-ref', '--format=%(refname:lstrip=2)');
  const old = createMachine('web-old', { id: 'b'.repeat(26) });
  value(await store.publish(old.outgoing([old.transition('here')])));
  const roster = await there.git('rev-parse', 'roster');
  await store.leave?.('web-never');
  await store.leave?.('web-old');
  expect((await refs()).split('\n')).toEqual(['hosts/web-old', 'roster']);
  expect(await there.git('rev-parse', 'roster')).not.toBe(roster);

  value(await store.publish(old.outgoing([old.transition('here again')])));
  await there.git('update-ref', 'refs/heads/presence/web-old', await there.git('rev-parse', 'hosts/web-old'));
  await store.leave?.('web-old');
  expect(await refs()).toContain('presence/web-old');
});

needsProgram('nginx')('what is larger than a web server takes is a limit, with the word for it', async () => {
  using there = await createStatusRepository();
  await using web = await startNginx({ folder: there.folder, bodyMax: '1m' });
  const store = createGitStore(web.url(there.path, '127.0.0.1'), storeOptions(there.state('one')));
  const host = createMachine('web-1');
  const text = () => randomBytes(48 * 1024).toString('base64');
  const transitions = Array.from({ length: 40 }, (_, n) =>
    host.transition(`line ${n}`, { log: { repo: 'it', action: 'shop', run: 'r' as RunId, text: text() } }),
  );
  const answer = await store.publish(host.outgoing(transitions));
  expect(answer).toMatchObject({
    ok: false,
    trouble: { code: 'limit', hint: expect.stringContaining('larger requests') },
  });
  value(await store.publish(host.outgoing(transitions.slice(0, 10))));
  await store.close();
});
