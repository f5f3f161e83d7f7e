/** A machine that runs out of memory: the kernel kills git in the middle of a fetch. PAINS section 1. */
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { startGitServer } from '../../src/demo/git-server.ts';
import { createHost } from '../support/host.ts';
import { createMemoryGroup, missingForMemoryGroups } from '../support/memory-group.ts';
import { needs, requireProgram } from '../support/needs.ts';
import { createRemote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';

const test = needs(missingForMemoryGroups());

test('a git that the kernel kills for want of memory is named, costs no clone, and is tried again', async () => {
  await using group = createMemoryGroup(24);
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using server = await startGitServer({ folder: remote.folder });
  await using host = createHost({ repos: { it: server.url(remote.path) } });
  expect((await host.look()).code).toBe(0);
  const clone = join(host.state, 'repos/it/clone.git');
  const { ino } = statSync(clone);
  const bin = join(host.root, 'bin');
  mkdirSync(bin);
  const script = `#!/bin/sh\n${group.join}\nexec ${requireProgram('git')} "$@"\n`;
  writeFileSync(join(bin, 'git'), script, { mode: 0o755 });
  // Travels as some kilobytes; index-pack holds it whole.
  await remote.commit({ files: { large: Buffer.alloc(40 * 1024 * 1024), text: 'two\n' } });
  await remote.push();
  const ran = await host.look({ env: { PATH: `${bin}:${host.env.PATH}` } });
  expect(ran.code, ran.stdout + ran.stderr).toBe(3);
  expect(group.kills()).toBeGreaterThan(0);
  const { trouble } = (await host.status()).repos[0]!;
  expect(trouble).toMatchObject({ code: 'git-failed', hint: expect.stringContaining('memory') });
  expect(said(host)).toEqual(['one']);
  await host.expectNoLeaks();
  group.setLimit(1_000);
  const healed = await host.look({ env: { PATH: `${bin}:${host.env.PATH}` } });
  expect(healed, healed.stdout + healed.stderr).toMatchObject({ code: 0 });
  const commit = await remote.publish({ ...say('three'), delete: ['large'] });
  rmSync(bin, { recursive: true });
  expect((await host.look()).code).toBe(0);
  expect((await host.status()).repos[0]).toMatchObject({ applied: commit, trouble: null });
  expect(said(host)).toEqual(['one', 'two', 'three']);
  expect(statSync(clone).ino).toBe(ino);
  await host.expectNoLeaks();
});
