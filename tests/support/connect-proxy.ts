/** A small HTTP proxy as companies have them, in this process. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request as startRequest } from 'node:http';
import { connect as openSocket, type Socket } from 'node:net';

export interface ConnectProxy extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:PORT`, without the credentials that it may ask for. */
  readonly url: string;
  /** What was asked for, oldest first: `CONNECT host:port` or `GET http://host:port/...`. */
  requests(): string[];
  /** The Proxy-Authorization headers of those, '' for none. */
  authorizations(): string[];
  close(): Promise<void>;
}

/** An HTTP proxy as companies have them: CONNECT for https, absolute URLs for http; optionally with a password. */
export async function startConnectProxy(
  options: { readonly user?: string; readonly password?: string } = {},
): Promise<ConnectProxy> {
  const wanted =
    options.user === undefined
      ? null
      : `Basic ${Buffer.from(`${options.user}:${options.password ?? ''}`).toString('base64')}`;
  const seen: string[] = [];
  const authorizations: string[] = [];
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket.on('error', () => {});
  };
  const allowed = (request: IncomingMessage) => {
    const given = request.headers['proxy-authorization'] ?? '';
    seen.push(`${request.method} ${request.url}`);
    authorizations.push(given);
    return wanted === null || given === wanted;
  };
  const server = createServer((request, response) => {
    if (!allowed(request)) {
      request.resume();
      response.writeHead(407, { 'Proxy-Authenticate': 'Basic realm="proxy"' }).end();
      return;
    }
    const headers = { ...request.headers };
    delete headers['proxy-authorization'];
    delete headers['proxy-connection'];
    const onward = startRequest(request.url ?? '', { method: request.method ?? 'GET', headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.writeHead(502).end());
    request.pipe(onward);
  });
  server.on('connection', track);
  server.on('connect', (request, client: Socket) => {
    if (!allowed(request)) {
      client.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="proxy"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
      );
      return;
    }
    const [host, port] = (request.url ?? '').split(':');
    const onward = track(openSocket({ host: host ?? '', port: Number(port) }));
    onward.once('connect', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(onward).pipe(client);
    });
    onward.once('error', () => client.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'));
    client.once('close', () => onward.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
  const close = async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    requests: () => [...seen],
    authorizations: () => [...authorizations],
    close,
    [Symbol.asyncDispose]: close,
  };
}
