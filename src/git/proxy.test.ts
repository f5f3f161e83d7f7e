import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideProxy, parseProxy } from './proxy.ts';
import { parseRemoteUrl } from './remote-url.ts';

function decide(remote: string, setting: string | null, env: Record<string, string>) {
  const url = parseRemoteUrl(remote);
  if (!url.ok) throw new Error(url.trouble.message);
  return decideProxy(url.value, setting, env)?.url ?? null;
}

const HTTPS = 'https://git.example.com:8443/it.git';

test.each([
  ['nothing set', HTTPS, null, {}, null],
  ['https_proxy', HTTPS, null, { https_proxy: 'http://p:3128' }, 'http://p:3128'],
  ['HTTPS_PROXY', HTTPS, null, { HTTPS_PROXY: 'p:3128' }, 'http://p:3128'],
  [
    'lower case goes first',
    HTTPS,
    null,
    { https_proxy: 'http://a:1', HTTPS_PROXY: 'http://b:2' },
    'http://a:1',
  ],
  ['http_proxy is for http', HTTPS, null, { http_proxy: 'http://p:3128' }, null],
  ['all_proxy', HTTPS, null, { all_proxy: 'socks5://p' }, 'socks5://p:1080'],
  ['the setting goes before', HTTPS, 'http://s:1', { https_proxy: 'http://p:2' }, 'http://s:1'],
  ['the setting ignores no_proxy', HTTPS, 'http://s:1', { no_proxy: '*' }, 'http://s:1'],
  ['an empty setting means none', HTTPS, '', { https_proxy: 'http://p:2' }, null],
  ['no_proxy with the host', HTTPS, null, { https_proxy: 'http://p', no_proxy: 'x, git.example.com' }, null],
  ['no_proxy with the domain', HTTPS, null, { https_proxy: 'http://p', NO_PROXY: '.example.com' }, null],
  ['no_proxy with a port', HTTPS, null, { https_proxy: 'http://p', no_proxy: 'git.example.com:8443' }, null],
  [
    'no_proxy with a part of the name',
    HTTPS,
    null,
    { https_proxy: 'http://p', no_proxy: 'ample.com' },
    'http://p:80',
  ],
  ['no_proxy with everything', HTTPS, null, { https_proxy: 'http://p', no_proxy: '*' }, null],
  ['ssh', 'git@example.com:it.git', null, { https_proxy: 'http://p', all_proxy: 'http://p' }, null],
])('%s decides', (_, remote, setting, env, expected) => {
  expect(decide(remote, setting, env)).toBe(expected);
});

test('user name and password are taken out of the URL', () => {
  expect(parseProxy('http://ada:p%40ss@proxy:3128')).toEqual({
    scheme: 'http:',
    url: 'http://proxy:3128',
    host: 'proxy',
    port: 3128,
    username: 'ada',
    password: 'p@ss',
  });
});

test('no text crashes it', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseProxy(text)));
});
