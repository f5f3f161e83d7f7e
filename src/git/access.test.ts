import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startConnectProxy } from '../../tests/support/connect-proxy.ts';
import { createRemote, type Remote } from '../../tests/support/repo.ts';
import { type SmartHttp, startSmartHttp } from '../../tests/support/smart-http.ts';
import { type TempFolder, tempFolder } from '../../tests/support/temp.ts';
import type { AccessSettings } from '../model/repo.ts';
import { NO_ACCESS } from '../model/repo.ts';
import { type Access, readAccess } from './access.ts';
import { runGit } from './run.ts';

const SECRET = 'pa55 w0rd"$(x)`\\';
const BASIC = `Basic ${Buffer.from(`ada:${SECRET}`).toString('base64')}`;

let remote: Remote;
let server: SmartHttp;
let temp: TempFolder;
/** Command lines and environments of every process while the server was asked. */
let seen: string[] = [];

beforeAll(async () => {
  remote = await createRemote();
  await remote.publish({ files: { a: '1' } });
  server = await startSmartHttp(remote.folder);
  temp = tempFolder('access');
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  remote?.[Symbol.dispose]();
  temp?.[Symbol.dispose]();
});
beforeEach(() => {
  seen = [];
  server.authorizations.length = 0;
  server.hook = (request, response) => {
    for (const pid of readdirSync('/proc').filter(
      (name) => /^\d+$/.test(name) && name !== String(process.pid),
    )) {
      for (const file of ['cmdline', 'environ']) {
        try {
          seen.push(readFileSync(`/proc/${pid}/${file}`, 'utf8'));
        } catch {
          // Gone, or not ours to read.
        }
      }
    }
    if (request.headers.authorization === BASIC) return false;
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="it"' }).end();
    return true;
  };
});

async function accessFor(
  url: string,
  settings: Partial<AccessSettings>,
  env: Record<string, string | undefined> = {},
  remotes = [url],
): Promise<Access> {
  const access = await readAccess({ remotes, access: { ...NO_ACCESS, ...settings } }, url, { env });
  if (!access.ok) throw new Error(access.trouble.message);
  return access.value;
}

function credentialsFile(text: string): string {
  const file = join(temp.path, 'credentials');
  writeFileSync(file, text);
  return file;
}

const lsRemote = (access: Access, url: string) =>
  runGit(['ls-remote', '--heads', url], { access, timeoutMs: 20_000 });

test('git proves itself with the credential of the file, and no process ever shows it', async () => {
  const url = server.url(remote.path);
  const access = await accessFor(url, {
    credentialsFile: credentialsFile(`username=ada\npassword=${SECRET}\n`),
  });
  expect(JSON.stringify([access.config, access.env])).not.toContain('pa55');
  const result = await lsRemote(access, url);
  expect(result.stderr).toBe('');
  expect(result.stdout.toString()).toContain('refs/heads/main');
  expect(server.authorizations).toContain(BASIC);
  expect(seen.some((text) => text.includes('ls-remote'))).toBe(true);
  expect(seen.filter((text) => text.includes('pa55') || text.includes(BASIC.slice(6)))).toEqual([]);
});

test('several processes of one git command can each ask for it', async () => {
  const url = server.url(remote.path);
  const access = await accessFor(url, {
    credentialsFile: credentialsFile(`username=ada\npassword=${SECRET}\n`),
  });
  const { exec } = await import('../system/exec.ts');
  const settings = access.config.flatMap((setting, i) => [
    [`GIT_CONFIG_KEY_${i}`, setting.slice(0, setting.indexOf('='))],
    [`GIT_CONFIG_VALUE_${i}`, setting.slice(setting.indexOf('=') + 1)],
  ]);
  const ask = `printf 'url=${url}\\n\\n' | git credential fill`;
  const result = await exec(['sh', '-c', `${ask}; ${ask}`], {
    env: {
      PATH: process.env.PATH ?? '',
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_COUNT: String(access.config.length),
      ...Object.fromEntries(settings),
    },
    timeoutMs: 20_000,
    secretInput: access.secretInput ?? '',
  });
  expect(result.stdout.toString().split(`password=${SECRET}\n`)).toHaveLength(3);
});

test('another host gets nothing, even when a redirect leads there', async () => {
  const url = server.url(remote.path);
  const file = credentialsFile('tok3n');
  const access = await accessFor(url, { credentialsFile: file }, {}, ['https://git.example.com/it.git']);
  expect(access.secretInput).toBeUndefined();
  expect((await lsRemote(access, url)).exitCode).not.toBe(0);
  expect(server.authorizations.join('')).toBe('');
});

test('the helper answers for its host only, so that a submodule elsewhere gets nothing', async () => {
  const access = await accessFor(server.url(remote.path), { credentialsFile: credentialsFile('tok3n') });
  const scoped = access.config.filter((setting) => /^credential\..+=./.test(setting));
  expect(scoped).toHaveLength(1);
  expect(scoped[0]).toContain(`credential.http://127.0.0.1:${server.port}.helper=!`);
});

test('a helper of the operator is asked by git itself, with his HOME and PATH', async () => {
  const url = server.url(remote.path);
  const helper = `!f() { test "$1" = get && echo username=ada && cat "$HOME/password"; }; f`;
  writeFileSync(join(temp.path, 'password'), `password=${SECRET}\n`);
  const access = await accessFor(
    url,
    { credentialHelper: helper },
    { HOME: temp.path, PATH: process.env.PATH },
  );
  expect((await lsRemote(access, url)).stdout.toString()).toContain('refs/heads/main');
  expect(seen.filter((text) => text.includes('pa55'))).toEqual([]);
});

test('a proxy with a password is used by git without showing it', async () => {
  await using proxy = await startConnectProxy({ user: 'eve', password: SECRET });
  const url = server.url(remote.path);
  const setting = proxy.url.replace('://', `://eve:${encodeURIComponent(SECRET)}@`);
  const access = await accessFor(
    url,
    { credentialsFile: credentialsFile(`username=ada\npassword=${SECRET}\n`) },
    { http_proxy: setting },
  );
  expect(JSON.stringify([access.config, access.env])).not.toContain('pa55');
  expect((await lsRemote(access, url)).stdout.toString()).toContain('refs/heads/main');
  expect(proxy.requests().length).toBeGreaterThan(0);
  expect(seen.filter((text) => text.includes('pa55'))).toEqual([]);
});

test.each([
  ['https://example.com/it.git', 'https'],
  ['git@example.com:it.git', 'ssh'],
  ['git://example.com/it.git', 'git'],
  ['/srv/it.git', 'file'],
])('for %s exactly the protocol %s is allowed', async (url, protocol) => {
  const access = await accessFor(url, {});
  expect(access.protocol).toBe(protocol);
  expect(access.config.filter((setting) => setting.startsWith('protocol.'))).toEqual([
    'protocol.allow=never',
    `protocol.${protocol}.allow=always`,
  ]);
  expect(access.env.GIT_ALLOW_PROTOCOL).toBe(protocol);
});

test('ssh gets key, known hosts and a kept connection, quoted for the shell', async () => {
  const access = await readAccess(
    { remotes: [], access: { ...NO_ACCESS, sshKey: "/etc/it's/key", sshKnownHosts: '/etc/known' } },
    'git@example.com:it.git',
    { env: { SSH_AUTH_SOCK: '/run/agent' }, sshFolder: join(temp.path, 'ssh') },
  );
  if (!access.ok) throw new Error(access.trouble.message);
  const { GIT_SSH_COMMAND: command = '', SSH_AUTH_SOCK: socket } = access.value.env;
  expect(command).toMatch(/^ssh -F none -oBatchMode=yes -oStrictHostKeyChecking=yes /);
  expect(command).toContain(`'-oIdentityFile=/etc/it'\\''s/key'`);
  expect(command).toContain(`-oControlPath=${join(temp.path, 'ssh')}/%C`);
  // With a key of its own, no other identity is offered.
  expect(socket).toBeUndefined();
});

test('a file that cannot be used is a trouble before git is started', async () => {
  const access = await readAccess(
    {
      remotes: ['https://example.com/it'],
      access: { ...NO_ACCESS, credentialsFile: join(temp.path, 'none') },
    },
    'https://example.com/it',
    { env: {} },
  );
  expect(access).toMatchObject({ ok: false, trouble: { code: 'auth-refused' } });
});
