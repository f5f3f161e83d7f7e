/** Who the remote says to be: certificates and host keys. A remote that cannot prove itself is not asked for anything. */
import { copyFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { createHost, type TestHost } from '../support/host.ts';
import { findProgram, needsProgram } from '../support/needs.ts';
import { type Certificate, type Nginx, startNginx } from '../support/nginx.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { sayRepository } from '../support/say.ts';
import { type Sshd, startSshd } from '../support/sshd.ts';
import { type Failure, survive } from '../support/survive.ts';

const WEB = ['nginx', 'fcgiwrap', 'openssl'];
const SSH = ['sshd', 'ssh', 'ssh-keygen'];

describe('over TLS', () => {
  const test = needsProgram(...WEB);
  let remote: Remote;
  let nginx: Nginx;
  let host: TestHost;

  beforeAll(async () => {
    if (!WEB.every(findProgram)) return;
    remote = await createRemote();
    const first = await remote.publish(sayRepository('the beginning'));
    nginx = await startNginx({ folder: remote.folder, tls: 'good' });
    host = createHost({
      interval: '100ms',
      repos: { it: { remotes: [nginx.url(remote.path)], tls: { ca: nginx.ca } } },
    });
    await host.start();
    await host.untilApplied(first);
  });

  afterAll(async () => {
    await host?.close();
    await nginx?.close();
    remote?.[Symbol.dispose]();
  });

  const certificate = (name: string, which: Certificate): Failure => ({
    name,
    code: 'tls',
    begin: () => nginx.setCertificate(which),
    end: () => nginx.setCertificate('good'),
  });

  for (const failure of [
    certificate('a certificate that has expired', 'expired'),
    certificate('a certificate for another name', 'wrong-name'),
    certificate('a certificate of an unknown authority', 'unknown-authority'),
  ]) {
    test(`survives ${failure.name}`, () => survive(host, remote, failure));
  }

  test('survives a file of authorities that is gone', () =>
    survive(host, remote, {
      name: 'a missing CA file',
      code: 'tls',
      begin: () => {
        copyFileSync(nginx.ca, `${nginx.ca}.kept`);
        rmSync(nginx.ca);
      },
      end: () => copyFileSync(`${nginx.ca}.kept`, nginx.ca),
    }));
});

describe('over ssh', () => {
  const test = needsProgram(...SSH);
  let remote: Remote;
  let sshd: Sshd;
  let host: TestHost;

  beforeAll(async () => {
    if (!SSH.every(findProgram)) return;
    remote = await createRemote();
    const first = await remote.publish(sayRepository('the beginning'));
    sshd = await startSshd({ bare: remote.bare });
    const access = { ssh: { key: sshd.key, knownHosts: sshd.knownHosts } };
    host = createHost({
      interval: '200ms',
      repos: { it: { remotes: [sshd.url], track: 'main', ...access } },
    });
    await host.start();
    await host.untilApplied(first);
  });

  afterAll(async () => {
    await host?.close();
    await sshd?.close();
    remote?.[Symbol.dispose]();
  });

  test('survives a server that is away', () =>
    survive(host, remote, {
      name: 'an ssh server that is away',
      code: 'unreachable',
      begin: () => sshd.stop(),
      end: () => sshd.start(),
    }));

  test('survives a new host key until somebody trusts it', () =>
    survive(host, remote, {
      name: 'a host key that was changed',
      code: 'host-key',
      begin: () => sshd.rotateHostKey(),
      end: () => sshd.rotateHostKey({ trust: true }),
    }));

  test('survives a deploy key that is no longer known', () =>
    survive(host, remote, {
      name: 'a deploy key that was withdrawn',
      code: 'auth-refused',
      begin: async () => {
        copyFileSync(sshd.key, `${sshd.key}.kept`);
        copyFileSync(sshd.strangerKey, sshd.key);
        await sshd.stop();
        await sshd.start();
      },
      end: () => copyFileSync(`${sshd.key}.kept`, sshd.key),
    }));

  test('asks all its questions through few connections', () => {
    expect(sshd.sessions()).toBeGreaterThan(sshd.logins());
  });
});
