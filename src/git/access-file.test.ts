import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import type { AccessSettings } from '../model/repo.ts';
import { NO_ACCESS } from '../model/repo.ts';
import { ACCESS_FILE, accessSettings, formatSettings, writeAccessFile } from './access-file.ts';
import { parseRemoteUrl } from './remote-url.ts';

function settings(remote: string, access: Partial<AccessSettings>, env: Record<string, string> = {}) {
  const url = parseRemoteUrl(remote);
  if (!url.ok) throw new Error(url.trouble.message);
  return accessSettings({ access: { ...NO_ACCESS, ...access } }, url.value, env);
}

/** What real git makes of the file: the values of one key, for one URL. */
function asked(file: string, args: readonly string[], input = ''): string {
  try {
    return execFileSync('git', ['-c', `include.path=${file}`, ...args], {
      input,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {
        PATH: process.env.PATH,
        HOME: '/nonexistent',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_TERMINAL_PROMPT: '0',
        GIT_ASKPASS: '/bin/false',
      },
    });
  } catch {
    return 'nothing';
  }
}

test.each([
  ['key lines', 'username=me\npassword=p w"\'$(x)\\\n'],
  [
    'key lines the other way round, from another system',
    '# note\r\npassword=p w"\'$(x)\\\r\nusername=me\r\n',
  ],
  [
    'lines of URLs',
    `https://else:x@other.example\nhttps://me:${encodeURIComponent('p w"\'$(x)\\')}@git.example.com\n`,
  ],
])('git finds the credential in a file of %s', (_, text) => {
  using folder = tempFolder();
  const file = join(folder.path, "a 'quoted' $name");
  writeFileSync(file, text);
  const config = join(folder.path, 'config');
  writeFileSync(
    config,
    formatSettings(settings('https://git.example.com/it.git', { credentialsFile: file })),
  );
  const fill = (host: string) =>
    asked(config, ['credential', 'fill'], `protocol=https\nhost=${host}\npath=it.git\n\n`);
  expect(fill('git.example.com')).toContain('username=me\npassword=p w"\'$(x)\\\n');
  // Another host is told nothing.
  expect(fill('evil.example.com')).toBe('nothing');
  // Neither approval nor refusal changes the file.
  const known = 'protocol=https\nhost=git.example.com\nusername=me\npassword=x\n\n';
  for (const what of ['approve', 'reject']) asked(config, ['credential', what], known);
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('a token of one line is the password of the user git; an empty or missing file answers nothing', () => {
  using folder = tempFolder();
  const file = join(folder.path, 'token');
  const config = join(folder.path, 'config');
  writeFileSync(config, formatSettings(settings('http://localhost:8080/it.git', { credentialsFile: file })));
  const fill = () => asked(config, ['credential', 'fill'], 'protocol=http\nhost=localhost:8080\n\n');
  expect(fill()).toBe('nothing');
  writeFileSync(file, '\n# of the deploy bot\n  \ntok-%41-en\n');
  expect(fill()).toContain('username=git\npassword=tok-%41-en\n');
  writeFileSync(file, '');
  expect(fill()).toBe('nothing');
});

test('authorities, certificates and proxies are those of host.yaml, or of the environment, for this host alone', () => {
  using folder = tempFolder();
  const config = join(folder.path, 'config');
  const access = { tlsCa: '/etc/ca "x".pem', tlsCert: '/c', tlsKey: '/k' };
  const text = formatSettings(
    settings('https://git.example.com/it.git', access, { https_proxy: 'http://me:p%40ss@proxy:3128' }),
  );
  writeFileSync(config, text);
  const of = (key: string, url: string) => asked(config, ['config', '--get-urlmatch', key, url]).trim();
  const here = 'https://git.example.com/it.git';
  expect(of('http.sslCAInfo', here)).toBe('/etc/ca "x".pem');
  expect(of('http.sslCert', here)).toBe('/c');
  expect(of('http.proxy', here)).toBe('http://me:p%40ss@proxy:3128');
  expect(of('http.proxy', 'https://other.example.com/it.git')).toBe('nothing');
  expect(formatSettings(settings('/srv/it.git', access))).not.toContain('[');
});

test('ssh has its key, its known hosts and no prompt', () => {
  const text = formatSettings(
    settings('git@example.com:it.git', { sshKey: '/root/a key', sshKnownHosts: '/etc/known' }),
  );
  expect(text).toContain('sshCommand = "ssh -F none -oBatchMode=yes');
  expect(text).toContain('IdentityFile=');
  expect(text).toContain('UserKnownHostsFile=/etc/known');
});

test('the file is for its owner alone, also when it was not before', () => {
  using folder = tempFolder();
  const file = join(folder.path, ACCESS_FILE);
  writeFileSync(file, '', { mode: 0o644 });
  const repo = { access: { ...NO_ACCESS, proxy: 'http://me:secret@proxy:3128' } };
  expect(writeAccessFile(folder.path, repo, 'https://git.example.com/it.git', {})).toMatchObject({
    ok: true,
  });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const before = statSync(file).ino;
  writeAccessFile(folder.path, repo, 'https://git.example.com/it.git', {});
  expect(statSync(file).ino).toBe(before);
});
