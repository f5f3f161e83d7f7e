import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import { NO_ACCESS } from '../model/repo.ts';
import { decideSshFolder, makeSshFolder, quoteShell, sshOptions } from './ssh.ts';

test('a socket in the folder always fits into what the kernel allows', () => {
  const longest = 108 - 1;
  for (const state of [
    '/var/lib/pullyu',
    `/${'x'.repeat(31)}`,
    `/${'x'.repeat(200)}`,
    `/tmp/${'ü'.repeat(30)}`,
  ]) {
    const folder = decideSshFolder(state, 4_000_000_000);
    // `/`, %C, four digits of ours; ssh adds a dot and 16 characters while it makes the socket.
    expect(Buffer.byteLength(folder) + 1 + 40 + 4 + 17).toBeLessThanOrEqual(longest);
    expect(decideSshFolder(state, 4_000_000_000)).toBe(folder);
  }
  expect(decideSshFolder('/var/lib/pullyu', 0)).toBe('/var/lib/pullyu/ssh');
});

test('only a folder that is ours alone is used', () => {
  using temp = tempFolder('ssh');
  const at = (name: string) => join(temp.path, name);
  expect(makeSshFolder(at('new'))).toBe(true);
  expect(makeSshFolder(at('new'))).toBe(true);
  mkdirSync(at('open'));
  chmodSync(at('open'), 0o755);
  expect(makeSshFolder(at('open'))).toBe(false);
  symlinkSync(at('new'), at('link'));
  expect(makeSshFolder(at('link'))).toBe(false);
});

test('nobody is asked, no configuration is read, and no host is believed at first sight', () => {
  const options = sshOptions(
    { ...NO_ACCESS, sshKey: '/etc/my keys/100%', sshKnownHosts: '/etc/known' },
    '/run/p %',
  );
  expect(options.slice(0, 2)).toEqual(['-F', 'none']);
  expect(options).toEqual(expect.arrayContaining(['-oBatchMode=yes', '-oStrictHostKeyChecking=yes']));
  expect(options).toContain('-oIdentityFile="/etc/my keys/100%%"');
  expect(options).toContain('-oUserKnownHostsFile=/etc/known');
  expect(options.find((option) => option.startsWith('-oControlPath='))).toMatch(
    /^-oControlPath="\/run\/p %%\/%C[0-9a-f]{4}"$/,
  );
  expect(sshOptions(NO_ACCESS, null).join(' ')).not.toMatch(/Control(Path|Master)|Identity|KnownHosts/);
});

test('a word for the shell stays one word', () => {
  expect(quoteShell('-oX=/a/%h')).toBe('-oX=/a/%h');
  expect(quoteShell("it's $HOME")).toBe(`'it'\\''s $HOME'`);
});
