/**
 * The first line of a server, before the client gets the connection: so that each way in which a server cannot be reached has its own
 * name, and because a client that waits in vain for this line would leave its socket behind.
 */
import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import { printable } from '../model/printable.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { troubleOfNats } from './nats-trouble.ts';

export interface NatsServer {
  readonly host: string;
  readonly port: number;
  /** `tls://`: nothing is said without it. */
  readonly isTls: boolean;
}

export interface Greeting {
  /** The address that answered. */
  readonly address: string;
  readonly needsTls: boolean;
  /** It lets nobody in without a certificate. */
  readonly asksForCertificate: boolean;
  /** How many servers the cluster has, as far as this one tells. */
  readonly servers: number;
}

const LINE_MAX_BYTES = 64 * 1024;
const ADDRESSES_MAX = 4;

/** @param url As in host.yaml. */
export function parseServer(url: string): NatsServer {
  const { hostname, port, protocol } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 4222), isTls: protocol === 'tls:' };
}

export function placeOf({ host, port }: NatsServer): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Each address of the server, until one answers. */
export async function greet(
  server: NatsServer,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Result<Greeting>> {
  const doing = { place: placeOf(server), what: 'to answer' };
  let addresses: string[];
  try {
    const found = await within(lookup(server.host, { all: true }), timeoutMs);
    if (found === null)
      return fail(
        trouble('dns', `expected the address of ${doing.place}, found none in time`, { remote: doing.place }),
      );
    addresses = found.map(({ address }) => address).slice(0, ADDRESSES_MAX);
  } catch (error) {
    return fail(troubleOfNats(error, doing));
  }
  let answer: Result<Greeting> | null = null;
  for (const address of addresses) {
    answer = await greetAddress(server, address, timeoutMs, signal);
    if (answer.ok) break;
  }
  return (
    answer ??
    fail(trouble('dns', `expected an address of ${doing.place}, found none`, { remote: doing.place }))
  );
}

function greetAddress(
  server: NatsServer,
  address: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Result<Greeting>> {
  const place = placeOf(server);
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: server.port });
    let text = '';
    let isConnected = false;
    const end = (answer: Result<Greeting>) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(answer);
    };
    const failed = (code: 'unreachable' | 'silent' | 'server-error', found: string) =>
      end(fail(trouble(code, `expected ${place} to greet as NATS does, found ${found}`, { remote: place })));
    const timer = setTimeout(
      () => (isConnected ? failed('silent', 'silence') : failed('unreachable', 'no connection in time')),
      timeoutMs,
    );
    const onAbort = () => failed('unreachable', 'that we were stopped');
    signal.addEventListener('abort', onAbort, { once: true });
    socket.setEncoding('latin1');
    socket.once('connect', () => {
      isConnected = true;
    });
    socket.on('error', (error) => end(fail(troubleOfNats(error, { place, what: 'to answer' }))));
    socket.on('close', () => failed('unreachable', 'that it closed the connection'));
    socket.on('data', (data: string) => {
      text += data;
      const line = /^INFO (\{.*\})\s*\r?\n/.exec(text);
      if (line !== null) return end(parseGreeting(line[1]!, address, place));
      if (!'INFO '.startsWith(text.slice(0, 5)) || text.length > LINE_MAX_BYTES)
        failed('server-error', `another answer ("${printable(text, 60)}")`);
    });
  });
}

function parseGreeting(json: string, address: string, place: string): Result<Greeting> {
  try {
    const info = JSON.parse(json) as {
      tls_required?: unknown;
      tls_verify?: unknown;
      tls_available?: unknown;
      connect_urls?: unknown;
    };
    const urls = Array.isArray(info.connect_urls) ? info.connect_urls.length : 1;
    return ok({
      address,
      needsTls: info.tls_required === true,
      asksForCertificate: info.tls_verify === true,
      servers: Math.max(1, urls),
    });
  } catch {
    return fail(
      trouble('server-error', `expected ${place} to greet as NATS does, found no JSON`, { remote: place }),
    );
  }
}

/** null: it did not come in time. */
async function within<T>(work: Promise<T>, ms: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
