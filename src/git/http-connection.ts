/**
 * One kept-alive connection to one origin: over our own wire, which the idle probe passes, or through node:http where there is a
 * proxy on the way or the server answers in a shape that the wire does not know.
 */
import { connect as connectTcp, type Socket, type TcpSocketConnectOpts } from 'node:net';
import { monotonicMs } from '../system/clock.ts';
import { addressAttemptMs, type HttpClient, openHttpClient } from './http-client.ts';
import { createAborts, type HttpOutcome, type HttpRequest, type SendOptions } from './http-request.ts';
import { readTlsOptions, type TlsFiles, type TlsOptions } from './http-tls.ts';
import { type Connect, createWire } from './http-wire.ts';
import type { ProxySettings } from './proxy.ts';
import type { RemoteUrl } from './remote-url.ts';

export interface HttpConnection {
  send(request: HttpRequest, o: SendOptions): Promise<HttpOutcome>;
  /** Hangs up. It may be used again: the next question looks up the name and connects anew. */
  close(): void;
}

/** After an unusual answer so many questions go through node:http before the wire is tried again: it may have been one bad day. */
const REST_QUESTIONS = 100;
const KEEP_ALIVE_MS = 1_000;
/** A name may lead elsewhere by now, while the machine that it led to goes on answering: after so long it is looked up again. */
const KEPT_MAX_MS = 10 * 60_000;
const READ_MAX_BYTES = 16 * 1024;

/** @throws when a TLS file cannot be read or used: the caller names it. */
export async function openHttpConnection(
  origin: RemoteUrl,
  o: { proxy: ProxySettings | null; tls: TlsFiles; timeoutMs: number },
): Promise<HttpConnection> {
  const tls = origin.protocol === 'https' ? await readTlsOptions(origin, o.tls) : null;
  const aborts = createAborts();
  const wire = o.proxy === null ? createWire(await connector(origin, tls, o.timeoutMs), aborts) : null;
  const encoded = new WeakMap<HttpRequest, Buffer>();
  const hostHeader = new URL(origin.text).host;
  let client: HttpClient | null = null;
  let rest = 0;
  let renewAt = Number.POSITIVE_INFINITY;

  function close(): void {
    aborts.listenTo(undefined);
    wire?.close();
    client?.close();
    renewAt = Number.POSITIVE_INFINITY;
  }

  function bytesOf(what: HttpRequest): Buffer {
    let bytes = encoded.get(what);
    if (bytes === undefined) {
      bytes = encodeRequest(what, hostHeader);
      encoded.set(what, bytes);
    }
    return bytes;
  }

  return {
    async send(what, sendOptions) {
      const now = monotonicMs();
      if (now >= renewAt) close();
      renewAt = Math.min(renewAt, now + KEPT_MAX_MS);
      aborts.listenTo(sendOptions.signal);
      if (wire !== null && rest === 0) {
        const outcome = await wire.ask(bytesOf(what), sendOptions);
        if (outcome !== 'unusual') return outcome;
        rest = REST_QUESTIONS;
      }
      if (rest > 0) rest -= 1;
      client ??= await openHttpClient(origin, { proxy: o.proxy, tls, timeoutMs: o.timeoutMs, aborts });
      return client.send(what, sendOptions);
    },
    close,
  };
}

/** Header values come from URLs, base64 and ourselves: none holds a line end. */
function encodeRequest(what: HttpRequest, hostHeader: string): Buffer {
  const body = typeof what.body === 'string' ? Buffer.from(what.body) : (what.body ?? Buffer.alloc(0));
  const headers = ['Host', hostHeader, ...what.headers];
  if (what.body !== null) headers.push('Content-Length', String(body.length));
  let head = `${what.method} ${what.path} HTTP/1.1\r\n`;
  for (let n = 0; n + 1 < headers.length; n += 2) head += `${headers[n]}: ${headers[n + 1]}\r\n`;
  return Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), body]);
}

async function connector(origin: RemoteUrl, tls: TlsOptions | null, timeoutMs: number): Promise<Connect> {
  const place: TcpSocketConnectOpts = {
    host: origin.host,
    port: origin.port ?? (tls === null ? 80 : 443),
    autoSelectFamilyAttemptTimeout: addressAttemptMs(timeoutMs),
  };
  if (tls === null) {
    const buffer = Buffer.allocUnsafeSlow(READ_MAX_BYTES);
    return (take) => {
      const callback = (length: number) => {
        take(buffer, length);
        return true;
      };
      // Read into one buffer, past all that a stream does.
      return kept(connectTcp({ ...place, onread: { buffer, callback } }).resume());
    };
  }
  const { connect } = await import('node:tls');
  let session: Buffer | undefined;
  return (take) => {
    const socket = connect({
      ...place,
      ...tls,
      ALPNProtocols: ['http/1.1'],
      ...(session ? { session } : {}),
    });
    socket.on('session', (next) => {
      session = next;
    });
    socket.on('data', (chunk) => take(chunk, chunk.length));
    return kept(socket);
  };
}

function kept<S extends Socket>(socket: S): S {
  return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
}
