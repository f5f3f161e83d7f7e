/**
 * A git server for the demo and for tests: bare repositories below one folder, over HTTP, on the loopback only.
 *
 * Everybody on this machine may fetch and push: it asks for no name and no password, and it must never be reachable
 * from outside. It is not the hub. Each request starts `git http-backend` as a CGI program (a few processes and some
 * ten milliseconds each), so it is right for a handful of hosts. Limits: so many requests at once, the rest get 503;
 * a deadline for each.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';

export interface GitServerOptions {
  /** Absolute. `/it.git/...` of a URL means the bare repository `it.git` in here. */
  readonly folder: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Requests that run at once; default 16. */
  readonly requestsMax?: number;
  /** Of one request, from its first byte to the last of the answer; default 60 s. */
  readonly requestTimeoutMs?: number;
}

export interface GitServer extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:PORT/PATH`. */
  url(path?: string): string;
  /** Ends what is open, then resolves when the last child is gone. */
  close(): Promise<void>;
}

/** `/<repository>.git/<one of the files of the smart protocol>`: everything else is not found. */
const SERVED = /^\/[A-Za-z0-9][A-Za-z0-9._-]*\.git\/(?:info\/refs|git-upload-pack|git-receive-pack)$/;
const HEADER_MAX_BYTES = 64 * 1024;
const METHODS = ['GET', 'POST'];

/** @throws the system's error (EADDRINUSE) when the port is taken. */
export async function startGitServer(options: GitServerOptions): Promise<GitServer> {
  const { requestsMax = 16, requestTimeoutMs = 60_000 } = options;
  const children = new Set<ChildProcessWithoutNullStreams>();
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
    if (!METHODS.includes(request.method ?? '')) return refuse(request, response, 405);
    if (!SERVED.test(pathname)) return refuse(request, response, 404);
    if (children.size >= requestsMax) return refuse(request, response, 503, { 'Retry-After': '1' });
    const child = spawn('git', ['http-backend'], {
      detached: true,
      env: cgiEnvironment(request, options.folder, pathname, search),
    });
    children.add(child);
    const deadline = setTimeout(() => endGroup(child, 'SIGKILL'), requestTimeoutMs);
    child.once('error', () => children.delete(child));
    // Not its 'close': that waits for output that nobody may be left to read.
    child.once('exit', () => {
      clearTimeout(deadline);
      children.delete(child);
    });
    answer(request, response, child);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const port = await listen(server, options.port ?? 0);
  const close = async () => {
    const ends = [...children].map((child) => once(child, 'exit'));
    const closed = server.listening ? once(server, 'close') : null;
    server.close();
    for (const child of children) endGroup(child, 'SIGKILL');
    for (const socket of sockets) socket.destroy();
    await Promise.all([...ends, closed]);
  };
  return {
    port,
    url: (path = '') => `http://127.0.0.1:${port}/${path}`,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function cgiEnvironment(request: IncomingMessage, folder: string, pathname: string, search: string) {
  const header = (name: string) => [request.headers[name] ?? ''].flat().join(', ');
  return {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    LC_ALL: 'C',
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    // Anonymous push is off by default in git; on a loopback server for a demo it is the point.
    GIT_CONFIG_COUNT: '3',
    GIT_CONFIG_KEY_0: 'http.receivepack',
    GIT_CONFIG_VALUE_0: 'true',
    GIT_CONFIG_KEY_1: 'uploadpack.allowAnySHA1InWant',
    GIT_CONFIG_VALUE_1: 'true',
    GIT_CONFIG_KEY_2: 'uploadpack.allowFilter',
    GIT_CONFIG_VALUE_2: 'true',
    GIT_HTTP_EXPORT_ALL: '',
    GIT_PROJECT_ROOT: folder,
    PATH_INFO: pathname,
    PATH_TRANSLATED: join(folder, pathname),
    QUERY_STRING: search.slice(1),
    REQUEST_METHOD: request.method ?? 'GET',
    CONTENT_TYPE: header('content-type'),
    // A chunked body has no length; the backend then reads to the end of its input.
    ...(request.headers['content-length'] === undefined ? {} : { CONTENT_LENGTH: header('content-length') }),
    HTTP_CONTENT_ENCODING: header('content-encoding'),
    GIT_PROTOCOL: header('git-protocol'),
    REMOTE_ADDR: '127.0.0.1',
  };
}

/** Joins one request to one CGI child: its input, its header lines, then its output as it comes. */
function answer(
  request: IncomingMessage,
  response: ServerResponse,
  child: ChildProcessWithoutNullStreams,
): void {
  let head: Buffer = Buffer.alloc(0);
  const readHead = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1 && head.length <= HEADER_MAX_BYTES) return;
    child.stdout.off('data', readHead);
    if (end === -1) return endGroup(child, 'SIGKILL');
    const lines = head
      .toString('latin1', 0, end)
      .split('\r\n')
      .map((line) => line.split(/:\s*/, 2) as [string, string]);
    const status = lines.find(([name]) => name.toLowerCase() === 'status')?.[1];
    const headers = lines.filter(([name]) => name.toLowerCase() !== 'status');
    response.writeHead(Number.parseInt(status ?? '200', 10), headers.flat());
    response.write(head.subarray(end + 4));
    child.stdout.pipe(response);
  };
  child.stdout.on('data', readHead);
  child.stderr.resume();
  child.stdin.on('error', () => {}); // It may answer without reading everything.
  request.pipe(child.stdin);
  response.once('close', () => {
    endGroup(child, 'SIGTERM');
    child.stdout.destroy();
  });
  const fail = () => (response.headersSent ? response.destroy() : refuse(request, response, 500));
  child.once('error', fail);
  child.once('exit', (exitCode) => {
    if (exitCode !== 0) fail();
  });
}

/** git starts further programs: the whole group has to go. */
function endGroup(child: ChildProcessWithoutNullStreams, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // Gone already: that is what we wanted.
  }
}

function refuse(request: IncomingMessage, response: ServerResponse, status: number, headers = {}): void {
  request.resume();
  response.writeHead(status, { 'Content-Type': 'text/plain', ...headers }).end(`${status}\n`);
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('expected a TCP address');
  return address.port;
}
