/** `pullyu try` over real servers: credentials that may write, and those that may not. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { git } from '../support/git.ts';
import { createHost } from '../support/host.ts';
import { needsProgram } from '../support/needs.ts';
import { startNginx } from '../support/nginx.ts';
import { createRemote } from '../support/repo.ts';
import { sayRepository } from '../support/say.ts';
import { startSshd } from '../support/sshd.ts';
import { openTry, subjects, trying } from '../support/trying.ts';

needsProgram('sshd', 'ssh')('a deploy key that may only read is said to be one', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using sshd = await startSshd({ bare: remote.bare });
  await using host = createHost({
    repos: {
      it: { remotes: [sshd.url], track: 'main', ssh: { key: sshd.key, knownHosts: sshd.knownHosts } },
    },
  });
  expect((await host.look()).code).toBe(0);
  const checkout = await openTry(host);
  writeFileSync(join(checkout, 'text'), 'two\n');
  await trying(host, 'run', 'say');
  const push = await trying(host, 'push', '-m', 'two');
  expect(push.code).toBe(4);
  expect(push.stderr).toMatch(
    /error: expected a credential that may write to ssh:\S+, found one that may not/,
  );
  expect(push.stderr).toMatch(/hint: a host needs only to read/);
  expect(await subjects(remote)).toEqual(['say one']);
  // A person's own git in the checkout has the key too.
  expect(await git(['-C', checkout, 'fetch', '--quiet', 'origin'])).toBe('');
});

needsProgram(
  'nginx',
  'fcgiwrap',
  'openssl',
)('over https with a password it clones and pushes; rules of the server are told', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  const password = 'a-password-that-nobody-sees';
  await using nginx = await startNginx({
    folder: remote.folder,
    tls: 'good',
    basicAuth: { user: 'me', password },
  });
  await using host = createHost();
  const credentials = join(host.root, 'credentials');
  writeFileSync(credentials, `username=me\npassword=${password}\n`);
  host.configure({
    repos: { it: { remotes: [nginx.url(remote.path)], track: 'main', credentials, tls: { ca: nginx.ca } } },
  });
  expect((await host.look()).code).toBe(0);
  const checkout = await openTry(host);
  writeFileSync(join(checkout, 'text'), 'two\n');
  await trying(host, 'run', 'say');
  writeFileSync(
    join(remote.bare, 'hooks/pre-receive'),
    '#!/bin/sh\necho "GH006: main is protected" >&2; exit 1\n',
    {
      mode: 0o755,
    },
  );
  const ruled = await trying(host, 'push', '-m', 'two');
  expect(ruled.code).toBe(4);
  expect(ruled.stderr).toMatch(/found that the server refuses it: .*GH006[\s\S]*--branch NAME/);
  rmSync(join(remote.bare, 'hooks/pre-receive'));
  await git(['-C', remote.bare, 'config', 'http.receivepack', 'false']);
  const readOnly = await trying(host, 'push');
  expect(readOnly.code).toBe(4);
  expect(readOnly.stderr).toContain('expected a credential that may write');
  await git(['-C', remote.bare, 'config', 'http.receivepack', 'true']);
  const pushed = await trying(host, 'push');
  expect(pushed.code, pushed.stderr).toBe(0);
  expect(await subjects(remote)).toEqual(['two', 'say one']);
  expect(ruled.stderr + readOnly.stderr + pushed.stdout).not.toContain(password);
});
