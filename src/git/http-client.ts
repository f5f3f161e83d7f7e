/** node:http and node:https, for all that our own wire does not speak: proxies, and answers in an unusual shape. */
import type { Agent, RequestOptions } from 'node:http';
import { isIP, type Socket } from 'node:net';
import {
  type Aborts,
  type HttpOutcome,
  type HttpRequest,
  lookingUp,
  type SendOptions,
  sendOnce,
} from './http-request.ts';
import type { TlsOptions } from './http-tls.ts';
import type { ProxySettings } from './proxy.ts';
import type { RemoteUrl } from './remote-url.ts';

/** Longer than Node's 250 ms: far servers exist. */
const ADDRESS_ATTEMPT_MS = 2_000;

/** How long one address of a name is tried before the next: several must have their turn before the deadline of the question. */
export function addressAttemptMs(timeoutMs: number): number {
  return Math.min(ADDRESS_ATTEMPT_MS, Math.ceil(timeoutMs / 4));
}

export interface HttpClient {
  send(request: HttpRequest, o: SendOptions): Promise<HttpOutcome>;
  close(): void;
}

export async function openHttpClient(
  origin: RemoteUrl,
  o: { proxy: ProxySettings | null; tls: TlsOptions | null; timeoutMs: number; aborts: Aborts },
): Promise<HttpClient> {
  const isTls = o.tls !== null;
  const { request, Agent } = isTls ? await import('node:https') : await import('node:http');
  const agentOptions = {
    keepAlive: true,
    maxSockets: 2,
    maxFreeSockets: 1,
    autoSelectFamilyAttemptTimeout: addressAttemptMs(o.timeoutMs),
    ...o.tls,
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

  const hostHeader = new URL(origin.text).host;
  const base: RequestOptions = {
    agent,
    host: viaProxy?.host ?? origin.host,
    port: viaProxy?.port ?? origin.port ?? (isTls ? 443 : 80),
    setHost: false,
  };
  const absolute = viaProxy === null ? '' : `http://${hostHeader}`;
  const common = ['Host', hostHeader, ...(viaProxy === null ? [] : proxyAuthorization(viaProxy))];
  // The headers of a request object, complete, made once for it.
  const complete = new WeakMap<HttpRequest, RequestOptions>();

  function optionsOf(what: HttpRequest): RequestOptions {
    let options = complete.get(what);
    if (options === undefined) {
      const headers = [...common, ...what.headers];
      if (what.body === null) headers.push('Accept-Encoding', 'gzip');
      else headers.push('Content-Length', String(Buffer.byteLength(what.body)));
      // A flat list is written as it is: Node neither copies nor inspects it.
      options = { ...base, method: what.method, path: absolute + what.path, headers };
      complete.set(what, options);
    }
    return options;
  }

  return {
    async send(what, sendOptions) {
      const options = optionsOf(what);
      const first = await sendOnce(request, options, what.body, sendOptions, o.aborts);
      // A kept connection that the server had closed in the meantime says nothing about the server.
      if (first !== 'stale') return first;
      for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
      const second = await sendOnce(request, options, what.body, sendOptions, o.aborts);
      if (second !== 'stale') return second;
      const error = new Error('the connection was closed twice');
      return { failure: { why: 'error', phase: 'waiting', error } };
    },
    close: () => agent.destroy(),
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

export function proxyAuthorization(proxy: ProxySettings): string[] {
  if (proxy.username === null) return [];
  const pair = `${proxy.username}:${proxy.password ?? ''}`;
  return ['Proxy-Authorization', `Basic ${Buffer.from(pair).toString('base64')}`];
}
