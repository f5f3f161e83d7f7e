/**
 * The agent's control socket: a Unix socket in the state folder, for the commands of this host. Not a network port. Whoever holds the
 * lock may replace a socket that a dead agent left.
 */

import { chmodSync, closeSync, openSync, rmSync, unlinkSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { basename, dirname, join } from 'node:path';
import type { ErrorCode, ExitCode } from '../errors.ts';
import type { Run } from '../model/run.ts';
import type { AgentState } from './state-file.ts';

/** sun_path holds 108 bytes with its end. */
const PATH_MAX_BYTES = 107;

/** What the daemon answers. */
export interface AgentAnswer {
  readonly state: AgentState;
  readonly openRun: string | null;
  /** Since when a person keeps runs from beginning, milliseconds since 1970. */
  readonly heldSince: number | null;
}

export interface LookAnswer {
  /** The look's exit code; 5 when a run is open, and the look will follow it. */
  readonly exitCode: ExitCode;
  readonly message: string;
}

/** How a run that a person asked for ended, or why there was none. */
export type RunAnswer =
  /** `run` null: the agent was told to end, and the run goes on without it. */
  | { readonly run: Run | null }
  | { readonly code: ErrorCode; readonly message: string; readonly hint: string | null };

export interface SocketHandlers {
  state(): AgentAnswer;
  look(): Promise<LookAnswer>;
  run(repo: string, action: string): Promise<RunAnswer>;
  /**
   * Starts no run until `released` settles, which it does when the asking process is gone, whatever it died of.
   * @returns false when a run is open.
   */
  hold(released: Promise<void>): Promise<boolean>;
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
    const [path, query] = (incoming.url ?? '/').split('?');
    if (incoming.method === 'POST' && path === '/run') {
      const asked = new URLSearchParams(query);
      const of = (name: string) => asked.get(name) ?? '';
      handlers.run(of('repo'), of('action')).then(
        (answer) => reply(200, answer),
        (error: unknown) => reply(500, { error: String(error) }),
      );
      return;
    }
    if (incoming.method === 'POST' && incoming.url === '/hold') {
      const released = new Promise<void>((resolve) => outgoing.once('close', resolve));
      handlers.hold(released).then(
        (held) => {
          if (!held) return reply(409, { error: 'a run is open' });
          // The answer stays open: its end is the end of the hold.
          outgoing.writeHead(200, { 'content-type': 'application/json' });
          outgoing.write('{}\n');
        },
        (error: unknown) => reply(500, { error: String(error) }),
      );
      return;
    }
    reply(404, { error: 'expected GET /state, POST /look, POST /run or POST /hold' });
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

/** The time for which the agent of this host starts no run. It ends with `release`, or with this process. */
export interface Hold {
  release(): void;
}

/** @returns `busy` when a run is open; null when no agent answers. */
export function holdAgent(stateFolder: string, timeoutMs: number): Promise<Hold | 'busy' | null> {
  return new Promise((resolve) => {
    let short: ReturnType<typeof shortPath>;
    try {
      short = shortPath(socketFile(stateFolder));
    } catch {
      return resolve(null);
    }
    const asking = request({ socketPath: short.path, method: 'POST', path: '/hold' });
    // Only until it is held: after that the connection is silent for as long as the person works.
    const deadline = setTimeout(() => asking.destroy(), timeoutMs);
    const done = (value: Hold | 'busy' | null) => {
      clearTimeout(deadline);
      short.close();
      resolve(value);
    };
    asking.on('response', (answer) => {
      answer.resume().on('error', () => {});
      if (answer.statusCode === 200) return done({ release: () => asking.destroy() });
      done(answer.statusCode === 409 ? 'busy' : null);
    });
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
