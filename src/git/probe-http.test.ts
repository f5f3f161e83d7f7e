import { writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createAsker } from '../../tests/support/probe.ts';
import { createRemote, type Remote } from '../../tests/support/repo.ts';
import { type SmartHttp, startSmartHttp } from '../../tests/support/smart-http.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import type { CommitId } from '../model/ids.ts';
import { FLUSH, formatPacket } from './pkt-line.ts';

const SECRET = 'pa55-w0rd';
const ADVERTISEMENT = 'application/x-git-upload-pack-advertisement';
const ANSWER = 'application/x-git-upload-pack-result';
const ID = 'c0ffee'.padEnd(40, '0');

let remote: Remote;
let server: SmartHttp;
let head: CommitId;

beforeAll(async () => {
  remote = await createRemote();
  head = await remote.publish({ files: { a: '1' } });
  await remote.tag('v1.0.0', { annotated: true });
  await remote.tag('v1.2.0', { annotated: true });
  await remote.tag('v1.10.0');
  await remote.tag('vNext');
  await remote.push('HEAD:refs/heads/main-2', 'HEAD:refs/heads/feature');
  server = await startSmartHttp(remote.folder);
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  remote?.[Symbol.dispose]();
});
beforeEach(() => {
  server.hook = null;
  server.speaksV2 = true;
  server.asked.length = 0;
  server.authorizations.length = 0;
});

function say(
  response: ServerResponse,
  status: number,
  body = '',
  headers: Record<string, string> = {},
): true {
  response.writeHead(status, headers).end(body);
  return true;
}

const GET = 'GET /it.git/info/refs?service=git-upload-pack';
const POST = 'POST /it.git/git-upload-pack';

test('the first probe asks twice, each further one once, all on one connection', async () => {
  using asker = createAsker(server.url(remote.path));
  const before = server.connections();
  for (let i = 0; i < 3; i++) {
    expect(await asker.ask()).toEqual({
      ok: true,
      value: { commit: head, ref: 'refs/heads/main', url: server.url(remote.path) },
    });
  }
  expect(server.asked).toEqual([GET, POST, POST, POST]);
  expect(server.connections() - before).toBe(1);
});

test('what one prober found out about a server another one need not ask, and believes only until it is wrong', async () => {
  const url = server.url(remote.path);
  using first = createAsker(url);
  await first.ask();
  const known = first.prober.known();
  expect(known).toEqual({ [url]: { version: 2, objectFormat: 'sha1' } });
  server.asked.length = 0;
  using second = createAsker(url, {}, { known });
  expect(await second.outcome()).toBe(head);
  expect(server.asked).toEqual([POST]);
  expect(second.prober.known()).toEqual(known);
  server.speaksV2 = false;
  using third = createAsker(url, {}, { known });
  expect(await third.outcome()).toBe(head);
  expect(server.asked).toEqual([POST, POST, GET]);
  expect(third.prober.known()).toEqual({});
});

test('a push is seen by the next probe', async () => {
  using asker = createAsker(server.url(remote.path));
  await remote.branch('moving');
  await remote.push();
  const tracking = { kind: 'branch', name: 'moving' } as const;
  expect(await asker.outcome(tracking)).toBe(head);
  const next = await remote.publish({ files: { b: '1' } });
  expect(await asker.outcome(tracking)).toBe(next);
  await remote.branch('main');
});

test.each([true, false])('tags are peeled and the highest version is chosen (v2: %s)', async (speaksV2) => {
  server.speaksV2 = speaksV2;
  using asker = createAsker(server.url(remote.path));
  const commit = await remote.head('v1.2.0');
  expect(await asker.ask({ kind: 'exact-tag', name: 'v1.2.0' })).toMatchObject({
    ok: true,
    value: { commit, ref: 'refs/tags/v1.2.0' },
  });
  expect(await asker.ask({ kind: 'tag', pattern: 'v*' })).toMatchObject({
    value: { ref: 'refs/tags/v1.10.0' },
  });
  expect(await asker.ask({ kind: 'tag', pattern: 'v1.[0-5].*' })).toMatchObject({
    value: { commit, ref: 'refs/tags/v1.2.0' },
  });
  expect(await asker.ask({ kind: 'tag', pattern: 'w*' })).toMatchObject({ trouble: { code: 'ref-missing' } });
});

test('a server of protocol v0 is asked once per probe', async () => {
  server.speaksV2 = false;
  using asker = createAsker(server.url(remote.path));
  for (let i = 0; i < 2; i++) expect(await asker.outcome()).toBe(head);
  expect(server.asked).toEqual([GET, GET]);
  expect(await asker.ask({ kind: 'branch', name: 'gone' })).toMatchObject({
    trouble: { code: 'ref-missing' },
  });
});

test('a commit is its own answer, without any network', async () => {
  using asker = createAsker('https://nowhere.invalid/it.git');
  const id = 'ab'.repeat(20);
  expect(await asker.ask({ kind: 'commit', id })).toMatchObject({ ok: true, value: { commit: id, ref: id } });
});

test('a missing branch is named with those that are there', async () => {
  using asker = createAsker(server.url(remote.path));
  const answer = await asker.ask({ kind: 'branch', name: 'mai' });
  expect(answer).toMatchObject({ ok: false, trouble: { code: 'ref-missing' } });
  expect(JSON.stringify(answer)).toMatch(/track one of those that are there: main, /);
});

test('an empty repository and an emptied one are not the same, and neither is "nothing"', async () => {
  using other = await createRemote();
  await using here = await startSmartHttp(other.folder);
  using asker = createAsker(here.url(other.path));
  for (const speaksV2 of [true, false]) {
    here.speaksV2 = speaksV2;
    expect(await asker.ask()).toMatchObject({
      trouble: { code: 'empty-answer', message: expect.stringMatching(/found an empty repository$/) },
    });
  }
  here.speaksV2 = true;
  const id = await other.publish({ files: { a: '1' } });
  expect(await asker.outcome()).toBe(id);
  await other.git('-C', other.bare, 'update-ref', '-d', 'refs/heads/main');
  const emptied = await asker.ask();
  expect(emptied).toMatchObject({ trouble: { code: 'empty-answer' } });
  expect(JSON.stringify(emptied)).toContain(`was emptied; it was at ${id.slice(0, 7)} before`);
});

test.each([
  [401, {}, 'auth-refused', null],
  [403, {}, 'forbidden', null],
  [403, { 'Retry-After': '60' }, 'slow-down', 60_000],
  [404, {}, 'not-found', null],
  [410, {}, 'not-found', null],
  [429, { 'Retry-After': '120' }, 'slow-down', 120_000],
  [429, {}, 'slow-down', null],
  [503, { 'Retry-After': 'Thu, 01 Jan 2026 12:05:00 GMT' }, 'slow-down', 300_000],
  [500, {}, 'server-error', null],
  [502, { 'Retry-After': '60' }, 'server-error', null],
  [400, {}, 'not-git', null],
  [204, {}, 'not-git', null],
])('status %i %j is the trouble %s', async (status, headers, code, retryAfterMs) => {
  using asker = createAsker(server.url(remote.path), {}, { now: () => Date.UTC(2026, 0, 1, 12, 0, 0) });
  server.hook = (_, response) => say(response, status, '', headers);
  const expected = { ok: false, trouble: { code, retryAfterMs, remote: server.url(remote.path) } };
  expect(await asker.ask()).toMatchObject(expected);
  // The same when it happens to a question that was answered before.
  server.hook = null;
  expect(await asker.outcome()).toBe(head);
  server.hook = (_, response) => say(response, status, '', headers);
  expect(await asker.ask()).toMatchObject(expected);
  server.hook = null;
  expect(await asker.outcome()).toBe(head);
});

test.each([
  ['a login page', 'text/html', '<html><h1>Log \u001b[31min</h1></html>', 'not-git'],
  ['an empty body', 'text/plain', '', 'empty-answer'],
  ['an empty body of the right type', ADVERTISEMENT, '', 'empty-answer'],
  ['a page of the right type', ADVERTISEMENT, '<html>', 'not-git'],
  ['the files of a repository', 'text/plain', `${ID}\trefs/heads/main\n`, 'not-git'],
  ['a greeting without an end', ADVERTISEMENT, formatPacket('version 2\n'), 'empty-answer'],
  ['a list without an end', ADVERTISEMENT, formatPacket(`${ID} refs/heads/a\n`), 'empty-answer'],
  ['half a packet', ADVERTISEMENT, '003f', 'empty-answer'],
  [
    'an error packet',
    ADVERTISEMENT,
    formatPacket('ERR access denied or repository not exported'),
    'not-found',
  ],
  ['v2 without ls-refs', ADVERTISEMENT, formatPacket('version 2\n') + FLUSH, 'not-git'],
])('a 200 with %s is never taken for an answer', async (_, type, body, code) => {
  using asker = createAsker(server.url(remote.path));
  server.hook = (_request, response) => say(response, 200, body, { 'Content-Type': type });
  const answer = await asker.ask();
  expect(answer).toMatchObject({ ok: false, trouble: { code } });
  expect(JSON.stringify(answer)).not.toContain('\\u001b');
});

test.each([
  ['a page', 'text/html', 'hello'],
  ['an empty body', ANSWER, ''],
  ['the beginning of a list', ANSWER, formatPacket(`${ID} refs/heads/main-1\n`)],
])('when the question is answered with %s, the greeting is asked for again', async (_, type, body) => {
  using asker = createAsker(server.url(remote.path));
  expect(await asker.outcome()).toBe(head);
  server.asked.length = 0;
  let spoiled = 0;
  server.hook = (request, response) =>
    request.method === 'POST' && spoiled++ === 0 && say(response, 200, body, { 'Content-Type': type });
  expect(await asker.outcome()).toBe(head);
  expect(server.asked).toEqual([POST, GET, POST]);
});

test('an answer in gzip and in pieces is read, and only as far as is needed', async () => {
  const id = (n: number) => n.toString(16).padStart(40, '0');
  const refs = Array.from({ length: 30_000 }, (_, i) => formatPacket(`${id(i)} refs/heads/b${i}\n`));
  const list = gzipSync(formatPacket('# service=git-upload-pack\n') + FLUSH + refs.join('') + FLUSH);
  using asker = createAsker(server.url(remote.path));
  server.hook = (_, response) => {
    response.writeHead(200, { 'Content-Type': ADVERTISEMENT, 'Content-Encoding': 'gzip' });
    for (let at = 0; at < list.length; at += 5_000) response.write(list.subarray(at, at + 5_000));
    response.end();
    return true;
  };
  expect(await asker.outcome({ kind: 'branch', name: 'b29999' })).toBe(id(29_999));
  expect(await asker.outcome({ kind: 'branch', name: 'b7' })).toBe(id(7));
  expect(await asker.outcome({ kind: 'branch', name: 'none' })).toBe('ref-missing');
});

test('a bomb in gzip is not unpacked beyond the limit', async () => {
  const bomb = gzipSync(formatPacket(`${ID} refs/heads/a\n`).repeat(800_000));
  using asker = createAsker(server.url(remote.path));
  server.hook = (_, response) => {
    response.writeHead(200, { 'Content-Type': ADVERTISEMENT, 'Content-Encoding': 'gzip' }).end(bomb);
    return true;
  };
  expect(await asker.outcome()).toBe('limit');
});

test.each(['nothing at all', 'the head only', 'a byte now and then'])(
  'a server that sends %s is silent',
  async (how) => {
    using asker = createAsker(server.url(remote.path), {}, { limits: { probeTimeoutMs: 200 } });
    server.hook = (_, response) => {
      if (how === 'nothing at all') return true;
      response.writeHead(200, { 'Content-Type': ADVERTISEMENT }).flushHeaders();
      if (how === 'the head only') return true;
      const timer = setInterval(() => response.write('1'), 20);
      response.on('close', () => clearInterval(timer));
      return true;
    };
    expect(await asker.outcome()).toBe('silent');
    await expect.poll(() => server.sockets.size).toBe(0);
  },
);

test('a connection that the server had closed meanwhile is replaced without a word', async () => {
  using asker = createAsker(server.url(remote.path));
  expect(await asker.outcome()).toBe(head);
  // Cut as soon as the next question comes: what a server does that closed an idle connection at this very moment.
  for (const socket of server.sockets) socket.once('data', () => socket.resetAndDestroy());
  server.asked.length = 0;
  const before = server.connections();
  expect(await asker.outcome()).toBe(head);
  expect(server.connections() - before).toBe(1);
});

test('a connection that is cut is unreachable, one that is cut in the middle an empty answer', async () => {
  using asker = createAsker(server.url(remote.path));
  server.hook = (request) => {
    request.socket.resetAndDestroy();
    return true;
  };
  expect(await asker.outcome()).toBe('unreachable');
  server.hook = (request, response) => {
    response.writeHead(200, { 'Content-Type': ADVERTISEMENT, 'Content-Length': '500' });
    response.write(formatPacket('version 2\n'), () => request.socket.destroy());
    return true;
  };
  expect(await asker.outcome()).toBe('empty-answer');
});

test('what is no HTTP, and a port where nobody listens, have their own names', async () => {
  const { createServer } = await import('node:net');
  const other = createServer((socket) =>
    socket
      .on('error', () => {})
      .resume()
      .end('SSH-2.0-OpenSSH_9.2\r\n'),
  );
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  using asker = createAsker(`http://127.0.0.1:${port}/it.git`);
  expect(await asker.outcome()).toBe('not-git');
  await new Promise((resolve) => other.close(resolve));
  expect(await asker.outcome()).toBe('unreachable');
});

test('a name that nobody knows is a trouble of the name service', async () => {
  using asker = createAsker('http://pullyu-test.invalid/it.git');
  expect(await asker.outcome()).toBe('dns');
});

test('a probe can be stopped', async () => {
  using asker = createAsker(server.url(remote.path));
  const stop = new AbortController();
  server.hook = () => {
    stop.abort();
    return true;
  };
  expect(await asker.ask(undefined, stop.signal)).toMatchObject({
    ok: false,
    trouble: { code: 'unreachable' },
  });
  expect(await asker.ask(undefined, stop.signal)).toMatchObject({ ok: false });
});

test('credentials are read at each use, refused ones are named, and none is ever told', async () => {
  using folder = tempFolder('credentials');
  const credentialsFile = join(folder.path, 'credentials');
  writeFileSync(credentialsFile, `username=ada\npassword=${SECRET}\n`);
  using asker = createAsker(server.url(remote.path), { credentialsFile });
  let wanted = SECRET;
  server.hook = (request, response) =>
    request.headers.authorization !== `Basic ${Buffer.from(`ada:${wanted}`).toString('base64')}` &&
    say(response, 401, `no: ${request.headers.authorization}`);
  expect(await asker.outcome()).toBe(head);
  wanted = 'another';
  const refused = await asker.ask();
  expect(refused).toMatchObject({
    trouble: { code: 'auth-refused', hint: expect.stringContaining('renew') },
  });
  expect(JSON.stringify(refused)).not.toContain(SECRET);
  expect(JSON.stringify(refused)).not.toContain(Buffer.from(`ada:${SECRET}`).toString('base64'));
  writeFileSync(credentialsFile, `username=ada\npassword=another\n`);
  expect(await asker.outcome()).toBe(head);
});

test('a helper is asked after a 401 only, its answer is kept until the next 401', async () => {
  using folder = tempFolder('helper');
  const password = join(folder.path, 'password');
  const calls = join(folder.path, 'calls');
  writeFileSync(calls, '');
  writeFileSync(password, SECRET);
  const credentialHelper = `!f() { echo "$1" >> ${calls}; echo username=ada; echo password=$(cat ${password}); }; f`;
  using asker = createAsker(
    server.url(remote.path),
    { credentialHelper },
    { env: { PATH: process.env.PATH } },
  );
  let wanted: string | null = null;
  server.hook = (request, response) =>
    wanted !== null &&
    request.headers.authorization !== `Basic ${Buffer.from(`ada:${wanted}`).toString('base64')}` &&
    say(response, 401);
  const { readFileSync } = await import('node:fs');
  const asked = () => readFileSync(calls, 'utf8').trim().split('\n').filter(Boolean).length;
  expect(await asker.outcome()).toBe(head);
  expect(asked()).toBe(0);
  wanted = SECRET;
  for (let i = 0; i < 3; i++) expect(await asker.outcome()).toBe(head);
  expect(asked()).toBe(1);
  wanted = 'rotated';
  expect(await asker.outcome()).toBe('auth-refused');
  writeFileSync(password, 'rotated');
  expect(await asker.outcome()).toBe(head);
  expect(readFileSync(calls, 'utf8').trim().split('\n')).toEqual(['get', 'get', 'get']);
});

test('a redirect on the same host is followed with credentials, and the new URL is told', async () => {
  using folder = tempFolder('credentials');
  const credentialsFile = join(folder.path, 'credentials');
  writeFileSync(credentialsFile, SECRET);
  using asker = createAsker(server.url('old.git'), { credentialsFile });
  server.hook = (request, response) =>
    request.url?.startsWith('/old.git/') === true &&
    say(response, 301, '', { Location: `/it.git${request.url.slice('/old.git'.length)}` });
  for (let i = 0; i < 2; i++) {
    expect(await asker.ask()).toMatchObject({ ok: true, value: { commit: head, url: server.url('it.git') } });
  }
  expect(server.asked).toEqual([GET.replace('it.git', 'old.git'), GET, POST, POST]);
  expect(server.authorizations.every((value) => value.startsWith('Basic '))).toBe(true);
});

test('a redirect to another host is followed without credentials', async () => {
  await using front = await startSmartHttp(remote.folder);
  using folder = tempFolder('credentials');
  const credentialsFile = join(folder.path, 'credentials');
  writeFileSync(credentialsFile, SECRET);
  using asker = createAsker(front.url(remote.path, 'localhost'), { credentialsFile });
  front.hook = (request, response) => say(response, 302, '', { Location: server.url(request.url!.slice(1)) });
  expect(await asker.ask()).toMatchObject({
    ok: true,
    value: { commit: head, url: server.url(remote.path) },
  });
  expect(await asker.outcome()).toBe(head);
  expect(front.authorizations[0]).toMatch(/^Basic /);
  expect(server.authorizations).toEqual(['', '', '']);
  server.hook = (_, response) => say(response, 401);
  expect(await asker.outcome()).toBe('auth-refused');
  expect(await asker.ask()).toMatchObject({
    trouble: { code: 'redirected', message: expect.stringContaining('without credentials') },
  });
  expect(server.authorizations.join('')).toBe('');
});

test.each([
  ['a circle', (url: string) => url, 'redirected'],
  ['a login page', () => '/login?next=secret-token', 'not-git'],
  ['a login page of another host', () => 'https://sso.example.com/login', 'redirected'],
  ['nowhere', () => 'http://', 'redirected'],
  ['a URL with credentials', (url: string) => url.replace('://', '://a:b@'), 'redirected'],
])('a redirect to %s is refused', async (_, location, code) => {
  using asker = createAsker(server.url(remote.path));
  server.hook = (request, response) =>
    say(response, 302, '', { Location: location(server.url(request.url!.slice(1))) });
  const answer = await asker.ask();
  expect(answer).toMatchObject({ ok: false, trouble: { code } });
  expect(JSON.stringify(answer)).not.toContain('secret-token');
});

test('a URL with credentials in it is refused before anything is sent', async () => {
  using asker = createAsker(server.url(remote.path).replace('://', `://ada:${SECRET}@`));
  const answer = await asker.ask();
  expect(answer).toMatchObject({ trouble: { code: 'auth-refused' } });
  expect(JSON.stringify(answer)).not.toContain(SECRET);
  expect(server.asked).toEqual([]);
});

test('a SHA-256 repository is asked in its own format', async () => {
  const { git } = await import('../../tests/support/git.ts');
  using folder = tempFolder('sha256');
  const bare = join(folder.path, 'it.git');
  await git(['init', '--quiet', '--bare', '--object-format=sha256', '--initial-branch=main', bare]);
  const tree = await git(['-C', bare, 'hash-object', '-t', 'tree', '-w', '/dev/null']);
  const commit = await git(['-C', bare, 'commit-tree', tree, '-m', 'one']);
  await git(['-C', bare, 'update-ref', 'refs/heads/main', commit]);
  await using here = await startSmartHttp(folder.path);
  using asker = createAsker(here.url('it.git'));
  for (let i = 0; i < 2; i++) expect(await asker.outcome()).toBe(commit);
});
