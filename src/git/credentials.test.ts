import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import { parseCredentials, readFileCredential } from './credentials.ts';
import { parseRemoteUrl } from './remote-url.ts';

function url(text = 'https://git.example.com/team/it.git') {
  const parsed = parseRemoteUrl(text);
  if (!parsed.ok) throw new Error(parsed.trouble.message);
  return parsed.value;
}

test.each([
  ['a bare token', 'tok3n\n', { username: 'git', password: 'tok3n' }],
  ['keys', 'username=ada\npassword=a=b c\n', { username: 'ada', password: 'a=b c' }],
  ['a password alone', '# bot\npassword=x\n', { username: 'git', password: 'x' }],
  ['a URL line', 'https://ada:p%40ss@git.example.com\n', { username: 'ada', password: 'p@ss' }],
  ['CRLF line ends', 'username=ada\r\npassword=x\r\n', { username: 'ada', password: 'x' }],
])('%s is understood', (_, text, credential) => {
  expect(parseCredentials(text, url())).toEqual({ credential });
});

test('of several URL lines the one with the longest path that fits wins', () => {
  const text = [
    'https://host:1@git.example.com',
    'https://team:2@git.example.com/team',
    'https://other:3@git.example.com/tea',
    'https://port:4@git.example.com:8443',
    'http://clear:5@git.example.com',
    'not a URL',
    'https://elsewhere:6@other.example',
  ].join('\n');
  const user = (remote: string) => {
    const parsed = parseCredentials(text, url(remote));
    return 'credential' in parsed ? parsed.credential?.username : parsed;
  };
  expect(user('https://git.example.com/team/it.git')).toBe('team');
  expect(user('https://git.example.com/teams/it.git')).toBe('host');
  expect(user('https://git.example.com:8443/team/it.git')).toBe('port');
  expect(user('http://git.example.com/it.git')).toBe('clear');
  expect(user('https://third.example/it.git')).toBeUndefined();
});

test('what is written in any of the formats is read back', () => {
  const printable = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(printable, printable, (username, password) => {
      const line = `https://${encodeURIComponent(username)}:${encodeURIComponent(password)}@git.example.com`;
      expect(parseCredentials(line, url())).toEqual({ credential: { username, password } });
    }),
  );
});

test('arbitrary text never crashes the parser, and no credential holds a control character', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', 'username=', 'https://'),
      (text, before) => {
        const parsed = parseCredentials(before + text, url());
        if ('credential' in parsed && parsed.credential) {
          expect(`${parsed.credential.username}${parsed.credential.password}`).not.toMatch(/\p{Cc}/u);
        }
      },
    ),
  );
});

test('a file that is missing or of no use is a trouble that shows nothing of it', () => {
  using folder = tempFolder('credentials');
  const file = join(folder.path, 'credentials');
  expect(readFileCredential(file, url())).toMatchObject({ ok: false, trouble: { code: 'auth-refused' } });
  for (const text of [
    '',
    '\n# nothing\n',
    's3cret with spaces',
    's3cret\ns3cret',
    'username=s3cret\n',
    's3\u0001cret',
  ]) {
    writeFileSync(file, text);
    const read = readFileCredential(file, url());
    expect(read, text).toMatchObject({ ok: false, trouble: { code: 'auth-refused' } });
    expect(JSON.stringify(read)).not.toMatch(/s3/);
  }
});

test.skipIf(process.getuid?.() === 0)('a file that we may not read is a trouble of rights', () => {
  using folder = tempFolder('credentials');
  const file = join(folder.path, 'credentials');
  writeFileSync(file, 'x');
  chmodSync(file, 0);
  expect(readFileCredential(file, url())).toMatchObject({ ok: false, trouble: { code: 'no-permission' } });
});
