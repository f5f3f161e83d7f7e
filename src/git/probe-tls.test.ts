import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Authority, createAuthority } from '../../tests/support/certificates.ts';
import { startConnectProxy } from '../../tests/support/connect-proxy.ts';
import { needsProgram } from '../../tests/support/needs.ts';
import { createAsker } from '../../tests/support/probe.ts';
import { createRemote, type Remote } from '../../tests/support/repo.ts';
import { type SmartHttp, startSmartHttp } from '../../tests/support/smart-http.ts';
import { type TempFolder, tempFolder } from '../../tests/support/temp.ts';
import type { CommitId } from '../model/ids.ts';

const test = needsProgram('openssl');

let temp: TempFolder;
let remote: Remote;
let head: CommitId;
let authority: Authority;
let other: Authority;

beforeAll(async () => {
  temp = tempFolder('tls');
  remote = await createRemote();
  head = await remote.publish({ files: { a: '1' } });
  authority = await createAuthority(temp.path);
  other = await createAuthority(temp.path, 'other');
});
afterAll(() => {
  remote?.[Symbol.dispose]();
  temp?.[Symbol.dispose]();
});

async function serve(
  name: string,
  o: { hosts?: string[]; expired?: boolean; by?: Authority; wantsClient?: boolean } = {},
): Promise<SmartHttp> {
  const pair = await (o.by ?? authority).issue(name, { hosts: ['127.0.0.1', 'localhost'], ...o });
  return startSmartHttp(remote.folder, {
    cert: readFileSync(pair.cert),
    key: readFileSync(pair.key),
    ...(o.wantsClient ? { requestCert: true, ca: readFileSync(authority.cert) } : {}),
  });
}

test('with the authority of access.tlsCa a server of ours is trusted, on one connection', async () => {
  await using server = await serve('good');
  using asker = createAsker(server.url(remote.path), { tlsCa: authority.cert });
  for (let i = 0; i < 3; i++) expect(await asker.outcome()).toBe(head);
  expect(server.connections()).toBe(1);
  using named = createAsker(
    server.url(remote.path, 'localhost'),
    {},
    { env: { SSL_CERT_FILE: authority.cert } },
  );
  expect(await named.outcome()).toBe(head);
});

test('what is wrong with a certificate is named, with what to do', async () => {
  const cases = [
    { name: 'unknown', by: other, hint: /tls\.ca/ },
    { name: 'expired', expired: true, hint: /renew the certificate/ },
    { name: 'elsewhere', hosts: ['elsewhere.example'], hint: /host name that the certificate/ },
  ];
  for (const { hint, name, ...o } of cases) {
    await using server = await serve(name, o);
    using asker = createAsker(server.url(remote.path), { tlsCa: authority.cert });
    const answer = await asker.ask();
    expect(answer, name).toMatchObject({
      ok: false,
      trouble: { code: 'tls', hint: expect.stringMatching(hint) },
    });
  }
  await using server = await serve('unknown-to-the-system');
  using asker = createAsker(server.url(remote.path));
  expect(await asker.outcome()).toBe('tls');
});

test('https to a server that speaks http, and a file that is no certificate, are TLS troubles', async () => {
  await using plain = await startSmartHttp(remote.folder);
  using asker = createAsker(plain.url(remote.path).replace('http:', 'https:'), { tlsCa: authority.cert });
  expect(await asker.outcome()).toBe('tls');
  using broken = createAsker(plain.url(remote.path).replace('http:', 'https:'), { tlsCa: authority.key });
  expect(await broken.outcome()).toBe('tls');
  using missing = createAsker(plain.url(remote.path).replace('http:', 'https:'), {
    tlsCa: join(temp.path, 'none'),
  });
  expect(await missing.ask()).toMatchObject({
    trouble: { code: 'tls', message: expect.stringContaining('ENOENT') },
  });
});

test('a client certificate is shown, and files that change are read again', async () => {
  await using server = await serve('wants-client', { wantsClient: true });
  const client = await authority.issue('a-client', { client: true });
  const tlsCa = join(temp.path, 'changing-ca.pem');
  copyFileSync(other.cert, tlsCa);
  const access = { tlsCa, tlsCert: client.cert, tlsKey: client.key };
  using asker = createAsker(server.url(remote.path), access);
  expect(await asker.outcome()).toBe('tls');
  copyFileSync(authority.cert, tlsCa);
  expect(await asker.outcome()).toBe(head);
  copyFileSync(other.cert, tlsCa);
  expect(await asker.outcome()).toBe('tls');
  using without = createAsker(server.url(remote.path), { tlsCa: authority.cert });
  expect(await without.outcome()).toBe('tls');
});

test('https goes through a proxy by CONNECT, and the connection is kept', async () => {
  await using server = await serve('behind-proxy');
  await using proxy = await startConnectProxy({ user: 'eve', password: 'pr0xy' });
  const withPassword = proxy.url.replace('://', '://eve:pr0xy@');
  using asker = createAsker(
    server.url(remote.path),
    { tlsCa: authority.cert },
    { env: { https_proxy: withPassword } },
  );
  for (let i = 0; i < 3; i++) expect(await asker.outcome()).toBe(head);
  expect(proxy.requests()).toEqual([`CONNECT 127.0.0.1:${server.port}`]);
  using stranger = createAsker(server.url(remote.path), { tlsCa: authority.cert, proxy: proxy.url });
  expect(await stranger.ask()).toMatchObject({
    trouble: { code: 'auth-refused', hint: expect.stringContaining('proxy') },
  });
  using exempt = createAsker(
    server.url(remote.path),
    { tlsCa: authority.cert },
    { env: { HTTPS_PROXY: withPassword, NO_PROXY: '127.0.0.1' } },
  );
  const before = proxy.requests().length;
  expect(await exempt.outcome()).toBe(head);
  expect(proxy.requests()).toHaveLength(before);
});

test('http goes through a proxy as well, and a proxy that is not there is named', async () => {
  await using server = await startSmartHttp(remote.folder);
  const proxy = await startConnectProxy();
  using asker = createAsker(server.url(remote.path), {}, { env: { http_proxy: proxy.url } });
  for (let i = 0; i < 2; i++) expect(await asker.outcome()).toBe(head);
  expect(proxy.requests()[0]).toBe(`GET ${server.url('it.git/info/refs?service=git-upload-pack')}`);
  await proxy.close();
  const answer = await asker.ask();
  expect(answer).toMatchObject({
    trouble: { code: 'unreachable', message: expect.stringContaining(`through the proxy ${proxy.url}`) },
  });
});

test('from https nothing leads to http', async () => {
  await using plain = await startSmartHttp(remote.folder);
  await using server = await serve('downgrade');
  server.hook = (request, response) => {
    response.writeHead(301, { Location: plain.url(request.url!.slice(1)) }).end();
    return true;
  };
  using asker = createAsker(server.url(remote.path), { tlsCa: authority.cert });
  expect(await asker.outcome()).toBe('redirected');
  expect(plain.asked).toEqual([]);
});

test('from http to https of the same host credentials may go along', async () => {
  await using server = await serve('upgrade');
  await using plain = await startSmartHttp(remote.folder);
  plain.hook = (request, response) => {
    response.writeHead(308, { Location: server.url(request.url!.slice(1)) }).end();
    return true;
  };
  const { writeFileSync } = await import('node:fs');
  writeFileSync(join(temp.path, 'token'), 'tok3n');
  using asker = createAsker(plain.url(remote.path), {
    tlsCa: authority.cert,
    credentialsFile: join(temp.path, 'token'),
  });
  expect(await asker.ask()).toMatchObject({
    ok: true,
    value: { commit: head, url: server.url(remote.path) },
  });
  expect(server.authorizations.every((value) => value.startsWith('Basic '))).toBe(true);
});
