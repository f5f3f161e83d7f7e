/** A TCP proxy of our own, in this process, whose faults are switched while it runs. */
import { once } from 'node:events';
import { createServer, connect as openSocket, type Server, type Socket } from 'node:net';

const RESET_AFTER_MS = 20;

export type Fault =
  | { readonly kind: 'pass' }
  /** Accepts and never answers; what the client sends is swallowed. */
  | { readonly kind: 'silence' }
  /** RST right after the connection is made. */
  | { readonly kind: 'reset' }
  /** Nobody listens. */
  | { readonly kind: 'refuse' }
  /** Answers arrive in pieces of `bytes`, one each `everyMs`: 1 byte a second by default. */
  | { readonly kind: 'dribble'; readonly bytes?: number; readonly everyMs?: number }
  /** After `bytes` of an answer the connection ends: in order, or with RST. */
  | { readonly kind: 'truncate'; readonly bytes: number; readonly how?: 'end' | 'reset' };

export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections accepted so far. */
  connections(): number;
  /** Connections that are open now: to see leaks. */
  open(): number;
  /** Bytes of answers that were let through, of all connections. */
  bytes(): number;
  /** Changes the fault. Connections that are open are cut (RST), so that none goes on under the old one. */
  set(fault: Fault): Promise<void>;
  close(): Promise<void>;
}

export interface FaultProxyOptions {
  /** Where it leads to: a port of the loopback. */
  readonly to: number;
  readonly fault?: Fault;
}

export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  let fault: Fault = options.fault ?? { kind: 'pass' };
  let accepted = 0;
  let passed = 0;
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    return socket;
  };
  const onConnection = (client: Socket) => {
    accepted += 1;
    track(client);
    if (fault.kind === 'reset') return reset(client);
    if (fault.kind === 'silence') return void client.resume();
    const server = track(openSocket({ port: options.to, host: '127.0.0.1' }));
    client.pipe(server);
    client.once('close', () => server.destroy());
    const count = (bytes: number) => {
      passed += bytes;
    };
    if (fault.kind === 'dribble') dribble(server, client, fault, count);
    else if (fault.kind === 'truncate') truncate(server, client, fault, count);
    else {
      server.on('data', (chunk: Buffer) => count(chunk.length));
      server.pipe(client);
    }
    server.once('error', () => reset(client));
  };
  let server: Server | null = await listen(onConnection, 0);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
  const { port } = address;
  const cut = () => {
    for (const socket of sockets) reset(socket);
  };
  const stopListening = async () => {
    if (!server) return;
    const closed = once(server, 'close');
    server.close();
    cut();
    await closed;
    server = null;
  };
  return {
    port,
    connections: () => accepted,
    open: () => sockets.size,
    bytes: () => passed,
    set: async (next) => {
      fault = next;
      cut();
      if (fault.kind === 'refuse') await stopListening();
      else server ??= await listen(onConnection, port);
    },
    close: stopListening,
    [Symbol.asyncDispose]: stopListening,
  };
}

function dribble(
  from: Socket,
  to: Socket,
  { bytes = 1, everyMs = 1_000 }: { bytes?: number; everyMs?: number },
  count: (bytes: number) => void,
): void {
  let waiting: Buffer = Buffer.alloc(0);
  from.on('data', (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    if (waiting.length > 64 * 1024) from.pause();
  });
  const timer = setInterval(() => {
    const piece = waiting.subarray(0, bytes);
    waiting = waiting.subarray(bytes);
    if (piece.length > 0) to.write(piece);
    count(piece.length);
    if (waiting.length <= 64 * 1024) from.resume();
    if (waiting.length === 0 && from.readableEnded) to.end();
  }, everyMs);
  to.once('close', () => clearInterval(timer));
}

function truncate(
  from: Socket,
  to: Socket,
  { bytes, how = 'end' }: { bytes: number; how?: 'end' | 'reset' },
  count: (bytes: number) => void,
): void {
  let left = bytes;
  from.on('data', (chunk: Buffer) => {
    const piece = chunk.subarray(0, left);
    left -= piece.length;
    count(piece.length);
    to.write(piece, () => {
      if (left > 0) return;
      // Later: libuv takes data and RST that arrive together for data and an orderly end.
      if (how === 'reset') setTimeout(() => reset(to), RESET_AFTER_MS);
      else to.end();
      from.destroy();
    });
  });
  from.once('end', () => {
    if (left > 0) to.end();
  });
}

/** RST and nothing else. Socket.resetAndDestroy() sends a FIN before it, which clients take for an orderly end. */
function reset(socket: Socket): void {
  Object.assign(socket, { resetAndClosing: true });
  socket.destroy();
}

async function listen(onConnection: (socket: Socket) => void, port: number): Promise<Server> {
  const server = createServer(onConnection).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
