/** Smart HTTP in this process: node:http in front of real git-http-backend, with a hook that may answer in its place. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { git, gitEnvironment } from './git.ts';

/** Answers in git's place: true when it did. */
export type Hook = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface SmartHttp extends AsyncDisposable {
  readonly port: number;
  url(path: string, host?: string): string;
  /** `METHOD path` of what was asked, oldest first. */
  readonly asked: string[];
  /** The headers Authorization of those, '' for none. */
  readonly authorizations: string[];
  /** Connections accepted so far. */
  connections(): number;
  /** Sockets that are open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** null: git answers. */
  hook: Hook | null;
  /** False: the server hides from git that the client speaks v2. */
  speaksV2: boolean;
}

export async function startSmartHttp(folder: string, tls: ServerOptions | null = null): Promise<SmartHttp> {
  const backend = `${await git(['--exec-path'])}/git-http-backend`;
  const sockets = new Set<Socket>();
  let accepted = 0;
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    self.asked.push(`${request.method} ${request.url}`);
    self.authorizations.push(request.headers.authorization ?? '');
    if (self.hook?.(request, response)) return void request.resume();
    runBackend(backend, folder, self.speaksV2, request, response);
  };
  const server: Server = tls === null ? createServer(onRequest) : createTlsServer(tls, onRequest);
  server.on('connection', (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const self: SmartHttp = {
    port,
    url: (path, host = '127.0.0.1') => `${tls === null ? 'http' : 'https'}://${host}:${port}/${path}`,
    asked: [],
    authorizations: [],
    connections: () => accepted,
    sockets,
    hook: null,
    speaksV2: true,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return self;
}

function runBackend(
  backend: string,
  folder: string,
  speaksV2: boolean,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const protocol = request.headers['git-protocol'];
  const child = spawn(backend, [], {
    env: {
      ...gitEnvironment,
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method ?? 'GET',
      PATH_INFO: decodeURIComponent(path),
      QUERY_STRING: query,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      ...(request.headers['content-length'] ? { CONTENT_LENGTH: request.headers['content-length'] } : {}),
      ...(request.headers['content-encoding']
        ? { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] }
        : {}),
      ...(speaksV2 && typeof protocol === 'string' ? { GIT_PROTOCOL: protocol } : {}),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => {});
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  child.stdout.on('data', (chunk: Buffer) => {
    if (response.headersSent) return void response.write(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return;
    for (const line of head.toString('latin1', 0, end).split('\r\n')) {
      const [name = '', ...value] = line.split(': ');
      if (name === 'Status') response.statusCode = Number.parseInt(value.join(': '), 10);
      else response.setHeader(name, value.join(': '));
    }
    response.write(head.subarray(end + 4));
  });
  child.stdout.on('end', () => response.end());
  response.on('close', () => child.kill('SIGKILL'));
}
