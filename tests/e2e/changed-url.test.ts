/** Another URL in host.yaml: the repository has moved, or somebody made a mistake. PAINS section 2. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startGitServer } from '../../src/demo/git-server.ts';
import { git } from '../support/git.ts';
import { createHost } from '../support/host.ts';
import { createRemote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { survive } from '../support/survive.ts';

test('a URL that was changed in host.yaml is followed at once, over another protocol too, and the clone is kept', async () => {
  using remote = await createRemote();
  const first = await remote.publish(sayRepository('one'));
  await using server = await startGitServer({ folder: remote.folder });
  await using host = createHost({ interval: '100ms', repos: { it: server.url(remote.path) } });
  await host.start();
  await host.untilApplied(first);
  const clone = () => statSync(join(host.state, 'repos/it/clone.git')).ino;
  const before = clone();

  // The same history at another place, with one commit more.
  using moved = await createRemote('moved');
  await remote.git('push', '--quiet', moved.bare, 'HEAD:main');
  await moved.git('pull', '--quiet', moved.bare, 'main');
  const second = await moved.publish(say('two'));
  host.configure({ repos: { it: moved.url } });
  const status = await host.untilApplied(second);
  expect(status.repos[0]?.remote).toBe(moved.url);
  expect(said(host)).toEqual(['one', 'two']);
  expect(clone()).toBe(before);
  // Scripts in the tree meet the new one as well, from the next commit on.
  await host.untilApplied(await moved.publish(say('three')));
  const tree = join(host.state, 'repos/it/current');
  expect(await git(['-C', tree, 'config', 'remote.origin.url'])).toBe(moved.url);

  // The old place is behind by now: that is no way back.
  await survive(host, moved, {
    name: 'the URL of a place that is behind',
    code: 'lagging',
    begin: () => host.configure({ repos: { it: server.url(remote.path) } }),
    end: () => host.configure({ repos: { it: moved.url } }),
  });
  using stranger = await createRemote('stranger');
  await stranger.publish(sayRepository('never'));
  await survive(host, moved, {
    name: 'the URL of another repository',
    code: 'rewritten',
    begin: () => host.configure({ repos: { it: stranger.url } }),
    end: () => host.configure({ repos: { it: moved.url } }),
  });
  await survive(host, moved, {
    name: 'a URL with a typing error',
    code: 'not-found',
    begin: () => host.configure({ repos: { it: server.url('itt.git') } }),
    end: () => host.configure({ repos: { it: moved.url } }),
  });
  expect(said(host)).not.toContain('never');
});
