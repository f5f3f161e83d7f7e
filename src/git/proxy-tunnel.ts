/**
 * TLS through a proxy: CONNECT, then the handshake inside. Our own few lines over node:http, because the libraries for
 * it bring an agent of their own, and ours must keep its connection.
 */
import type { Agent } from 'node:http';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { proxyAuthorization } from './http-client.ts';
import { ProxyError } from './http-trouble.ts';
import type { ProxySettings } from './proxy.ts';
import { hostWithPort, type RemoteUrl } from './remote-url.ts';

type Callback = (error: Error | null, socket?: Socket) => void;

/** From now on every new connection of `agent` goes through the proxy. */
export function tunnelThrough(
  agent: Agent,
  origin: RemoteUrl,
  proxy: ProxySettings,
  timeoutMs: number,
): void {
  const target = origin.port === null ? `${hostWithPort(origin)}:443` : hostWithPort(origin);
  (agent as unknown as { createConnection: unknown }).createConnection = (
    options: object,
    callback: Callback,
  ) => {
    openTunnel(target, proxy, timeoutMs).then(
      (socket) => callback(null, connectTls({ ...options, socket })),
      (error: Error) => callback(error),
    );
  };
}

async function openTunnel(target: string, proxy: ProxySettings, timeoutMs: number): Promise<Socket> {
  const { request } = proxy.scheme === 'https:' ? await import('node:https') : await import('node:http');
  return new Promise((resolve, reject) => {
    const fail = (found: string, status: number | null, cause?: unknown) =>
      reject(new ProxyError(`expected a way through the proxy ${proxy.url}, found: ${found}`, status, cause));
    const req = request({
      host: proxy.host,
      port: proxy.port,
      method: 'CONNECT',
      path: target,
      headers: ['Host', target, ...proxyAuthorization(proxy)],
      agent: false,
      timeout: timeoutMs,
    });
    req.on('connect', (response, socket, head) => {
      if (response.statusCode === 200 && head.length === 0) {
        socket.setTimeout(0);
        return resolve(socket);
      }
      socket.destroy();
      fail(`status ${response.statusCode}`, response.statusCode ?? null);
    });
    req.on('response', (response) => {
      req.destroy();
      fail(`status ${response.statusCode}`, response.statusCode ?? null);
    });
    req.on('timeout', () => req.destroy(new Error('silence')));
    req.on('error', (error) => fail(error.message, null, error));
    req.end();
  });
}
