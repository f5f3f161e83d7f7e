import { join } from 'node:path';
import { expect } from 'vitest';
import { git } from './git.ts';
import { needsProgram } from './needs.ts';
import { createRemote } from './repo.ts';
import { type Sshd, startSshd } from './sshd.ts';
import { tempFolder } from './temp.ts';

const test = needsProgram('sshd', 'ssh', 'ssh-keygen');

function throughSsh(sshd: Sshd, key = sshd.key): Record<string, string> {
  const options = [
    '-F none',
    '-oBatchMode=yes',
    '-oIdentitiesOnly=yes',
    `-oUserKnownHostsFile=${sshd.knownHosts}`,
  ];
  return { GIT_SSH_COMMAND: `ssh ${options.join(' ')} -oStrictHostKeyChecking=yes -i ${key}` };
}

test('clones with the deploy key, which cannot push, and refuses a stranger', async () => {
  using remote = await createRemote();
  const commit = await remote.publish({ files: { x: '1' } });
  await using sshd = await startSshd({ bare: remote.bare });
  using folder = tempFolder();
  const clone = join(folder.path, 'clone');
  await git(['clone', '--quiet', sshd.url, clone], { env: throughSsh(sshd) });
  expect(await git(['rev-parse', 'HEAD'], { cwd: clone })).toBe(commit);
  expect([sshd.logins(), sshd.sessions()]).toEqual([1, 1]);
  await git(['commit', '--allow-empty', '-qm', 'more'], { cwd: clone });
  await expect(git(['push'], { cwd: clone, env: throughSsh(sshd), timeoutMs: 10_000 })).rejects.toThrow();
  expect(await git(['rev-parse', 'main'], { cwd: remote.bare })).toBe(commit);
  await expect(git(['ls-remote', sshd.url], { env: throughSsh(sshd, sshd.strangerKey) })).rejects.toThrow(
    /Permission denied/,
  );
});

test('a new host key is refused until it is trusted', async () => {
  using remote = await createRemote();
  await remote.publish({ files: { x: '1' } });
  await using sshd = await startSshd({ bare: remote.bare, acceptProtocol: false });
  const listed = () => git(['ls-remote', sshd.url], { env: throughSsh(sshd) });
  expect(await listed()).toContain('refs/heads/main');
  await sshd.rotateHostKey();
  await expect(listed()).rejects.toThrow(/HOST IDENTIFICATION HAS CHANGED/);
  await sshd.rotateHostKey({ trust: true });
  expect(await listed()).toContain('refs/heads/main');
});
