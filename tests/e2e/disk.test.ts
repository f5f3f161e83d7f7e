/** The host's disk is full, out of inodes or read-only: visible while it lasts, and nothing of it stays afterwards. */
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createHost } from '../support/host.ts';
import { needsRoot } from '../support/needs.ts';
import { createRemote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { survive } from '../support/survive.ts';
import { mountTmpfs } from '../support/tmpfs.ts';

const test = needsRoot('mount', 'umount');
const SMALL = { limits: { freeSpaceMin: '1 MiB' } };

test('a disk that runs full in the middle of a fetch, and is freed', async () => {
  using remote = await createRemote();
  using disk = mountTmpfs({ megabytes: 40 });
  const first = await remote.publish(sayRepository('one'));
  await using host = createHost({
    root: disk.path,
    interval: '100ms',
    repos: { it: remote.url },
    more: SMALL,
  });
  await host.start();
  await host.untilApplied(first);
  await survive(host, remote, {
    name: 'a full disk',
    code: 'disk-full',
    begin: async () => {
      await remote.commit({ files: { large: randomBytes(8_000_000) } });
      disk.fill(3_000_000);
    },
    end: () => disk.free(),
  });
});

test('a disk without a single free byte, under journal and state', async () => {
  using remote = await createRemote();
  using disk = mountTmpfs({ megabytes: 40 });
  const first = await remote.publish(sayRepository('one'));
  await using host = createHost({
    root: disk.path,
    interval: '100ms',
    repos: { it: remote.url },
    more: SMALL,
  });
  await host.start();
  await host.untilApplied(first);
  await survive(host, remote, {
    name: 'no free byte',
    code: 'disk-full',
    begin: () => disk.fill(),
    end: () => disk.free(),
  });
});

test('too little free space is said before a fetch begins', async () => {
  using remote = await createRemote();
  using disk = mountTmpfs({ megabytes: 40 });
  await remote.publish(sayRepository('one'));
  const more = { limits: { freeSpaceMin: '1 GiB' } };
  await using host = createHost({ root: disk.path, repos: { it: remote.url }, more });
  const look = await host.look();
  expect(look.stdout + look.stderr).toMatch(
    /disk-full: expected 1\.0 GiB of free space for a fetch, found \d+ MiB/,
  );
  expect(look.code).not.toBe(0);
  expect((await host.status()).repos[0]?.trouble?.code).toBe('disk-full');
});

test('a disk without free inodes, and with some again', async () => {
  using remote = await createRemote();
  using disk = mountTmpfs({ megabytes: 40, inodes: 1_000 });
  const first = await remote.publish(sayRepository('one'));
  await using host = createHost({
    root: disk.path,
    interval: '100ms',
    repos: { it: remote.url },
    more: SMALL,
  });
  await host.start();
  await host.untilApplied(first);
  const small = join(disk.path, 'small');
  await survive(host, remote, {
    name: 'no free inode',
    code: 'disk-full',
    begin: () => {
      try {
        for (let i = 0; i < 2_000; i++) writeFileSync(`${small}-${i}`, '');
      } catch {
        // Full: that is what is wanted.
      }
    },
    end: () => {
      for (const name of readdirSync(disk.path)) if (name.startsWith('small-')) rmSync(join(disk.path, name));
    },
  });
});

test('a read-only disk is named by a look, which does its work once the disk is writable', async () => {
  using remote = await createRemote();
  using disk = mountTmpfs({ megabytes: 40 });
  await remote.publish(sayRepository('one'));
  await using host = createHost({ root: disk.path, repos: { it: remote.url }, more: SMALL });
  expect((await host.look()).code).toBe(0);
  await remote.publish(say('two'));
  disk.setReadOnly(true);
  const look = await host.look();
  expect({ code: look.code, said: said(host) }).toEqual({ code: 4, said: ['one'] });
  expect(look.stderr).toMatch(/read-only/);
  disk.setReadOnly(false);
  expect((await host.look()).code).toBe(0);
  expect(said(host)).toEqual(['one', 'two']);
  await host.expectNoLeaks();
});
