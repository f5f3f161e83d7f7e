/** One request on a kept connection: sent, its answer taken piece by piece, ended at its deadline. No copies, one timer. */

import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { monotonicMs } from '../system/clock.ts';
import type { HttpFailure, HttpPhase } from './http-trouble.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  /** Path and query. */
  readonly path: string;
  /** Name, value, name, value, ... `Host` and, for a proxy, its authorization are added. */
  readonly headers: readonly string[];
  readonly body: string | Buffer | null;
}

export interface SendOptions {
  /** Of `monotonicMs()`. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
  /**
   * Takes the body of a 200 (decoded) piece by piece. `true`: enough, the answer is complete for us; what still comes is
   * awaited and thrown away so that the connection can be kept, unless it is much.
   */
  readonly onBody: (chunk: Buffer) => boolean;
}

export interface HttpAnswer {
  readonly status: number;
  /** Name, value, ... as they came: an idle probe looks at two of them only. See `rawHeader`. */
  readonly rawHeaders: readonly string[];
  /** The beginning of a body that was not handed to `onBody`. */
  readonly said: string;
}

export type HttpOutcome = HttpAnswer | { readonly failure: HttpFailure };

/** One list of refs, unpacked. */
const BODY_MAX_BYTES = 32 * 1024 * 1024;
/** Read after the answer is known, so that the connection can be kept. */
const REST_MAX_BYTES = 64 * 1024;
const SAID_MAX_BYTES = 1024;

/** What to call when the signal is aborted. Listens once per signal, not once per request: that is what costs. */
export interface Aborts extends Set<() => void> {
  listenTo(signal: AbortSignal | undefined): void;
}

export function createAborts(): Aborts {
  const set = new Set<() => void>();
  let current: AbortSignal | undefined;
  const onAbort = () => {
    for (const abort of set) abort();
  };
  return Object.assign(set, {
    listenTo(signal: AbortSignal | undefined) {
      if (signal === current) return;
      current?.removeEventListener('abort', onAbort);
      current = signal;
      current?.addEventListener('abort', onAbort, { once: true });
    },
  });
}

/** `stale`: the connection was closed by the server before it saw the question. Worth a second try on a new one. */
export function sendOnce(
  request: (options: RequestOptions) => ClientRequest,
  options: RequestOptions,
  body: string | Buffer | null,
  o: SendOptions,
  aborts: Aborts,
): Promise<HttpOutcome | 'stale'> {
  return new Promise((resolve) => {
    const req = request(options);
    let answer: IncomingMessage | null = null;
    let settled = false;
    /** `onBody` has all that it wants: from now on nothing can go wrong, only the connection be lost. */
    let done = false;
    let received = 0;
    let said = '';

    const settle = (outcome: HttpOutcome | 'stale') => {
      if (settled) return;
      settled = true;
      aborts.delete(onAbort);
      resolve(outcome);
    };
    const giveUp = (why: HttpFailure['why'], error: Error | null = null) => {
      clearTimeout(timer);
      if (done && answer) settle(answered(answer));
      else settle({ failure: { why, phase: phaseOf(req, answer), error } });
      req.destroy();
    };
    const answered = (res: IncomingMessage): HttpAnswer => ({
      status: res.statusCode ?? 0,
      rawHeaders: res.rawHeaders,
      said,
    });
    const onAbort = () => giveUp('aborted');
    const timer = setTimeout(giveUp, Math.max(1, o.deadline - monotonicMs()), 'deadline');

    req.on('error', (error) => {
      if (answer === null && req.reusedSocket && isReset(error)) {
        clearTimeout(timer);
        settle('stale');
      } else giveUp('error', error);
    });
    req.on('response', (res) => {
      answer = res;
      const isWanted = res.statusCode === 200;
      done = !isWanted;
      const onData = (chunk: Buffer) => {
        received += chunk.length;
        if (done) {
          if (!isWanted && said.length < SAID_MAX_BYTES) said += chunk.toString('latin1', 0, SAID_MAX_BYTES);
          if (received > REST_MAX_BYTES) giveUp('too-large');
        } else if (o.onBody(chunk)) {
          received = 0;
          done = true;
        } else if (received > BODY_MAX_BYTES) giveUp('too-large');
      };
      const onEnd = () => {
        clearTimeout(timer);
        settle(answered(res));
      };
      const onBodyError = (error: Error) => giveUp('error', error);
      res.on('error', onBodyError);
      const encoding = rawHeader(res.rawHeaders, 'content-encoding');
      if (isWanted && (encoding === 'gzip' || encoding === 'x-gzip')) {
        import('node:zlib').then(({ createGunzip }) => {
          res.pipe(createGunzip()).on('data', onData).on('end', onEnd).on('error', onBodyError);
        }, onBodyError);
      } else {
        res.on('data', onData).on('end', onEnd);
      }
    });
    if (o.signal?.aborted) return onAbort();
    aborts.add(onAbort);
    if (body === null) req.end();
    else req.end(body);
  });
}

function phaseOf(req: ClientRequest, answer: IncomingMessage | null): HttpPhase {
  if (answer !== null) return 'body';
  const socket = req.socket;
  if (!socket) return 'connect';
  if (!socket.connecting) return 'waiting';
  return lookingUp.has(socket) ? 'lookup' : 'connect';
}

/** Sockets that wait for the address of a name. */
export const lookingUp = new WeakSet<Socket>();

/** @param name In lower case. */
export function rawHeader(rawHeaders: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const candidate = rawHeaders[i]!;
    if (candidate.length === name.length && candidate.toLowerCase() === name) return rawHeaders[i + 1];
  }
  return undefined;
}

function isReset(error: Error & { code?: string }): boolean {
  return error.code === 'ECONNRESET' || error.code === 'EPIPE';
}
