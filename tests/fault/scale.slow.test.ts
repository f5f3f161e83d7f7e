/** What is large: many refs, a huge file, many files, on a machine with one processor and 512 MB. PAINS sections 2 and 5. */
import { createWriteStream, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startGitServer } from '../../src/demo/git-server.ts';
import { git } from '../support/git.ts';
import { createHost, program } from '../support/host.ts';
import { processesOf } from '../support/leaks.ts';
import { createMemoryGroup, missingForMemoryGroups } from '../support/memory-group.ts';
import { findProgram, needs } from '../support/needs.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { startSmartHttp } from '../support/smart-http.ts';
import { currentTree, filesOf } from '../support/tree.ts';

const GIB = 2 ** 30;
const FILES = 100_000;

test('100,000 references on the remote: a daemon follows its own, and no other is fetched', async () => {
  using remote = await createRemote();
  const first = await remote.publish(sayRepository('one'));
  const lines = Array.from({ length: 100_000 }, (_, n) => `${first} refs/heads/topic/${n}\n`).sort();
  writeFileSync(join(remote.bare, 'packed-refs'), `# pack-refs with: sorted\n${lines.join('')}`);
  await using server = await startSmartHttp(remote.folder);
  await using host = createHost({ interval: '200ms', repos: { it: server.url(remote.path) } });
  await host.start();
  await host.untilApplied(first);
  await host.untilApplied(await remote.publish(say('two')));
  expect(said(host)).toEqual(['one', 'two']);
  expect(await git(['-C', join(host.state, 'repos/it/clone.git'), 'for-each-ref'])).not.toContain('topic');
  await host.expectNoLeaks();
});

test('a branch that is missing among 100,000 is named, without all of them', async () => {
  using remote = await createRemote();
  const first = await remote.publish(sayRepository('one'));
  const lines = Array.from({ length: 100_000 }, (_, n) => `${first} refs/heads/topic/${n}\n`).sort();
  writeFileSync(join(remote.bare, 'packed-refs'), `# pack-refs with: sorted\n${lines.join('')}`);
  await using server = await startGitServer({ folder: remote.folder });
  await using host = createHost({ repos: { it: { remotes: [server.url(remote.path)], track: 'gone' } } });
  expect((await host.look()).code).not.toBe(0);
  const { trouble } = (await host.status()).repos[0]!;
  expect(trouble?.code).toBe('ref-missing');
  expect(trouble!.message.length + trouble!.hint!.length).toBeLessThan(1_000);
  await remote.git('push', '--quiet', 'origin', 'HEAD:gone');
  expect((await host.look()).code).toBe(0);
});

/** Pushes a commit with one file of so many zeros: it travels as about a thousandth of that. */
async function publishZeros(remote: Remote, bytes: number) {
  const stream = createWriteStream(join(remote.work, 'zeros'));
  const piece = Buffer.alloc(2 ** 20);
  for (let written = 0; written < bytes; written += piece.length)
    if (!stream.write(piece)) await new Promise<void>((resolve) => stream.once('drain', () => resolve()));
  await new Promise<void>((resolve) => stream.end(() => resolve()));
  await remote.git('config', 'core.bigFileThreshold', '16m');
  return remote.publish({ files: { text: 'with zeros\n' } });
}

test('a file of 1 GiB that travels as one megabyte is refused by its size, and the next good commit is applied', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using server = await startGitServer({ folder: remote.folder });
  await using host = createHost({
    repos: { it: server.url(remote.path) },
    more: { limits: { treeMaxSize: '512 MiB' } },
  });
  expect((await host.look()).code).toBe(0);
  await publishZeros(remote, GIB);
  for (let n = 0; n < 2; n += 1) {
    const ran = await host.look({ timeoutMs: 600_000 });
    expect(ran.code, ran.stdout + ran.stderr).toBe(4);
    const { trouble } = (await host.status()).repos[0]!;
    expect(trouble).toMatchObject({ code: 'limit', hint: expect.stringContaining('limits.treeMaxSize') });
    expect(trouble?.message).toContain(`"zeros" alone has ${GIB}`);
  }
  expect(existsSync(join(currentTree(host)!, 'zeros'))).toBe(false);
  const commit = await remote.publish({ ...say('two'), delete: ['zeros'] });
  expect((await host.look({ timeoutMs: 600_000 })).code).toBe(0);
  expect((await host.status()).repos[0]).toMatchObject({ applied: commit, trouble: null });
  expect(said(host)).toEqual(['one', 'two']);
  await host.expectNoLeaks();
});

needs([...missingForMemoryGroups(), ...(findProgram('taskset') ? [] : ['taskset'])])(
  'one processor and 512 MB: 100,000 files are cloned, a change is applied, a daemon stays small',
  async () => {
    await using group = createMemoryGroup(512);
    using remote = await createRemote();
    const content = (n: number) => `file ${n}\n${'x'.repeat(n % 400)}\n`;
    for (let folder = 0; folder < 1_000; folder += 1) {
      mkdirSync(join(remote.work, `d/${folder}`), { recursive: true });
      for (let n = 0; n < FILES / 1_000; n += 1)
        writeFileSync(join(remote.work, `d/${folder}/${n}`), content(folder * 100 + n));
    }
    await remote.publish(sayRepository('one'));
    await using server = await startGitServer({ folder: remote.folder, requestTimeoutMs: 600_000 });
    await using host = createHost({ interval: '200ms', program: smallMachine(remote.folder, group.join) });
    host.configure({ repos: { it: server.url(remote.path) } });
    const first = await host.look({ timeoutMs: 900_000 });
    expect(first, first.stdout + first.stderr).toMatchObject({ code: 0 });
    expect(filesOf(currentTree(host)!)).toHaveLength(FILES + 3);
    await remote.publish({ ...say('two'), files: { text: 'two\n', 'd/7/7': 'changed\n' } });
    expect((await host.look({ timeoutMs: 900_000 })).code).toBe(0);
    const agent = await host.start();
    for (const text of ['three', 'four']) {
      const commit = await remote.publish(say(text));
      await host.untilApplied(commit, { timeoutMs: 300_000 });
    }
    expect(said(host)).toEqual(['one', 'two', 'three', 'four']);
    expect(agent.isRunning()).toBe(true);
    console.log(JSON.stringify({ peakMegabytes: Math.round(group.peak()), kills: group.kills() }));
    expect(group.kills()).toBe(0);
    await agent.close();
    await host.expectNoLeaks();
    expect(processesOf(host.root)).toEqual([]);
  },
);

/** bin/pullyu on the first processor, in the group. */
function smallMachine(folder: string, enter: string): string {
  const file = join(folder, '..', 'pullyu');
  writeFileSync(file, `#!/bin/sh\n${enter}\nexec taskset -c 0 ${program} "$@"\n`, { mode: 0o755 });
  return file;
}
