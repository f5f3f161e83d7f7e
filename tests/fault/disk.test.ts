/** A disk that is full, has no inode left, or turned read-only: PAINS section 1. Needs root, for small file systems. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test as always, expect } from 'vitest';
import { type GitServer, startGitServer } from '../../src/demo/git-server.ts';
import { type Fault, faultEnvironment } from '../support/fault.ts';
import { createHost, type HostOptions, type TestHost } from '../support/host.ts';
import { needsRoot, requireProgram } from '../support/needs.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { mountTmpfs, type Tmpfs } from '../support/tmpfs.ts';
import { commitOfTree } from '../support/tree.ts';

const test = needsRoot('mount', 'umount');
const MB = 1024 * 1024;

interface World extends AsyncDisposable {
  readonly disk: Tmpfs;
  readonly remote: Remote;
  readonly server: GitServer;
  readonly host: TestHost;
}

/** A host whose root is a small file system, which has applied a first commit. */
async function createWorld(
  size: Parameters<typeof mountTmpfs>[0],
  options: HostOptions = {},
): Promise<World> {
  const remote = await createRemote();
  await remote.publish(sayRepository('one'));
  const server = await startGitServer({ folder: remote.folder });
  const disk = mountTmpfs(size);
  const host = createHost({
    root: disk.path,
    interval: '100ms',
    repos: { it: server.url(remote.path) },
    more: { limits: { freeSpaceMin: '64 KiB' } },
    ...options,
  });
  expect((await host.look()).code).toBe(0);
  return {
    disk,
    remote,
    server,
    host,
    async [Symbol.asyncDispose]() {
      await host.close();
      disk[Symbol.dispose]();
      await server.close();
      remote[Symbol.dispose]();
    },
  };
}

async function expectTrouble(host: TestHost, code: string): Promise<void> {
  const { trouble } = (await host.status()).repos[0]!;
  expect(trouble).toMatchObject({ code });
  expect(trouble?.message).toMatch(/^\S.{10,}/);
  expect(trouble?.hint).not.toBeNull();
}

async function expectApplied({ host, remote }: World, text: string): Promise<void> {
  const commit = await remote.head();
  const ran = await host.look();
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
  expect((await host.status()).repos[0]).toMatchObject({ applied: commit, trouble: null });
  expect(await commitOfTree(host, remote.bare, [commit])).toBe(commit);
  expect(said(host).filter((line) => line === text)).toEqual([text]);
  await host.expectNoLeaks();
}

const large = (megabytes: number) => ({ large: randomBytes(megabytes * MB) });

test('a disk that becomes full in a fetch is a trouble until space is free, and the partial pack does not keep it full', async () => {
  await using world = await createWorld({ megabytes: 60 });
  const { disk, remote, host } = world;
  await remote.publish({ files: { ...large(12), text: 'large\n' } });
  disk.fill(4 * MB);
  const ran = await host.look();
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: expect.toSatisfy((code) => code !== 0) });
  await expectTrouble(host, 'disk-full');
  const { bavail, bsize } = statfsSync(disk.path);
  expect(bavail * bsize).toBeGreaterThan(3 * MB);
  expect(said(host)).toEqual(['one']);
  disk.free();
  await expectApplied(world, 'large');
});

test('a disk that becomes full in a checkout is a trouble until space is free', async () => {
  await using world = await createWorld({ megabytes: 60 });
  const { disk, remote, host } = world;
  await remote.publish({ files: { ...large(10), text: 'large\n' } });
  // The pack fits, the files do not.
  disk.fill(15 * MB);
  expect((await host.look()).code).not.toBe(0);
  await expectTrouble(host, 'disk-full');
  expect(said(host)).toEqual(['one']);
  disk.free();
  await expectApplied(world, 'large');
});

test('with less free space than is asked for no fetch is begun', async () => {
  await using world = await createWorld({ megabytes: 40 });
  const { remote, host, server } = world;
  host.configure({ more: { limits: { freeSpaceMin: '1 GiB' } }, repos: { it: server.url(remote.path) } });
  await remote.publish(say('two'));
  expect((await host.look()).code).not.toBe(0);
  await expectTrouble(host, 'disk-full');
  host.configure({});
  await expectApplied(world, 'two');
});

test('a look that can write nothing at all says so, repeats nothing, and the next is fine', async () => {
  await using world = await createWorld({ megabytes: 20 });
  const { disk, remote, host } = world;
  await remote.publish(say('two'));
  for (const left of [0, 8_192, 65_536, 131_072]) {
    disk.fill(left);
    const ran = await host.look();
    expect(ran.stdout + ran.stderr).not.toContain('defect');
    expect(said(host).filter((line) => line === 'two').length).toBeLessThanOrEqual(1);
    if (left < 65_536) {
      expect(ran.code).not.toBe(0);
      await expectTrouble(host, 'disk-full');
    }
    disk.free();
  }
  await expectApplied(world, 'two');
});

test('a daemon outlives a full disk, which is visible meanwhile', async () => {
  await using world = await createWorld({ megabytes: 20 });
  const { disk, remote, host } = world;
  const agent = await host.start();
  for (const text of ['two', 'three']) {
    disk.fill();
    const commit = await remote.publish(say(text));
    await host.untilTrouble('disk-full');
    expect(agent.isRunning()).toBe(true);
    disk.free();
    await host.untilApplied(commit);
  }
  expect(said(host)).toEqual(['one', 'two', 'three']);
  await host.expectNoLeaks();
});

test('an action that fills the disk loses neither its result nor what comes after', async () => {
  await using world = await createWorld({ megabytes: 20 });
  const { remote, host } = world;
  const fill = '#!/bin/sh\ncat text >> "$PULLYU_STATE_DIR/said"\n';
  await remote.publish({
    scripts: { 'say.sh': `${fill}head -c 100000000 /dev/zero > "$PULLYU_STATE_DIR/big"; true\n` },
    files: { text: 'filled\n' },
  });
  const ran = await host.look();
  expect(ran.stdout + ran.stderr).not.toContain('defect');
  await expectTrouble(host, 'disk-full');
  rmSync(join(host.state, 'repos/it/state/say/big'));
  await remote.publish({ scripts: { 'say.sh': fill }, files: { text: 'emptied\n' } });
  await expectApplied(world, 'emptied');
  expect(said(host)).toEqual(['one', 'filled', 'emptied']);
});

test('the output of an action is bounded while it runs, so that it cannot fill the disk', async () => {
  await using world = await createWorld(
    { megabytes: 30 },
    { more: { limits: { freeSpaceMin: '64 KiB', outputMax: '256 KiB' } } },
  );
  const { remote, host } = world;
  await remote.publish({
    scripts: {
      'say.sh':
        '#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8; do head -c 8000000 /dev/urandom; sleep 0.1; done\ncat text >> "$PULLYU_STATE_DIR/said"\n',
    },
    files: { text: 'loud\n' },
  });
  await expectApplied(world, 'loud');
  const [run] = await host.history();
  expect(run).toMatchObject({ outcome: 'ok' });
  expect((await host.run(['logs', 'say'])).stdout.length).toBeLessThan(4 * MB);
});

test('a file system without inodes is a full disk, until some are free', async () => {
  await using world = await createWorld({ megabytes: 30, inodes: 700 });
  const { disk, remote, host } = world;
  await remote.publish({
    files: {
      text: 'many\n',
      ...Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`many/${i}`, `${i}`])),
    },
  });
  const takeInodes = (leave: number) => {
    const folder = join(disk.path, 'inodes');
    mkdirSync(folder);
    const { ffree } = statfsSync(disk.path);
    for (let n = 0; n < ffree - leave; n += 1) writeFileSync(join(folder, String(n)), '');
  };
  for (const leave of [0, 20, 60]) {
    takeInodes(leave);
    const ran = await host.look();
    expect(ran.stdout + ran.stderr).not.toContain('defect');
    expect(ran, `with ${leave}: ${ran.stdout}${ran.stderr}`).toMatchObject({
      code: expect.toSatisfy((code) => code !== 0),
    });
    await expectTrouble(host, 'disk-full');
    rmSync(join(disk.path, 'inodes'), { recursive: true });
  }
  await expectApplied(world, 'many');
});

test('a file system that turned read-only is visible, and the next good commit comes when it is mended', async () => {
  await using world = await createWorld({ megabytes: 20 });
  const { disk, remote, host } = world;
  disk.setReadOnly(true);
  await remote.publish(say('two'));
  const ran = await host.look();
  expect(ran.code).toBe(4);
  expect(ran.stderr).toMatch(/read-only/);
  await expectTrouble(host, 'read-only');
  disk.setReadOnly(false);
  await expectApplied(world, 'two');
});

test('a bootstrap onto a full disk leaves nothing half-installed', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using server = await startGitServer({ folder: remote.folder });
  using disk = mountTmpfs({ megabytes: 20 });
  await using host = createHost({ root: disk.path });
  const bootstrap = ['bootstrap', server.url(remote.path), '--heartbeat', 'none'];
  disk.fill();
  const ran = await host.run(bootstrap);
  expect(ran.code).toBe(4);
  expect(ran.stderr).toMatch(/^error: no space is left.*\nhint: /);
  expect(existsSync(host.hostFile)).toBe(false);
  expect(readdirSync(join(host.root, 'etc/pullyu'))).toEqual([]);
  disk.free();
  // This disk is smaller than what a fetch wants to have free.
  expect((await host.run(bootstrap)).code).toBe(4);
  await expectTrouble(host, 'disk-full');
  host.configure({
    repos: { it: server.url(remote.path) },
    more: { limits: { freeSpaceMin: '64 KiB' } },
  });
  expect((await host.look()).code).toBe(0);
  expect(said(host)).toEqual(['one']);
});

// Few kernels of test machines have quotas: the calls fail as they do there.
always('a quota that is used up is a full disk, for the agent and for git', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using host = createHost({ repos: { it: remote.bare } });
  expect((await host.look()).code).toBe(0);
  const bin = join(host.root, 'bin');
  mkdirSync(bin);
  const complaint = 'fatal: write error: Disk quota exceeded';
  const script = `#!/bin/sh\ncase " $* " in *" fetch "*) echo "${complaint}" >&2; exit 128;; esac\nexec ${requireProgram('git')} "$@"\n`;
  writeFileSync(join(bin, 'git'), script, { mode: 0o755 });
  const quota = (step: string): Fault => ({ do: 'fail', code: 'EDQUOT', step });
  for (const env of [
    { PATH: `${bin}:${host.env.PATH}` },
    faultEnvironment(host.root, { fault: quota('write journal.log') }),
  ]) {
    await remote.publish(say(`not yet ${JSON.stringify(env).length}`));
    const ran = await host.look({ env });
    expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: expect.toSatisfy((code) => code !== 0) });
    expect(ran.stdout + ran.stderr).toMatch(/no space|quota/i);
    expect(ran.stdout + ran.stderr).not.toContain('defect');
  }
  const commit = await remote.publish(say('two'));
  expect((await host.look()).code).toBe(0);
  expect((await host.status()).repos[0]).toMatchObject({ applied: commit, trouble: null });
  expect(said(host)).toEqual(['one', 'two']);
  await host.expectNoLeaks();
});
