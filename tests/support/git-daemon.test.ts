import { expect, test } from 'vitest';
import { git } from './git.ts';
import { startGitDaemon } from './git-daemon.ts';
import { createRemote } from './repo.ts';

test('answers over the git protocol, is away while it is stopped, and comes back on its port', async () => {
  using remote = await createRemote();
  const commit = await remote.publish({ files: { x: '1' } });
  await using daemon = await startGitDaemon({ folder: remote.folder });
  const listed = () => git(['ls-remote', daemon.url(remote.path), 'refs/heads/main']);
  expect(await listed()).toContain(commit);
  await daemon.stop();
  await expect(listed()).rejects.toThrow(/unable to connect/);
  await daemon.start();
  expect(await listed()).toContain(commit);
});
