import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startGitDaemon } from '../../tests/support/git-daemon.ts';
import { needsProgram } from '../../tests/support/needs.ts';
import { startNginx } from '../../tests/support/nginx.ts';
import { startSshd } from '../../tests/support/sshd.ts';
import {
  createMachine,
  createStatusRepository,
  type StatusRepository,
  storeOptions,
} from '../../tests/support/status-repository.ts';
import { createObjectSet } from '../git/objects.ts';
import { formatPack } from '../git/pack.ts';
import { NO_ACCESS } from '../model/repo.ts';
import type { Result } from '../model/trouble.ts';
import { systemClock } from '../system/clock.ts';
import { addPresence } from './git-commits.ts';
import { createGitStore } from './git-store.ts';

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.trouble.code}: ${result.trouble.message}`);
  return result.value;
}

/** Presences of so many hosts, without so many pushes. */
async function fill(repository: StatusRepository, count: number) {
  const set = createObjectSet('sha1');
  const machines = Array.from({ length: count }, (_, n) => createMachine(`web-${n}`));
  const refs = machines.map((machine) => {
    const commit = addPresence(set, machine.host, machine.presence());
    return `create refs/heads/presence/${machine.host} ${commit}\n`;
  });
  const { git } = await import('../../tests/support/git.ts');
  await git(['-C', repository.bare, 'unpack-objects', '-q'], { input: formatPack(set.objects, 'sha1') });
  await git(['-C', repository.bare, 'update-ref', '--stdin'], { input: refs.join('') });
  await repository.git('pack-refs', '--all');
  return machines;
}

test('of 300 hosts only what changed is fetched, and a new process knows what the one before had read', async () => {
  using repository = await createStatusRepository();
  const [first] = await fill(repository, 300);
  let now = 1_000;
  const clock = { ...systemClock, now: () => now };
  const open = () => createGitStore(repository.bare, storeOptions(repository.state('reader'), { clock }));
  const all = value(await open().read());
  expect(all).toHaveLength(300);
  expect(all[0]!.seen).toEqual({ notBefore: null, notAfter: 1_000 });

  now = 2_000;
  // All objects but those that are pushed now are gone: whatever else was asked for would fail.
  const writer = createGitStore(repository.bare, storeOptions(repository.state('writer')));
  rmSync(join(repository.bare, 'objects', 'pack'), { recursive: true, force: true });
  const again = value(await open().read());
  expect(again).toEqual(all);
  now = 3_000;
  const out = first!.outgoing();
  value(await writer.publish(out));
  const changed = value(await open().read());
  expect(changed.filter((one, n) => one.token !== again[n]!.token)).toMatchObject([
    { host: 'web-0', text: out.presence.text, seen: { notBefore: 2_000, notAfter: 3_000 } },
  ]);
  await repository.git('update-ref', '-d', 'refs/heads/presence/web-7');
  expect(value(await open().read()).map(({ host }) => host)).not.toContain('web-7');
  expect(value(await open().read())).toHaveLength(299);
});

needsProgram('nginx', 'fcgiwrap')(
  'over http, of 600 hosts on one connection: moved, gone, come and claimed ones are seen',
  async () => {
    using repository = await createStatusRepository();
    const machines = await fill(repository, 600);
    await using server = await startNginx({ folder: repository.folder });
    const url = server.url(repository.path);
    const writer = createGitStore(url, storeOptions(repository.state('writer')));
    const reader = createGitStore(url, storeOptions(repository.state('reader')));
    const one = machines[123]!;
    value(await writer.publish(one.outgoing([one.transition('begins')])));
    for (let n = 0; n < 3; n += 1) expect(value(await reader.read())).toHaveLength(600);
    for (let n = 0; n < 3; n += 1) {
      const out = one.outgoing([one.transition(`step ${n}`)]);
      value(await writer.publish(out));
      server.forget();
      expect(value(await reader.hasNews())).toBe(true);
      const found = value(await reader.read());
      expect(found).toHaveLength(600);
      expect(found.find(({ host }) => host === one.host)).toMatchObject(out.presence);
      expect(value(await reader.hasNews())).toBe(false);
      const asked = server.requests().filter(({ method }) => method === 'POST');
      // Two for news, a list and a fetch; the last one of the writer may come into the log late.
      expect(asked.length).toBeLessThanOrEqual(5);
    }
    await repository.git('update-ref', '-d', 'refs/heads/presence/web-7');
    expect(value(await reader.read()).map(({ host }) => host)).not.toContain('web-7');
    const next = createMachine('next');
    value(await writer.publish(next.outgoing()));
    expect(value(await reader.read()).map(({ host }) => host)).toContain('next');
    const twin = createMachine('next', { id: 'b'.repeat(26) });
    const other = createGitStore(url, storeOptions(repository.state('twin')));
    for (let n = 0; n < 2; n += 1) {
      const out = twin.outgoing();
      expect(value(await other.publish(out)).kind).toBe('conflict');
      const found = value(await reader.read()).find(({ host }) => host === 'next');
      expect(found?.contenders).toMatchObject([
        { id: twin.id, clock: Date.parse(JSON.parse(out.presence.text).clock) },
      ]);
    }
    await writer.close();
    await reader.close();
    await other.close();
  },
);

test('whatever else lies in the repository is passed over, and the presences are read', async () => {
  using repository = await createStatusRepository();
  const good = createMachine('good');
  const store = createGitStore(repository.bare, storeOptions(repository.state('good')));
  value(await store.publish(good.outgoing([good.transition('good begins')])));
  const { bare } = repository;
  const { git } = await import('../../tests/support/git.ts');
  const blob = await git(['-C', bare, 'hash-object', '-w', '--stdin'], { input: 'plain' });
  const huge = await git(['-C', bare, 'hash-object', '-w', '--stdin'], {
    input: Buffer.alloc(5_000_000, 'x'),
  });
  const mktree = (lines: string) => git(['-C', bare, 'mktree', '--missing'], { input: lines });
  const commit = async (tree: string) => repository.git('commit-tree', tree, '-m', 'x');
  const empty = await mktree('');
  const refs: Record<string, string> = {
    'presence/empty': await commit(empty),
    'presence/huge': await commit(
      await mktree(`100644 blob ${huge}\tpresence.json\n100644 blob ${blob}\tpresence.json.sig\n`),
    ),
    'presence/folder': await commit(await mktree(`040000 tree ${empty}\tpresence.json\n`)),
    'presence/link': await commit(await mktree(`120000 blob ${blob}\tpresence.json\n`)),
    'presence/half': await commit(await mktree(`100644 blob ${blob}\tpresence.json\n`)),
    'presence/Odd Name': '',
    'presence/a/b': await commit(empty),
    'presence/ünlikely': await commit(empty),
    'conflicts/good/zzz': await commit(empty),
    'conflicts/good/01234567': await commit(empty),
    'presence/a-tree': empty,
    'presence/a-blob': blob,
    'presence/gone': '1'.repeat(40),
  };
  await repository.git('tag', '-a', '-m', 'x', 'v1', 'presence/good');
  refs['presence/a-tag'] = await repository.git('rev-parse', 'refs/tags/v1');
  for (const [name, id] of Object.entries(refs)) {
    if (id === '') continue;
    const file = join(bare, 'refs/heads', name);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, `${id}\n`);
  }
  const reader = createGitStore(bare, storeOptions(repository.state('reader')));
  for (let n = 0; n < 3; n += 1) {
    const found = value(await reader.read());
    expect(found.map(({ host }) => host)).toEqual(['good']);
    expect(found[0]!.contenders).toEqual([]);
  }
  const damaged = await store.publish(good.outgoing());
  expect(damaged).toMatchObject({ ok: false, trouble: { code: 'server-error' } });
  rmSync(join(bare, 'refs/heads/presence/gone'));
  // Its own name is not touched by all that, nor is it kept from publishing.
  expect(value(await store.publish(good.outgoing())).kind).toBe('published');
});

needsProgram('nginx', 'fcgiwrap')(
  'a server that is down is a trouble, and read again when it is up',
  async () => {
    using repository = await createStatusRepository();
    await using server = await startNginx({ folder: repository.folder });
    const machine = createMachine('web-1');
    const open = (name: string) =>
      createGitStore(server.url(repository.path), storeOptions(repository.state(name)));
    const store = open('web-1');
    const reader = open('reader');
    value(await store.publish(machine.outgoing([machine.transition('one')])));
    value(await reader.read());
    await server.stop();
    const down = { ok: false, trouble: { code: 'unreachable' } };
    const out = machine.outgoing([machine.transition('two')]);
    expect(await store.publish(out)).toMatchObject(down);
    expect(await reader.hasNews()).toMatchObject(down);
    expect(await reader.read()).toMatchObject(down);
    expect(await reader.history('web-1', 3)).toMatchObject(down);
    await server.start();
    expect(value(await store.publish(out)).kind).toBe('published');
    expect(value(await reader.hasNews())).toBe(true);
    expect(value(await reader.read())).toMatchObject([out.presence]);
    await store.close();
    await reader.close();
  },
);

for (const acceptProtocol of [true, false]) {
  needsProgram('sshd', 'ssh')(`over ssh, where protocol v2 may be asked for: ${acceptProtocol}`, async () => {
    using repository = await createStatusRepository();
    await using server = await startSshd({ bare: repository.bare, acceptProtocol, mayPush: true });
    const access = { ...NO_ACCESS, sshKey: server.key, sshKnownHosts: server.knownHosts };
    const machine = createMachine('web-1');
    const open = (name: string) => {
      const sshFolder = repository.state('ssh');
      return createGitStore(server.url, storeOptions(repository.state(name), { access, sshFolder }));
    };
    const store = open('web-1');
    const reader = open('reader');
    value(await store.publish(machine.outgoing([machine.transition('one')])));
    value(await store.publish(machine.outgoing([machine.transition('two')])));
    expect(value(await reader.hasNews())).toBe(true);
    expect(value(await reader.read())).toHaveLength(1);
    expect(value(await reader.hasNews())).toBe(false);
    expect(value(await reader.history('web-1', 5)).map(({ subject }) => subject)).toEqual(['two', 'one']);
    expect(server.logins()).toBe(1);
    const wrong = { ...access, sshKey: server.strangerKey };
    const stranger = createGitStore(server.url, storeOptions(repository.state('x'), { access: wrong }));
    expect(await stranger.publish(machine.outgoing())).toMatchObject({
      ok: false,
      trouble: { code: 'auth-refused' },
    });
    await store.close();
    await reader.close();
  });
}

test('over git://, and one that is down or lets nobody push has a name', async () => {
  using repository = await createStatusRepository();
  await using server = await startGitDaemon({ folder: repository.folder, mayPush: true });
  await using closed = await startGitDaemon({ folder: repository.folder });
  const machine = createMachine('web-1');
  const open = (url: string, name: string) => createGitStore(url, storeOptions(repository.state(name)));
  const store = open(server.url(repository.path), 'web-1');
  value(await store.publish(machine.outgoing([machine.transition('one')])));
  value(await store.publish(machine.outgoing([machine.transition('two')])));
  const reader = open(closed.url(repository.path), 'reader');
  expect(value(await reader.read())).toHaveLength(1);
  expect(value(await reader.history('web-1', 5)).map(({ subject }) => subject)).toEqual(['two', 'one']);
  const refused = await reader.publish(machine.outgoing());
  // It closes without reading what was sent, and its last words may be lost by that.
  expect(['not-found', 'unreachable']).toContain(refused.ok || refused.trouble.code);
  await closed.stop();
  expect(await reader.read()).toMatchObject({ ok: false, trouble: { code: 'unreachable' } });
});
