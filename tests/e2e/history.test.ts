/** The remote changes its shape: rewritten, emptied, renamed, replaced. The host never goes back by itself. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type GitServer, startGitServer } from '../../src/demo/git-server.ts';
import type { CommitId } from '../../src/model/ids.ts';
import { git } from '../support/git.ts';
import { createHost, type TestHost } from '../support/host.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { survive } from '../support/survive.ts';
import { until } from '../support/until.ts';

interface World extends AsyncDisposable {
  readonly remote: Remote;
  readonly server: GitServer;
  readonly host: TestHost;
  /** Applied when the story begins; two more commits are below it. */
  readonly known: CommitId;
}

/** A remote with three commits and a running agent that has applied the newest. */
async function createWorld(): Promise<World> {
  const remote = await createRemote();
  await remote.commit(sayRepository('one'));
  await remote.commit(say('two'));
  const known = await remote.publish(say('three'));
  const server = await startGitServer({ folder: remote.folder });
  const host = createHost({ interval: '100ms', repos: { it: server.url(remote.path) } });
  const close = async () => {
    await host.close();
    await server.close();
    remote[Symbol.dispose]();
  };
  try {
    await host.start();
    await host.untilApplied(known);
  } catch (error) {
    await close();
    throw error;
  }
  return { remote, server, host, known, [Symbol.asyncDispose]: close };
}

test('a rewritten history is refused until the operator accepts it', async () => {
  await using world = await createWorld();
  const { remote, host, known } = world;
  await remote.git('reset', '--quiet', '--hard', 'HEAD~1');
  const rewritten = await remote.commit(say('another three'));
  await remote.forcePush();
  const status = await host.untilTrouble('rewritten');
  expect(status.repos[0]).toMatchObject({ applied: known, seen: rewritten });
  expect(status.repos[0]?.trouble?.hint).toContain(rewritten);
  expect(said(host)).toEqual(['three']);
  expect((await host.run(['accept', rewritten])).code).toBe(0);
  await host.untilApplied(rewritten);
  expect(said(host)).toEqual(['three', 'another three']);
  await host.untilApplied(await remote.publish(say('four')));
  await host.expectNoLeaks();
});

test('a rewritten history that is put back heals by itself', async () => {
  await using world = await createWorld();
  const { remote, host, known } = world;
  await remote.git('reset', '--quiet', '--hard', 'HEAD~1');
  await remote.commit(say('another three'));
  await remote.forcePush();
  await host.untilTrouble('rewritten');
  await remote.forcePush(known);
  await host.untilApplied(await remote.publish(say('four')));
  expect(said(host)).toEqual(['three', 'four']);
});

test('a remote that was set back to an older commit is lagging, never a rollback', async () => {
  await using world = await createWorld();
  const { remote, host, known } = world;
  await remote.forcePush('HEAD~1');
  expect((await host.untilTrouble('lagging')).repos[0]?.applied).toBe(known);
  expect(said(host)).toEqual(['three']);
  await remote.forcePush(known);
  await host.untilApplied(await remote.publish(say('four')));
});

test('a repository that was replaced by an unrelated one is refused', async () => {
  await using world = await createWorld();
  const { remote, host, known } = world;
  using stranger = await createRemote();
  await stranger.publish(sayRepository('somebody else'));
  renameSync(remote.bare, `${remote.bare}.kept`);
  renameSync(stranger.bare, remote.bare);
  expect((await host.untilTrouble('rewritten')).repos[0]?.applied).toBe(known);
  rmSync(remote.bare, { recursive: true });
  renameSync(`${remote.bare}.kept`, remote.bare);
  await host.untilApplied(await remote.publish(say('four')));
  expect(said(host)).toEqual(['three', 'four']);
  await host.expectNoLeaks();
});

test('a branch, a repository or all references that are gone are troubles, never "delete"', async () => {
  await using world = await createWorld();
  const { remote, host } = world;
  const bare = (...args: string[]) => git(['-C', remote.bare, ...args]);
  const aside = `${remote.bare}.kept`;
  // survive() pushes while the failure lasts: to where the repository is then.
  const toAside = () => remote.git('remote', 'set-url', 'origin', aside);
  const back = () => remote.git('remote', 'set-url', 'origin', remote.bare);

  await survive(host, remote, {
    name: 'a branch that was renamed',
    code: 'ref-missing',
    begin: async () => {
      await bare('update-ref', 'refs/heads/master', 'main');
      await bare('update-ref', '-d', 'refs/heads/main');
      await bare('symbolic-ref', 'HEAD', 'refs/heads/master');
      await remote.git('branch', '--quiet', '-m', 'main', 'master');
    },
    end: async () => {
      await remote.git('branch', '--quiet', '-m', 'master', 'main');
      await remote.push();
    },
  });
  await survive(host, remote, {
    name: 'a repository that was deleted',
    code: 'not-found',
    begin: async () => {
      renameSync(remote.bare, aside);
      await toAside();
    },
    end: async () => {
      renameSync(aside, remote.bare);
      await back();
    },
  });
  await survive(host, remote, {
    name: 'a repository that was emptied',
    code: ['ref-missing', 'empty-answer'],
    begin: async () => {
      renameSync(remote.bare, aside);
      await git(['init', '--quiet', '--bare', '--initial-branch=main', remote.bare]);
      await toAside();
    },
    end: async () => {
      rmSync(remote.bare, { recursive: true });
      renameSync(aside, remote.bare);
      await back();
    },
  });
  await survive(host, remote, {
    name: 'a branch that became a folder of branches',
    code: 'ref-missing',
    begin: async () => {
      await bare('update-ref', '-d', 'refs/heads/main');
      await bare('update-ref', 'refs/heads/main/new', 'master');
      await remote.git('branch', '--quiet', '-m', 'main', 'other');
    },
    end: async () => {
      await bare('update-ref', '-d', 'refs/heads/main/new');
      await remote.git('branch', '--quiet', '-m', 'other', 'main');
      await remote.push();
    },
  });
});

test('another default branch changes nothing', async () => {
  await using world = await createWorld();
  const { remote, host } = world;
  await git(['-C', remote.bare, 'update-ref', 'refs/heads/next', 'main~1']);
  await git(['-C', remote.bare, 'symbolic-ref', 'HEAD', 'refs/heads/next']);
  await host.untilApplied(await remote.publish(say('four')));
  expect(said(host)).toEqual(['three', 'four']);
});

test('the first remote that answers is followed, and one that lags is no rollback', async () => {
  await using world = await createWorld();
  const { remote, server, host } = world;
  const mirrors = join(remote.folder, '..', 'mirrors');
  mkdirSync(mirrors);
  const mirror = join(mirrors, remote.path);
  const synchronise = async () => {
    rmSync(mirror, { recursive: true, force: true });
    await git(['clone', '--quiet', '--mirror', remote.bare, mirror]);
  };
  await synchronise();
  await using second = await startGitServer({ folder: mirrors });
  const remotes = [server.url(remote.path), second.url(remote.path)];
  host.configure({ repos: { it: { remotes, track: 'main' } } });
  const four = await remote.publish(say('four'));
  await host.untilApplied(four);
  expect((await host.status()).repos[0]?.remote).toBe(remotes[0]);
  // The first goes away; the second still has what is older.
  await server.close();
  expect((await host.untilTrouble('lagging')).repos[0]).toMatchObject({ applied: four, remote: remotes[1] });
  await remote.publish(say('five'));
  await synchronise();
  await host.untilApplied(await remote.head());
  expect(said(host)).toEqual(['three', 'four', 'five']);
});

test('pushes that follow one another closely end at the newest, each version run at most once', async () => {
  await using world = await createWorld();
  const { remote, host } = world;
  let last: CommitId | undefined;
  for (let i = 1; i <= 12; i++) last = await remote.publish(say(`push ${i}`));
  await host.untilApplied(last!);
  const after = said(host).slice(1);
  expect(after.at(-1)).toBe('push 12');
  expect(after).toEqual([...new Set(after)].sort((a, b) => Number(a.slice(5)) - Number(b.slice(5))));
  await host.expectNoLeaks();
});

test('ten thousand references on the remote cost a question nothing', async () => {
  using remote = await createRemote();
  const first = await remote.publish(sayRepository('one'));
  // As `git pack-refs` would write them, without 10,000 files in between.
  const lines = Array.from({ length: 10_000 }, (_, i) => `${first} refs/heads/topic/${i}\n`);
  writeFileSync(join(remote.bare, 'packed-refs'), lines.join(''));
  await using server = await startGitServer({ folder: remote.folder });
  await using host = createHost({ interval: '100ms', repos: { it: server.url(remote.path) } });
  await host.start();
  await host.untilApplied(first);
  await host.untilApplied(await remote.publish(say('two')));
  expect(await git(['-C', join(host.state, 'repos/it/clone.git'), 'for-each-ref'])).not.toContain('topic');
});

test('a push while an action runs is seen at once and applied right after it', async () => {
  await using world = await createWorld();
  const { remote, host, known } = world;
  const gate = join(host.root, 'gate');
  const waiting = `#!/bin/sh\nset -eu\nwhile [ ! -e ${gate} ]; do sleep 0.02; done\ncat text >> "$PULLYU_STATE_DIR/said"\n`;
  const slow = await remote.publish({ scripts: { 'say.sh': waiting }, files: { text: 'slow\n' } });
  await until(async () => (await host.status()).host.state === 'busy', { what: 'the action to run' });
  const next = await remote.publish(say('next'));
  const busy = await until(
    async () => {
      const status = await host.status();
      return status.repos[0]?.seen === next ? status : null;
    },
    { what: 'the push to be seen during the run', found: host.status },
  );
  expect([busy.host.state, busy.repos[0]?.applied]).toEqual(['busy', known]);
  writeFileSync(gate, '');
  await host.untilApplied(next);
  expect(said(host)).toEqual(['three', 'slow', 'next']);
  const runs = (await host.history()).map(({ commit, outcome }) => [commit, outcome]);
  expect(runs.slice(0, 2)).toEqual([
    [next, 'ok'],
    [slow, 'ok'],
  ]);
});

test('a commit larger than the limit is refused by name until the limit is raised', async () => {
  await using world = await createWorld();
  const { remote, server, host } = world;
  const repos = { it: server.url(remote.path) };
  await survive(host, remote, {
    name: 'a pack that is too large',
    code: 'limit',
    begin: async () => {
      host.configure({ repos, more: { limits: { fetchMax: '1 MiB' } } });
      await remote.commit({ files: { large: randomBytes(3_000_000) } });
    },
    end: () => host.configure({ repos }),
  });
  await survive(host, remote, {
    name: 'a tree of too many files',
    code: 'limit',
    begin: async () => {
      host.configure({ repos, more: { limits: { treeMaxFiles: 20 } } });
      await remote.commit({
        files: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f/${i}`, `${i}`])),
      });
    },
    end: () => host.configure({ repos }),
  });
});

test('a track that was changed is known as such also when state.json is lost', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  await remote.git('checkout', '--quiet', '--orphan', 'release');
  await remote.git('commit', '--quiet', '-m', 'another beginning');
  await remote.git('push', '--quiet', 'origin', 'release');
  const release = (await remote.git('rev-parse', 'HEAD')).trim();
  rmSync(join(host.state, 'state.json'));
  host.configure({ repos: { it: { remotes: [remote.bare], track: 'release' } } });
  expect((await host.look()).code).toBe(0);
  expect((await host.status()).repos[0]).toMatchObject({ applied: release, trouble: null });
});
