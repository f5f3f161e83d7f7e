/** The main job over every kind of remote: look, nothing to do, daemon, push, applied; no secret told, nothing left. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { startGitDaemon } from '../support/git-daemon.ts';
import { createHost, type RepoYaml } from '../support/host.ts';
import { needsProgram } from '../support/needs.ts';
import { startNginx } from '../support/nginx.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { createSpy } from '../support/spy.ts';
import { startSshd } from '../support/sshd.ts';
import { tempFolder } from '../support/temp.ts';

const PASSWORD = 'a-password-that-nobody-sees';

/** How one kind of remote is served: what host.yaml says about it, and what has to be closed. */
interface Served {
  readonly url: string;
  readonly access?: Omit<RepoYaml, 'remotes'>;
  readonly env?: Record<string, string>;
  /** After the host's work: what the server saw. */
  check?(): void;
  close(): Promise<void>;
}

interface Kind {
  readonly name: string;
  readonly needs: readonly string[];
  serve(remote: Remote, folder: string): Promise<Served>;
}

const WEB = ['nginx', 'fcgiwrap', 'openssl'];

const KINDS: readonly Kind[] = [
  {
    name: 'a path on this machine',
    needs: [],
    serve: async (remote) => ({ url: remote.bare, close: async () => {} }),
  },
  {
    name: 'file',
    needs: [],
    serve: async (remote) => ({ url: remote.url, close: async () => {} }),
  },
  {
    name: 'git daemon',
    needs: [],
    serve: async (remote) => {
      const daemon = await startGitDaemon({ folder: remote.folder });
      return { url: daemon.url(remote.path), close: daemon.close };
    },
  },
  {
    name: 'http',
    needs: WEB,
    serve: async (remote) => {
      const nginx = await startNginx({ folder: remote.folder });
      return { url: nginx.url(remote.path), close: nginx.close };
    },
  },
  {
    name: 'http with a password from a file',
    needs: WEB,
    serve: async (remote, folder) => {
      const basicAuth = { user: 'host', password: PASSWORD };
      const nginx = await startNginx({ folder: remote.folder, basicAuth });
      const file = join(folder, 'credentials');
      writeFileSync(file, `username=host\npassword=${PASSWORD}\n`, { mode: 0o600 });
      return { url: nginx.url(remote.path), access: { credentials: file }, close: nginx.close };
    },
  },
  {
    name: 'https with an authority of our own',
    needs: WEB,
    serve: async (remote) => {
      const nginx = await startNginx({ folder: remote.folder, tls: 'good' });
      return { url: nginx.url(remote.path), access: { tls: { ca: nginx.ca } }, close: nginx.close };
    },
  },
  {
    name: 'https with a client certificate and a password from a credential helper',
    needs: WEB,
    serve: async (remote, folder) => {
      const basicAuth = { user: 'host', password: PASSWORD };
      const nginx = await startNginx({
        folder: remote.folder,
        tls: 'good',
        clientCertificate: true,
        basicAuth,
      });
      const helper = join(folder, 'helper');
      const answer = `echo username=host; echo password=${PASSWORD}`;
      writeFileSync(helper, `#!/bin/sh\ntest "$1" = get && { ${answer}; } || true\n`, { mode: 0o755 });
      const access = {
        tls: { ca: nginx.ca, ...nginx.client },
        credentialHelper: helper,
      };
      return { url: nginx.url(remote.path), access, close: nginx.close };
    },
  },
  {
    name: 'http through a proxy of the environment',
    needs: WEB,
    serve: async (remote) => {
      const nginx = await startNginx({ folder: remote.folder });
      const proxy = await startConnectProxy();
      return {
        url: nginx.url(remote.path),
        env: { http_proxy: proxy.url },
        check: () => expect(proxy.requests().length).toBeGreaterThan(0),
        close: async () => {
          await proxy.close();
          await nginx.close();
        },
      };
    },
  },
  {
    name: 'https through a proxy that asks for a password',
    needs: WEB,
    serve: async (remote) => {
      const nginx = await startNginx({ folder: remote.folder, tls: 'good' });
      const proxy = await startConnectProxy({ user: 'u', password: PASSWORD });
      const withPassword = proxy.url.replace('://', `://u:${PASSWORD}@`);
      return {
        url: nginx.url(remote.path),
        access: { tls: { ca: nginx.ca } },
        env: { https_proxy: withPassword },
        check: () => expect(proxy.requests()[0]).toBe(`CONNECT localhost:${nginx.port}`),
        close: async () => {
          await proxy.close();
          await nginx.close();
        },
      };
    },
  },
  {
    name: 'ssh with a deploy key',
    needs: ['sshd', 'ssh'],
    serve: async (remote) => serveSsh(remote, true),
  },
  {
    name: 'ssh to a server that knows only the first protocol',
    needs: ['sshd', 'ssh'],
    serve: async (remote) => serveSsh(remote, false),
  },
];

async function serveSsh(remote: Remote, acceptProtocol: boolean): Promise<Served> {
  const sshd = await startSshd({ bare: remote.bare, acceptProtocol });
  const access = { ssh: { key: sshd.key, knownHosts: sshd.knownHosts } };
  return {
    url: sshd.url,
    access,
    // One login for each of two looks and the daemon; questions and fetches share it.
    check: () => expect([sshd.sessions() > sshd.logins(), sshd.logins() <= 3]).toEqual([true, true]),
    close: sshd.close,
  };
}

for (const kind of KINDS) {
  needsProgram(...kind.needs)(`follows a remote by ${kind.name}`, async () => {
    using remote = await createRemote();
    using folder = tempFolder();
    const first = await remote.publish(sayRepository('one'));
    const served = await kind.serve(remote, folder.path);
    const spy = createSpy(folder.path, ['git']);
    try {
      await using host = createHost({
        repos: { it: { remotes: [served.url], track: 'main', ...served.access } },
        env: { ...served.env, PATH: spy.PATH },
      });
      const firstLook = await host.look();
      const printed = firstLook.stdout + firstLook.stderr;
      expect({ code: firstLook.code, said: said(host) }, printed).toEqual({ code: 0, said: ['one'] });
      expect((await host.look()).code).toBe(0);
      expect(await host.history()).toHaveLength(1);
      await host.untilApplied(first);

      const agent = await host.start();
      const second = await remote.publish(say('two'));
      const status = await host.untilApplied(second);
      expect(status.repos[0]).toMatchObject({ name: 'it', remote: served.url, seen: second });
      expect(said(host)).toEqual(['one', 'two']);
      expect((await host.history()).map(({ outcome, commit }) => [outcome, commit])).toEqual([
        ['ok', second],
        ['ok', first],
      ]);
      served.check?.();
      await host.expectNoLeaks();

      const told = [spy.heard(), agent.output(), firstLook.stdout, firstLook.stderr, JSON.stringify(status)];
      const kept = filesBelow(host.root).map((file) => readFileSync(file, 'latin1'));
      expect([...told, ...kept].filter((text) => text.includes(PASSWORD))).toEqual([]);
    } finally {
      await served.close();
    }
  });
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
}
