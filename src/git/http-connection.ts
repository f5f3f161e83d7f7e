/**
 * One kept-alive connection to one origin, directly or through a proxy. node:http and node:https are loaded when the
 * first request needs them. The idle probe passes here: one request object, one timer, no copies.
 */
import { readFileSync } from 'node:fs';
import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { HttpFailure, HttpPhase } from './http-trouble.ts';
import type { ProxySettings } from './proxy.ts';
import type { RemoteUrl } from './remote-url.ts';

export interface TlsFiles {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  /** Path and query. */
  readonly path: string;
  /** Name, value, name, value, ... `Host` and, for a proxy, its authorization are added. */
  readonly headers: readonly string[];
  readonly body: string | null;
}

export interface SendOptions {
  /** Of `performance.now()`. */
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

export interface HttpConnection {
  send(request: HttpRequest, o: SendOptions): Promise<HttpOutcome>;
  close(): void;
}

/** One list of refs, unpacked. */
const BODY_MAX_BYTES = 32 * 1024 * 1024;
/** Read after the answer is known, so that the connection can be kept. */
const REST_MAX_BYTES = 64 * 1024;
const SAID_MAX_BYTES = 1024;

/** @throws when a TLS file cannot be read or used: the caller names it. */
export async function openHttpConnection(
  origin: RemoteUrl,
  o: { proxy: ProxySettings | null; tls: TlsFiles; timeoutMs: number },
): Promise<HttpConnection> {
  const isTls = origin.protocol === 'https';
  const { request, Agent } = isTls ? await import('node:https') : await import('node:http');
  const agentOptions = {
    keepAlive: true,
    maxSockets: 2,
    maxFreeSockets: 1,
    // Longer than Node's 250 ms: far servers exist, and our own deadline is near.
    autoSelectFamilyAttemptTimeout: 2_000,
    ...(isTls ? await tlsOptions(origin, o.tls) : {}),
  };
  const agent = new Agent(agentOptions) as Agent & { getName: () => string };
  // All requests of this agent go to one place; Node's own name would be built anew for each of them.
  agent.getName = () => 'remote';
  const viaProxy = o.proxy !== null && !isTls ? o.proxy : null;
  if (o.proxy !== null && isTls) {
    const { tunnelThrough } = await import('./proxy-tunnel.ts');
    tunnelThrough(agent, origin, o.proxy, o.timeoutMs);
  }

  watchLookups(agent, viaProxy?.host ?? origin.host);

  const port = origin.port ?? (isTls ? 443 : 80);
  const hostHeader = new URL(origin.text).host;
  const base: RequestOptions = {
    agent,
    host: viaProxy?.host ?? origin.host,
    port: viaProxy?.port ?? port,
    setHost: false,
  };
  const absolute = viaProxy === null ? '' : `http://${hostHeader}`;
  const common = ['Host', hostHeader, ...(viaProxy === null ? [] : proxyAuthorization(viaProxy))];
  // The headers of a request object, complete, made once for it.
  const complete = new WeakMap<HttpRequest, RequestOptions>();
  const aborts = createAborts();

  function optionsOf(what: HttpRequest): RequestOptions {
    let options = complete.get(what);
    if (options === undefined) {
      const headers = [...common, ...what.headers];
      if (what.body !== null) headers.push('Content-Length', String(Buffer.byteLength(what.body)));
      // A flat list is written as it is: Node neither copies nor inspects it.
      options = { ...base, method: what.method, path: absolute + what.path, headers };
      complete.set(what, options);
    }
    return options;
  }

  return {
    async send(what, sendOptions) {
      const options = optionsOf(what);
      aborts.listenTo(sendOptions.signal);
      const first = await sendOnce(request, options, what.body, sendOptions, aborts);
      // A kept connection that the server had closed in the meantime says nothing about the server.
      if (first !== 'stale') return first;
      for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
      const second = await sendOnce(request, options, what.body, sendOptions, aborts);
      if (second !== 'stale') return second;
      const error = new Error('the connection was closed twice');
      return { failure: { why: 'error', phase: 'waiting', error } };
    },
    close() {
      aborts.listenTo(undefined);
      agent.destroy();
    },
  };
}

/** What to call when the signal is aborted. Listens once per signal, not once per request: that is what costs. */
interface Aborts extends Set<() => void> {
  listenTo(signal: AbortSignal | undefined): void;
}

function createAborts(): Aborts {
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

function sendOnce(
  request: (options: RequestOptions) => ClientRequest,
  options: RequestOptions,
  body: string | null,
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
    const timer = setTimeout(giveUp, Math.max(1, o.deadline - performance.now()), 'deadline');

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
const lookingUp = new WeakSet<Socket>();

function watchLookups(agent: Agent, host: string): void {
  if (isIP(host) !== 0) return;
  const connectable = agent as unknown as { createConnection: (...args: unknown[]) => Socket | undefined };
  const create = connectable.createConnection;
  connectable.createConnection = (...args) => {
    const socket = create.apply(agent, args);
    if (socket) {
      lookingUp.add(socket);
      socket.once('lookup', (error: Error | null) => {
        if (!error) lookingUp.delete(socket);
      });
    }
    return socket;
  };
}

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

/** The authorities of the system, as git uses them, where they are kept in one file. */
const SYSTEM_AUTHORITIES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

async function tlsOptions(origin: RemoteUrl, files: TlsFiles): Promise<object> {
  const { createSecureContext } = await import('node:tls');
  const secureContext = createSecureContext({
    ...(files.ca === null ? systemAuthorities() : { ca: readFileSync(files.ca) }),
    ...(files.cert === null ? {} : { cert: readFileSync(files.cert) }),
    ...(files.cert === null ? {} : { key: readFileSync(files.key ?? files.cert) }),
  });
  // No name for an address: TLS knows none.
  return { secureContext, servername: isIP(origin.host) === 0 ? origin.host : '' };
}

function systemAuthorities(): { ca?: Buffer } {
  for (const file of SYSTEM_AUTHORITIES) {
    try {
      return { ca: readFileSync(file) };
    } catch {
      // Kept elsewhere on this system.
    }
  }
  return {}; // Those that Node brings along.
}

export function proxyAuthorization(proxy: ProxySettings): string[] {
  if (proxy.username === null) return [];
  const pair = `${proxy.username}:${proxy.password ?? ''}`;
  return ['Proxy-Authorization', `Basic ${Buffer.from(pair).toString('base64')}`];
}
