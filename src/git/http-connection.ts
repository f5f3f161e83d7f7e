/**
 * One kept-alive connection to one origin, directly or through a proxy. node:http and node:https are loaded when the
 * first request needs them. The idle probe passes here: one request object, one timer, no copies.
 */
import { readFileSync } from 'node:fs';
import type { Agent, RequestOptions } from 'node:http';
import { isIP, type Socket } from 'node:net';
import {
  createAborts,
  type HttpOutcome,
  type HttpRequest,
  lookingUp,
  type SendOptions,
  sendOnce,
} from './http-request.ts';
import type { ProxySettings } from './proxy.ts';
import type { RemoteUrl } from './remote-url.ts';

export interface TlsFiles {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

export interface HttpConnection {
  send(request: HttpRequest, o: SendOptions): Promise<HttpOutcome>;
  close(): void;
}

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
