/** The plain shape of an HTTP/1.1 answer: pure. Whatever else HTTP allows is `unusual`, and left to node:http. */

export interface AnswerHead {
  readonly status: number;
  /** Name, value, name, value, ... as they came. */
  readonly rawHeaders: readonly string[];
  /** The connection can be used again. */
  readonly isKept: boolean;
  /** Where the body begins. */
  readonly start: number;
  /** Of the body; null: it comes in chunks that tell their own. */
  readonly length: number | null;
}

/** `incomplete`: what came so far is the beginning of a plain answer. `unusual`: it is not. */
export type NotYet = 'incomplete' | 'unusual';

const HEAD_MAX_BYTES = 16 * 1024;
const VERSION = 'HTTP/1.1 ';

/** @param bytes Of which the first `end` came. */
export function parseHead(bytes: Buffer, end: number): AnswerHead | NotYet {
  const headEnd = bytes.indexOf('\r\n\r\n', 0, 'latin1');
  if (headEnd === -1 || headEnd + 4 > end) {
    const beginning = bytes.toString('latin1', 0, Math.min(end, VERSION.length));
    return VERSION.startsWith(beginning) && end <= HEAD_MAX_BYTES ? 'incomplete' : 'unusual';
  }
  if (headEnd > HEAD_MAX_BYTES) return 'unusual';
  const lines = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const status = statusOf(lines[0]!);
  if (status === null) return 'unusual';
  const rawHeaders: string[] = [];
  let length: number | null = null;
  let isChunked = false;
  let isKept = true;
  for (let n = 1; n < lines.length; n += 1) {
    const line = lines[n]!;
    const colon = line.indexOf(':');
    // A line that goes on with the next one begins with a space.
    if (colon < 1 || line.charCodeAt(0) <= 0x20 || line.charCodeAt(colon - 1) <= 0x20) return 'unusual';
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    rawHeaders.push(name, value);
    switch (name.toLowerCase()) {
      case 'content-length':
        if (length !== null || !/^\d{1,9}$/.test(value)) return 'unusual';
        length = Number(value);
        break;
      case 'transfer-encoding':
        if (isChunked || value.toLowerCase() !== 'chunked') return 'unusual';
        isChunked = true;
        break;
      case 'connection':
        isKept = isKept && value.toLowerCase() === 'keep-alive';
        break;
      case 'content-encoding':
      case 'trailer':
      case 'upgrade':
        return 'unusual';
    }
  }
  // Both, or neither: the end of the body would be a matter of opinion.
  if (isChunked === (length !== null)) return 'unusual';
  return { status, rawHeaders, isKept, start: headEnd + 4, length };
}

/** Those that have a body. */
function statusOf(line: string): number | null {
  if (!line.startsWith(VERSION) || (line.length > 12 && line[12] !== ' ')) return null;
  const status = Number(line.slice(9, 12));
  return status >= 200 && status < 600 && status !== 204 && status !== 304 ? status : null;
}

/** The whole body, decoded. Nothing may follow it: nothing else was asked. */
export function parseBody(bytes: Buffer, end: number, head: AnswerHead): Buffer | NotYet {
  const { start, length } = head;
  if (length === null) return joinChunks(bytes, start, end);
  if (end < start + length) return 'incomplete';
  return end === start + length ? bytes.subarray(start, end) : 'unusual';
}

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const LENGTH_MAX_DIGITS = 7;

function joinChunks(bytes: Buffer, start: number, end: number): Buffer | NotYet {
  let only: Buffer | null = null;
  let chunks: Buffer[] | null = null;
  for (let at = start; ; ) {
    let length = 0;
    let digits = 0;
    for (; at < end && bytes[at] !== CARRIAGE_RETURN; at += 1, digits += 1) {
      const digit = hexValue(bytes[at]!);
      if (digit === -1 || digits === LENGTH_MAX_DIGITS) return 'unusual';
      length = length * 16 + digit;
    }
    if (at < end && digits === 0) return 'unusual';
    if (at + 1 < end && bytes[at + 1] !== LINE_FEED) return 'unusual';
    const content = at + 2;
    at = content + length + 2;
    if (at > end) return 'incomplete';
    if (bytes[at - 2] !== CARRIAGE_RETURN || bytes[at - 1] !== LINE_FEED) return 'unusual';
    if (length === 0) {
      if (at !== end) return 'unusual';
      return chunks === null ? (only ?? bytes.subarray(0, 0)) : Buffer.concat(chunks);
    }
    const chunk = bytes.subarray(content, at - 2);
    if (only === null) only = chunk;
    else if (chunks === null) chunks = [only, chunk];
    else chunks.push(chunk);
  }
}

function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 0x20;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
