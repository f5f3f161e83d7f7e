/** One request of node:http and its answer: the hub gets a Request and gives a Response. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { delay } from '../system/clock.ts';
import type { Hub } from './hub.ts';
import type { Question, QuickAnswer } from './quick-answer.ts';

/** A question of an idle host; longer ones take the long way. */
const SMALL_BODY_BYTES = 64 * 1024;
/** What a client that was refused may still send before it is cut off, so that it reads why. */
const LEFT_OVER_BYTES = 64 * 2 ** 20;
const LEFT_OVER_MS = 5_000;

export interface Taking {
  readonly mustContinue: boolean;
  readonly bodyMs: number;
}

/** What an idle host asks is answered before a Request is even made. Answers `response` in any case, now or later. */
export function takeExchange(hub: Hub, request: IncomingMessage, response: ServerResponse, o: Taking): void {
  if (!request.url?.startsWith('/')) return void response.writeHead(400, { Connection: 'close' }).end();
  const onBody = (body: Buffer | null) => {
    const answer = hub.answerAtOnce(questionOf(request, body));
    if (answer === null) goOn(hub, request, response, body, o);
    else send(response, answer);
  };
  if (!isSmall(request) || o.mustContinue) goOn(hub, request, response, null, o);
  else if (request.method === 'GET') onBody(null);
  else collect(request, response, o.bodyMs, onBody);
}

/** With a body that says how long it is, and that it is as it is. */
function isSmall(request: IncomingMessage): boolean {
  const { headers, method } = request;
  if (method === 'GET') return true;
  return (
    method === 'POST' &&
    headers['content-encoding'] === undefined &&
    headers['transfer-encoding'] === undefined &&
    Number(headers['content-length'] ?? Number.NaN) <= SMALL_BODY_BYTES
  );
}

function questionOf({ method, url, headers }: IncomingMessage, body: Buffer | null): Question {
  const protocol = headers['git-protocol'];
  return {
    method: method ?? '',
    target: url ?? '',
    authorization: headers.authorization ?? null,
    gitProtocol: typeof protocol === 'string' ? protocol : null,
    contentType: headers['content-type'] ?? null,
    body,
  };
}

function collect(
  request: IncomingMessage,
  response: ServerResponse,
  withinMs: number,
  then: (body: Buffer) => void,
): void {
  const pieces: Buffer[] = [];
  const timer = setTimeout(() => {
    response.writeHead(408, { Connection: 'close' }).end();
    request.destroy();
  }, withinMs);
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    clearTimeout(timer);
    then(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
  });
  request.on('close', () => clearTimeout(timer));
  request.on('error', () => {});
}

function send(response: ServerResponse, answer: QuickAnswer): void {
  response.writeHead(200, { ...answer.headers, 'Content-Length': answer.body.length }).end(answer.body);
}

/** The long way: a Request for the hub, and its Response as it comes. */
function goOn(
  hub: Hub,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer | null,
  o: Taking,
): void {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const hasBody = request.method !== 'GET' && request.method !== 'HEAD';
  const asked = requestOf(request, body ?? (hasBody ? bodyOf(request, response, o) : null), gone.signal);
  if (asked === null) return void response.writeHead(400, { Connection: 'close' }).end();
  hub
    .handle(asked, request.socket.remoteAddress ?? 'unknown')
    .then((answer) => pass(answer, request, response))
    // Only what fails in the middle of an answer gets here: it must not look like its end.
    .catch(() => response.destroy());
}

/** null for methods and headers that HTTP knows and the standard class does not take, such as TRACE. */
function requestOf(
  request: IncomingMessage,
  body: Buffer | ReadableStream<Uint8Array> | null,
  signal: AbortSignal,
): Request | null {
  try {
    return new Request(new URL(request.url ?? '/', 'http://hub'), {
      method: request.method ?? 'GET',
      headers: headersOf(request),
      signal,
      ...(body === null
        ? {}
        : { body: body instanceof Buffer ? new Uint8Array(body) : body, duplex: 'half' }),
    } as RequestInit);
  } catch {
    return null;
  }
}

function headersOf(request: IncomingMessage): [string, string][] {
  const { rawHeaders } = request;
  const pairs: [string, string][] = [];
  for (let n = 0; n < rawHeaders.length; n += 2) pairs.push([rawHeaders[n]!, rawHeaders[n + 1]!]);
  return pairs;
}

/** The client is told to go on when somebody wants its body, and not before. */
function bodyOf(request: IncomingMessage, response: ServerResponse, o: Taking): ReadableStream<Uint8Array> {
  const pieces = request.iterator({ destroyOnReturn: false });
  let isFirst = true;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (isFirst && o.mustContinue) response.writeContinue();
        isFirst = false;
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await pieces.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

async function pass(answer: Response, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const headers = Object.fromEntries(answer.headers);
  const isCutOff = !request.complete && request.method !== 'GET' && answer.status >= 400;
  if (isCutOff) headers.connection = 'close';
  if (answer.status >= 400) {
    const text = Buffer.from(await answer.arrayBuffer());
    response.writeHead(answer.status, { ...headers, 'Content-Length': text.length });
    if (request.method !== 'HEAD') response.write(text);
    // Who was too slow is not waited for again.
    if (isCutOff && answer.status !== 408) await throwAway(request);
    return void response.end();
  }
  response.writeHead(answer.status, headers);
  if (answer.body === null || request.method === 'HEAD') return void response.end();
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (response.destroyed) return void reader.cancel().catch(() => {});
    if (done) return void response.end();
    if (!response.write(value)) await drained(response);
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

/** Closing at once would make the kernel forget the answer that the client has not read yet. */
async function throwAway(request: IncomingMessage): Promise<void> {
  let bytes = 0;
  const enough = new AbortController();
  request.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > LEFT_OVER_BYTES) enough.abort();
  });
  for (const event of ['end', 'close', 'error']) request.once(event, () => enough.abort());
  request.resume();
  await delay(LEFT_OVER_MS, enough.signal);
}
