/** The hub on a socket: what listens, for how long it waits for whom, and how it stops. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { delay } from '../system/clock.ts';
import { takeExchange } from './exchange.ts';
import type { Hub } from './hub.ts';
import { createTlsFiles, type TlsPaths } from './tls-files.ts';

export interface ServeOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: TlsPaths | null;
  /** At once; one more is closed right away. */
  readonly connectionsMax?: number;
  readonly limits?: Partial<SocketLimits>;
}

export interface SocketLimits {
  /** For the head of a request, also of the first one. */
  readonly headMs: number;
  /** Between two requests on one connection: longer than the interval of most hosts. */
  readonly keptMs: number;
  /** Without a byte in either direction while a request is at work. */
  readonly silentMs: number;
  /** Between two looks at the files of TLS. */
  readonly tlsMs: number;
  /** For a small body to come. */
  readonly bodyMs: number;
}

export interface Serving {
  readonly port: number;
  /** Connections that are open. */
  connections(): number;
  /** Takes no more, lets what runs come to its end for so long, then ends it. Loses no push that git has got. */
  close(withinMs: number): Promise<void>;
}

const LIMITS: SocketLimits = {
  headMs: 15_000,
  keptMs: 125_000,
  silentMs: 180_000,
  bodyMs: 30_000,
  tlsMs: 10_000,
};
const CONNECTIONS_MAX = 20_000;
const HEAD_MAX_BYTES = 16 * 1024;

/** @throws the system's error (EADDRINUSE, EACCES) when the address cannot be taken; PullyuError for files of TLS. */
export async function serve(hub: Hub, o: ServeOptions): Promise<Serving> {
  const limits = { ...LIMITS, ...o.limits };
  const settings = {
    maxHeaderSize: HEAD_MAX_BYTES,
    headersTimeout: limits.headMs,
    // Large pushes take their time; what stands still is ended by `silentMs`.
    requestTimeout: 0,
    keepAliveTimeout: limits.keptMs,
    connectionsCheckingInterval: Math.min(5_000, limits.headMs),
  };
  const tls = o.tls === null ? null : createTlsFiles(o.tls);
  const server: Server =
    tls === null ? createServer(settings) : createTlsServer({ ...settings, ...tls.read() });
  const sockets = new Set<Socket>();
  let isStopping = false;
  const onRequest = (request: IncomingMessage, response: ServerResponse, mustContinue: boolean) => {
    if (isStopping) response.shouldKeepAlive = false;
    else response.once('close', () => isStopping && setImmediate(() => server.closeIdleConnections()));
    // What a client does to its own connection is no matter of ours.
    response.on('error', () => {});
    takeExchange(hub, request, response, { mustContinue, bodyMs: limits.bodyMs });
  };
  server.on('request', (request, response) => onRequest(request, response, false));
  server.on('checkContinue', (request, response) => onRequest(request, response, true));
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.maxConnections = o.connectionsMax ?? CONNECTIONS_MAX;
  server.setTimeout(limits.silentMs);
  server.listen({ port: o.port, host: o.host, backlog: 4_096 });
  await once(server, 'listening');
  const stopFollowing = tls?.follow((pair) => {
    if ('setSecureContext' in server && typeof server.setSecureContext === 'function')
      server.setSecureContext(pair);
  }, limits.tlsMs);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('expected a TCP address');
  return {
    port: address.port,
    connections: () => sockets.size,
    async close(withinMs) {
      isStopping = true;
      stopFollowing?.();
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const isDone = new AbortController();
      void closed.then(() => isDone.abort());
      await delay(withinMs, isDone.signal);
      const ended = hub.close();
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, ended]);
      // A push whose client has gone, and that git is about to finish.
      for (let waited = 0; hub.atWork > 0 && waited < withinMs; waited += 20) await delay(20);
    },
  };
}
