import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseBody, parseHead } from './http-answer.ts';

/** As if all had come: the body as text, or what kept it from being read. */
function parse(text: string | Buffer): string {
  const bytes = Buffer.from(text as string, 'latin1');
  const head = parseHead(bytes, bytes.length);
  if (typeof head === 'string') return head;
  const body = parseBody(bytes, bytes.length, head);
  return typeof body === 'string' ? body : `${head.status} ${body.toString('latin1')}`;
}

test('a body of a told length, and one in chunks, are read', () => {
  expect(parse('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n0000')).toBe('200 0000');
  expect(parse('HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n')).toBe('404 ');
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  expect(parse(`${chunked}4\r\nabcd\r\nA\r\n0123456789\r\n0\r\n\r\n`)).toBe('200 abcd0123456789');
  expect(parse(`${chunked}0\r\n\r\n`)).toBe('200 ');
});

test('headers are told as they came, and whether the connection is kept', () => {
  const bytes = Buffer.from(
    'HTTP/1.1 200 OK\r\nServer: x\r\nConnection: close\r\nA-b:  c d \r\nContent-Length: 0\r\n\r\n',
  );
  expect(parseHead(bytes, bytes.length)).toMatchObject({
    isKept: false,
    rawHeaders: ['Server', 'x', 'Connection', 'close', 'A-b', 'c d', 'Content-Length', '0'],
  });
});

test.each([
  ['another version', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['a status that announces another', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'],
  ['a status without a body', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'],
  ['neither length nor chunks', 'HTTP/1.1 200 OK\r\nServer: x\r\n\r\nbody'],
  [
    'length and chunks',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx'],
  ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx'],
  ['a huge length', 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx'],
  ['another encoding of the transfer', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
  ['an encoding of the content', 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx'],
  ['a header that goes on', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n'],
  ['a line without a colon', 'HTTP/1.1 200 OK\r\nnothing\r\nContent-Length: 0\r\n\r\n'],
  ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n'],
  [
    'a chunk with an extension',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n',
  ],
  ['a trailer', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n'],
  [
    'a chunk that is longer than it says',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n',
  ],
  ['an empty length of a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nx'],
  ['more than was asked', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy'],
  ['more behind the last chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nH'],
])('%s is unusual', (_, text) => {
  expect(parse(text)).toBe('unusual');
});

test('a head without end is unusual at last', () => {
  expect(parse(`HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(3_000)}`)).toBe('unusual');
});

test('every beginning of a plain answer is incomplete, and the whole is what was sent', () => {
  const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 4 });
  fc.assert(
    fc.property(chunks, fc.boolean(), (parts, isChunked) => {
      const body = Buffer.concat(parts);
      const framed = parts.map(
        (part) => `${part.length.toString(16)}\r\n${Buffer.from(part).toString('latin1')}\r\n`,
      );
      const text = isChunked
        ? `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${framed.join('')}0\r\n\r\n`
        : `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body.toString('latin1')}`;
      for (let end = 0; end < text.length; end += 1) {
        // What an earlier answer left in the buffer must not be read.
        const bytes = Buffer.from(`${text.slice(0, end)}x\r\n\r\n0\r\n\r\n`, 'latin1');
        const head = parseHead(bytes, end);
        expect(typeof head === 'string' ? head : parseBody(bytes, end, head)).toBe('incomplete');
      }
      expect(parse(text)).toBe(`200 ${body.toString('latin1')}`);
    }),
    { numRuns: 60 },
  );
});

test('no bytes crash it', () => {
  const piece = fc.constantFrom(
    'HTTP/1.1 ',
    '200',
    ' OK',
    '\r\n',
    ':',
    'Content-Length',
    'Transfer-Encoding',
    'chunked',
    '0',
    'f',
    ' ',
  );
  fc.assert(
    fc.property(
      fc.array(fc.oneof(piece, fc.string({ maxLength: 8 })), { maxLength: 30 }),
      (pieces) => void parse(pieces.join('')),
    ),
  );
});
