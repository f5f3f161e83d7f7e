/** One POST to a web service. Where it goes may be a secret: nothing but the name of its host is ever shown. */
import { openHttpClient } from '../git/http-client.ts';
import { createAborts, rawHeader } from '../git/http-request.ts';
import { readTlsOptions } from '../git/http-tls.ts';
import type { HttpFailure } from '../git/http-trouble.ts';
import { decideProxy } from '../git/proxy.ts';
import type { RemoteUrl } from '../git/remote-url.ts';
import { parseRetryAfter } from '../git/retry-after.ts';
import { printable } from '../model/printable.ts';
import { monotonicMs } from '../system/clock.ts';
import { failed, type SendAnswer } from './channel.ts';

export interface PostOptions {
  readonly url: URL;
  /** Name, value, name, value, ... */
  readonly headers: readonly string[];
  readonly body: string;
  readonly timeoutMs: number;
  readonly tlsCa: string | null;
  /** Our own environment: proxies. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. Only for dates in Retry-After. */
  readonly now: number;
  readonly signal?: AbortSignal | undefined;
}

export async function post(o: PostOptions): Promise<SendAnswer> {
  const origin = originOf(o.url);
  const proxy = decideProxy(origin, null, o.env);
  try {
    const tls =
      origin.protocol === 'https'
        ? await readTlsOptions(origin, { ca: o.tlsCa, cert: null, key: null })
        : null;
    const aborts = createAborts();
    aborts.listenTo(o.signal);
    const client = await openHttpClient(origin, { proxy, tls, timeoutMs: o.timeoutMs, aborts });
    try {
      const outcome = await client.send(
        { method: 'POST', path: o.url.pathname + o.url.search, headers: o.headers, body: o.body },
        { deadline: monotonicMs() + o.timeoutMs, signal: o.signal, onBody: () => true },
      );
      if ('failure' in outcome) return failed(describeFailure(outcome.failure, o));
      const { status, rawHeaders, said } = outcome;
      if (status >= 200 && status < 300) return { ok: true };
      const retryAfterMs = parseRetryAfter(rawHeader(rawHeaders, 'retry-after'), o.now);
      return failed(`status ${status}${quote(said, o)}`, retryAfterMs);
    } finally {
      client.close();
      aborts.listenTo(undefined);
    }
  } catch (error) {
    return failed(withoutSecrets(error instanceof Error ? error.message : String(error), o));
  }
}

function originOf(url: URL): RemoteUrl {
  return {
    protocol: url.protocol === 'https:' ? 'https' : 'http',
    text: url.origin,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? null : Number(url.port),
    user: null,
    path: url.pathname,
  };
}

function describeFailure({ why, phase, error }: HttpFailure, o: PostOptions): string {
  switch (why) {
    case 'aborted':
      return 'it was cut off';
    case 'deadline':
      return phase === 'lookup'
        ? 'its name was not found in time'
        : `no answer within ${o.timeoutMs / 1000} s`;
    case 'too-large':
      return 'an answer that does not end';
    case 'error':
      return withoutSecrets(error?.message ?? 'the connection failed', o);
  }
}

/** The beginning of what the service says: often why it refuses. */
function quote(said: string, o: PostOptions): string {
  const text = withoutSecrets(said.replace(/\s+/g, ' ').trim(), o);
  return text === '' || text.startsWith('<') ? '' : `: ${text}`;
}

const SECRET_MIN = 6;

/** Some services repeat what they were asked. */
function withoutSecrets(text: string, { url, headers }: PostOptions): string {
  const values = headers.filter((_, n) => n % 2 === 1).flatMap((value) => [value, ...value.split(' ')]);
  const secrets = [
    url.href,
    url.pathname + url.search,
    url.pathname,
    url.search,
    ...url.pathname.split('/'),
    ...values,
  ]
    .filter((secret) => secret.length >= SECRET_MIN)
    .sort((a, b) => b.length - a.length);
  let shown = text;
  for (const secret of secrets) shown = shown.replaceAll(secret, '***');
  return printable(shown, 120);
}
