import { expect, test } from 'vitest';
import { whatIsWrongWithProxy, whatIsWrongWithRemote } from './remote.ts';

test.each([
  'https://git.example.com/it.git',
  'http://127.0.0.1:8080/it.git',
  'https://[::1]:8443/it.git',
  'ssh://git@git.example.com:2222/it.git',
  'git@git.example.com:it.git',
  'git.example.com:it/it.git',
  'git://git.example.com/it.git',
  'file:///srv/it.git',
  '/srv/it.git',
])('%s can be a remote', (text) => {
  expect(whatIsWrongWithRemote(text)).toBeNull();
});

const IN_FILE =
  /^expected a URL without user and password \(`credentials` names a file for them\), found one with them$/;

test.each([
  'https://user:s3cret@git.example.com/it.git',
  'https://s3cret@git.example.com/it.git',
  'ssh://git:s3cret@git.example.com/it.git',
  'git://s3cret@git.example.com/it.git',
  'git:s3cret@git.example.com:it.git',
])('%s holds a secret: the answer names the key for it, and not the secret', (text) => {
  expect(whatIsWrongWithRemote(text)).toMatch(IN_FILE);
});

test.each([
  ['', 'an empty text'],
  ['it', 'none of them'],
  ['../it.git', 'none of them'],
  ['-oProxyCommand=x:it', 'a host name that none has'],
  ['ssh://-oProxyCommand=x/it', 'a host name that none has'],
  ['ext::sh -c x', 'spaces or control characters'],
  ['ext::x', '"::"'],
  ['ftp://git.example.com/it.git', 'the scheme "ftp"'],
  ['https://', 'cannot be read'],
  ['https://git.example.com/it.git?token=s3cret', 'a query or fragment'],
  ['https://git.example.com/it\n.git', 'spaces or control characters'],
  ['file://it.git', 'without an absolute path'],
])('%j is no remote', (text, found) => {
  const wrong = whatIsWrongWithRemote(text);
  expect(wrong).toContain(found);
  expect(wrong).not.toContain('s3cret');
});

test('a proxy is a URL without user and password', () => {
  expect(whatIsWrongWithProxy('http://proxy.example.com:3128')).toBeNull();
  expect(whatIsWrongWithProxy('proxy')).toContain('found a URL that cannot be read');
  expect(whatIsWrongWithProxy('ftp://proxy')).toContain('found another scheme');
  const wrong = whatIsWrongWithProxy('http://me:s3cret@proxy:3128');
  expect(wrong).toContain('found one with them');
  expect(wrong).not.toContain('s3cret');
});
