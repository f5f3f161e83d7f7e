import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hostWithPort, isTrustedHost, parseRemoteUrl } from './remote-url.ts';

function parsed(text: string) {
  const url = parseRemoteUrl(text);
  if (!url.ok) throw new Error(url.trouble.message);
  return url.value;
}

test.each([
  [
    'https://git.example.com/it.git',
    { protocol: 'https', host: 'git.example.com', port: null, path: '/it.git' },
  ],
  [
    'HTTP://Git.Example.com:8080/a/b',
    { protocol: 'http', host: 'git.example.com', port: 8080, path: '/a/b' },
  ],
  ['https://[::1]:8443/it', { protocol: 'https', host: '::1', port: 8443, path: '/it' }],
  [
    'ssh://git@example.com:2222/srv/it.git',
    { protocol: 'ssh', user: 'git', port: 2222, path: '/srv/it.git' },
  ],
  ['ssh://example.com/~ada/it.git', { protocol: 'ssh', user: null, path: '~ada/it.git' }],
  [
    'git@github.com:example/it.git',
    { protocol: 'ssh', user: 'git', host: 'github.com', path: 'example/it.git' },
  ],
  ['host:it.git', { protocol: 'ssh', user: null, host: 'host', path: 'it.git' }],
  ['git@[::1]:it.git', { protocol: 'ssh', host: '::1', path: 'it.git' }],
  ['git://example.com/it.git', { protocol: 'git', host: 'example.com', path: '/it.git' }],
  ['file:///srv/it.git', { protocol: 'file', path: '/srv/it.git' }],
  ['/srv/my repo.git', { protocol: 'file', path: '/srv/my repo.git' }],
])('%s is understood', (text, expected) => {
  expect(parsed(text)).toMatchObject({ text, ...expected });
});

test.each([
  'ftp://example.com/it.git',
  'ext::sh -c touch% /tmp/x',
  'https://',
  'https://exam ple.com/it',
  'https://example.com/it\nhost=evil',
  'https://example.com/it?x=1',
  'ssh://-oProxyCommand=x/it',
  '-oProxyCommand=x:it',
  'ssh://-x@example.com/it',
  'it.git',
  './it',
  '',
])('"%s" is refused', (text) => {
  expect(parseRemoteUrl(text).ok).toBe(false);
});

test.each([
  'https://ada:s3cret@example.com/it.git',
  'https://s3cret@example.com/it.git',
  'ssh://ada:s3cret@example.com/it.git',
  'git://s3cret@example.com/it.git',
  'ada:s3cret@example.com:it.git',
])('credentials in a URL are refused without being repeated: %s', (text) => {
  const url = parseRemoteUrl(text);
  expect(url).toMatchObject({ ok: false, trouble: { code: 'auth-refused' } });
  expect(JSON.stringify(url)).not.toContain('s3cret');
  expect(JSON.stringify(url)).toContain('`credentials`');
});

test('no text crashes the parser, and what it accepts has no option for ssh in it', () => {
  const piece = fc.constantFrom(
    'ssh://',
    'https://',
    '@',
    ':',
    '/',
    '-',
    '%',
    '[',
    ']',
    'a',
    '~',
    '\n',
    '::',
    '.',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 9 }).map((p) => p.join('')),
      ),
      (text) => {
        const url = parseRemoteUrl(text);
        if (!url.ok) return;
        expect(url.value.host.startsWith('-')).toBe(false);
        expect(url.value.user?.startsWith('-') ?? false).toBe(false);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('only a host that was written down is trusted, and https never becomes http', () => {
  const remotes = ['https://git.example.com/it.git', 'http://old.example.com:80/it.git'];
  const trusts = (text: string) => isTrustedHost(remotes, parsed(text));
  expect(trusts('https://git.example.com/moved/it.git')).toBe(true);
  expect(trusts('https://old.example.com/it.git')).toBe(true);
  expect(trusts('http://git.example.com/it.git')).toBe(false);
  expect(trusts('https://git.example.com:8443/it.git')).toBe(false);
  expect(trusts('https://git.example.com.evil.example/it.git')).toBe(false);
});

test('a host is named as git names it', () => {
  expect(hostWithPort(parsed('https://[::1]:8443/it'))).toBe('[::1]:8443');
  expect(hostWithPort(parsed('https://example.com:443/it'))).toBe('example.com');
});
