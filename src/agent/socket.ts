/**
 * The agent's control socket: a Unix socket in the state folder, for the commands of this host. Not a network port. Whoever holds the
 * lock may replace a socket that a dead agent left.
 */

import { chmodSync, closeSync, openSync, rmSync, unlinkSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { basename, dirname, join } from 'node:path';
import type { AgentState } from './state-file.ts';

/** sun_path holds 108 bytes with its end. */
const PATH_MAX_BYTES = 107;

/** What the daemon answers. */
export interface AgentAnswer {
  readonly state: AgentState;
  readonly openRun: string | null;
}

export interface LookAnswer {
  /** The look's exit code; 5 when a run is open, and the look will follow it. */
  readonly exitCode: number;
  readonly message: string;
}

export interface SocketHandlers {
  state(): AgentAnswer;
  look(): Promise<LookAnswer>;
}

export interface AgentSocket {
  close(): void;
}

export function socketFile(stateFolder: string): string {
  return join(stateFolder, 'agent.sock');
}

/** @throws system errors of listening: the agent can live without a socket, and says so. */
export async function openSocket(stateFolder: string, handlers: SocketHandlers): Promise<AgentSocket> {
  const file = socketFile(stateFolder);
  rmSync(file, { force: true });
  const server: Server = createServer((incoming, outgoing) => {
    const reply = (status: number, body: unknown) => {
      outgoing.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
      outgoing.end(JSON.stringify(body));
    };
    incoming.resume();
    if (incoming.method === 'GET' && incoming.url === '/state') return reply(200, handlers.state());
    if (incoming.method === 'POST' && incoming.url === '/look') {
      handlers.look().then(
        (answer) => reply(200, answer),
        (error: unknown) => reply(500, { exitCode: 1, message: String(error) }),
      );
      return;
    }
    reply(404, { error: 'expected GET /state or POST /look' });
  });
  server.maxConnections = 64;
  server.requestTimeout = 10_000;
  const short = shortPath(file);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(short.path, resolve);
    });
  } finally {
    short.close();
  }
  chmodSync(file, 0o600);
  server.unref();
  return {
    close() {
      server.close();
      server.closeAllConnections();
      try {
        unlinkSync(file);
      } catch {
        // Gone already.
      }
    },
  };
}

/** Asks the agent of this host. @returns null when none answers: there is none, or it is just ending. */
export function askAgent<T>(
  stateFolder: string,
  method: 'GET' | 'POST',
  path: string,
  timeoutMs: number,
): Promise<T | null> {
  return new Promise((resolve) => {
    let short: ReturnType<typeof shortPath>;
    try {
      short = shortPath(socketFile(stateFolder));
    } catch {
      return resolve(null);
    }
    const done = (value: T | null) => {
      short.close();
      resolve(value);
    };
    const asking = request({ socketPath: short.path, method, path, timeout: timeoutMs }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      answer.on('end', () => {
        try {
          done(answer.statusCode === 200 ? (JSON.parse(text) as T) : null);
        } catch {
          done(null);
        }
      });
      answer.on('error', () => done(null));
    });
    asking.on('timeout', () => asking.destroy());
    asking.on('error', () => done(null));
    asking.end();
  });
}

/** A path too long for a socket is reached through a descriptor of its folder. */
function shortPath(file: string): { path: string; close(): void } {
  if (Buffer.byteLength(file) <= PATH_MAX_BYTES) return { path: file, close() {} };
  const fd = openSync(dirname(file), 'r');
  return { path: `/proc/${process.pid}/fd/${fd}/${basename(file)}`, close: () => closeSync(fd) };
}
