import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelConfig, WebChannel } from '../model/host.ts';
import type { Message } from './channel.ts';
import { openChannels } from './open-channels.ts';

interface Got {
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let got: Got[] = [];
let answer: (res: ServerResponse, req: IncomingMessage) => void = (res) => res.end('ok');
const sockets = new Set<Socket>();
const server = createServer((req, res) => {
  let body = '';
  req.setEncoding('utf8').on('data', (text) => {
    body += text;
  });
  req.on('end', () => {
    got.push({ url: req.url ?? '', headers: req.headers, body });
    answer(res, req);
  });
});
server.on('connection', (socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});

let folder = '';
let base = '';
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pullyu-news-'));
  got = [];
  answer = (res) => res.end('ok');
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const message: Message = {
  level: 'critical',
  text: 'web-1 is wedged: "no\\space" <!channel> @all *b* ä',
  lines: ['web-1: shop exit code 1', 'web-2: <x>'],
  host: 'control-1',
  at: Date.UTC(2026, 0, 2, 3, 4, 5),
};

const NO_FILES: Omit<WebChannel, 'url'> = { urlFile: null, tokenFile: null, headersFile: null, tlsCa: null };

function channel(config: Partial<ChannelConfig> & Pick<ChannelConfig, 'kind'>, timeoutMs = 5_000) {
  const full = { level: 'critical', template: null, url: `${base}/hook/s3cr3t-path`, ...NO_FILES, ...config };
  const [one] = openChannels([full as ChannelConfig], { env: {}, now: () => message.at, timeoutMs });
  return one!;
}

function inFile(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

describe('what each service gets', () => {
  test('a webhook without a template gets the message as JSON', async () => {
    expect(await channel({ kind: 'webhook' }).send(message)).toEqual({ ok: true });
    expect(got[0]).toMatchObject({
      url: '/hook/s3cr3t-path',
      headers: { 'content-type': 'application/json; charset=utf-8' },
    });
    expect(JSON.parse(got[0]!.body)).toEqual({ ...message, at: '2026-01-02T03:04:05.000Z' });
  });

  test('a template is filled so that its JSON stays JSON', async () => {
    const text = '{"m": "{level}: {text}", "l": "{lines}", "all": {json}, "who": "{host}"}';
    await channel({ kind: 'webhook', template: { text } }).send(message);
    expect(JSON.parse(got[0]!.body)).toEqual({
      m: `critical: ${message.text}`,
      l: message.lines.join('\n'),
      all: { ...message, at: '2026-01-02T03:04:05.000Z' },
      who: 'control-1',
    });
  });

  test('a template may be any other text, and lie in a file', async () => {
    const file = inFile('template', 'news: {text}');
    await channel({ kind: 'webhook', template: { file } }).send({ ...message, text: 'x' });
    expect(got[0]).toMatchObject({
      body: 'news: x',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
    });
  });

  test('Slack shows what hosts say, and takes no orders from it', async () => {
    await channel({ kind: 'slack' }).send(message);
    expect(JSON.parse(got[0]!.body)).toEqual({
      text: '[critical] web-1 is wedged: "no\\space" &lt;!channel&gt; @all *b* ä\nweb-1: shop exit code 1\nweb-2: &lt;x&gt;',
      mrkdwn: false,
    });
  });

  test('Mattermost formats nothing and calls nobody', async () => {
    await channel({ kind: 'mattermost' }).send(message);
    const { text } = JSON.parse(got[0]!.body) as { text: string };
    expect(text.split('\n')[0]).toBe(
      '\\[critical\\] web-1 is wedged: "no\\\\space" <!channel\\> @\u200Ball \\*b\\* ä',
    );
  });

  test('ntfy gets title, priority and tags, whatever the letters', async () => {
    await channel({ kind: 'ntfy' }).send(message);
    const { headers, body } = got[0]!;
    expect(headers).toMatchObject({ priority: 'high', tags: 'warning' });
    const words = String(headers.title)
      .split(' ')
      .map((word) => /^=\?UTF-8\?B\?(.*)\?=$/.exec(word)![1]!);
    expect(words.map((word) => Buffer.from(word, 'base64').toString('utf8')).join('')).toBe(message.text);
    expect(body).toBe(message.lines.join('\n'));
    await channel({ kind: 'ntfy' }).send({ ...message, level: 'chatty', text: 'web-2 joined', lines: [] });
    expect(got[1]).toMatchObject({
      headers: { title: 'web-2 joined', priority: 'low', tags: 'information_source' },
      body: 'web-2 joined',
    });
  });

  test('URL, token and headers come from files', async () => {
    const urlFile = inFile('url', `${base}/from-file\n`);
    const tokenFile = inFile('token', 'tk_0123456789\n');
    const headersFile = inFile('headers', '# mine\nX-Team: ops\n');
    expect(await channel({ kind: 'ntfy', url: null, urlFile, tokenFile, headersFile }).send(message)).toEqual(
      { ok: true },
    );
    expect(got[0]).toMatchObject({
      url: '/from-file',
      headers: { authorization: 'Bearer tk_0123456789', 'x-team': 'ops' },
    });
  });

  test.each([
    ['url', { urlFile: '/nonexistent/url', url: null }, 'cannot read /nonexistent/url (ENOENT)'],
    ['token', { tokenFile: '/nonexistent/token' }, 'cannot read /nonexistent/token (ENOENT)'],
  ])('a %s file that cannot be read is said so', async (_, files, why) => {
    expect(await channel({ kind: 'slack', ...files }).send(message)).toEqual({
      ok: false,
      why,
      retryAfterMs: null,
    });
  });

  test('a header that would begin another one is refused, without being shown', async () => {
    const tokenFile = inFile('token', 'se\r\ncret');
    expect(await channel({ kind: 'slack', tokenFile }).send(message)).toEqual({
      ok: false,
      why: `expected one line of printable ASCII in ${tokenFile}, found something else`,
      retryAfterMs: null,
    });
    expect(got).toEqual([]);
  });
});

describe('a service that fails', () => {
  test('says why, and repeats no secret', async () => {
    const tokenFile = inFile('token', 'tk_0123456789');
    answer = (res, req) => {
      res.statusCode = 500;
      res.end(`no luck with ${req.url} and ${req.headers.authorization}\u001b[31m`);
    };
    expect(await channel({ kind: 'slack', tokenFile }).send(message)).toEqual({
      ok: false,
      why: 'status 500: no luck with *** and ***\\x1b[31m',
      retryAfterMs: null,
    });
  });

  test('is asked again when it wants to be', async () => {
    answer = (res) => res.writeHead(429, { 'Retry-After': '120' }).end();
    expect(await channel({ kind: 'slack' }).send(message)).toEqual({
      ok: false,
      why: 'status 429',
      retryAfterMs: 120_000,
    });
  });

  test('sends nobody elsewhere', async () => {
    answer = (res) => res.writeHead(302, { Location: `${base}/other` }).end();
    expect(await channel({ kind: 'slack' }).send(message)).toMatchObject({ ok: false, why: 'status 302' });
    expect(got.length).toBe(1);
  });

  test('and never answers, is left at the deadline', async () => {
    answer = () => {};
    expect(await channel({ kind: 'slack' }, 200).send(message)).toMatchObject({
      ok: false,
      why: 'no answer within 0.2 s',
    });
  });

  test('and closes the connection has not taken it', async () => {
    answer = (res) => res.socket?.destroy();
    expect(await channel({ kind: 'slack' }).send(message)).toMatchObject({
      ok: false,
      why: 'socket hang up',
    });
    // Whether it was taken is not known; a second try is the queue's.
    expect(got.length).toBe(1);
  });

  test('or is not there at all', async () => {
    const one = channel({ kind: 'slack', url: 'http://127.0.0.1:9/s3cr3t' });
    const sent = await one.send(message);
    expect(sent).toMatchObject({ ok: false, why: expect.stringContaining('ECONNREFUSED') });
    expect(JSON.stringify([sent, one.name])).not.toContain('s3cr3t');
    expect(one.name).toBe('channel 1 (slack at 127.0.0.1:9)');
  });

  test('is left when we end', async () => {
    answer = () => {};
    const end = new AbortController();
    const sending = channel({ kind: 'slack' }).send(message, end.signal);
    end.abort();
    expect(await sending).toMatchObject({ ok: false, why: 'it was cut off' });
  });
});
