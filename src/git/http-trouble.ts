/** What an HTTP status or an error of a connection means for us. Each state of the world has its own name and text. */

import { printable } from '../model/printable.ts';
import { type Trouble, type TroubleCode, trouble } from '../model/trouble.ts';
import { parseRetryAfter } from './retry-after.ts';

/** How far a request had come when it failed. */
export type HttpPhase = 'lookup' | 'connect' | 'waiting' | 'body';

export interface HttpFailure {
  /** `error`: of the connection. `deadline`: the probe's time is over. `aborted`: by our own signal. */
  readonly why: 'error' | 'deadline' | 'aborted' | 'too-large';
  readonly phase: HttpPhase;
  readonly error: Error | null;
}

/** The remote or the proxy that a sentence speaks of. */
export interface HttpContext {
  /** `https://host/path`, without credentials. */
  readonly remote: string;
  /** The remote with the proxy on the way to it, for sentences. */
  readonly place: string;
  readonly timeoutMs: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** A credential was sent. */
  readonly hadCredential: boolean;
}

/** A proxy that does not do what it is there for. */
export class ProxyError extends Error {
  readonly status: number | null;

  constructor(message: string, status: number | null, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
  }
}

/** @param status Anything but a 2xx or a redirect. `said`: the beginning of the body. */
export function troubleFromStatus(
  status: number,
  retryAfter: string | undefined,
  said: string,
  c: HttpContext,
): Trouble {
  const retryAfterMs = parseRetryAfter(retryAfter, c.now);
  const make = (code: TroubleCode, hint: string | null) =>
    trouble(code, `expected an answer of git from ${c.place}, found status ${status}${quoteBody(said)}`, {
      hint,
      remote: c.remote,
      retryAfterMs: code === 'slow-down' ? retryAfterMs : null,
    });
  // GitHub's "secondary rate limit" is a 403 that says when to come back.
  if (status === 429 || status === 503 || (status === 403 && retryAfterMs !== null)) {
    return make('slow-down', 'nothing is to be done: the next look waits for as long as the server asks');
  }
  if (status === 401) {
    return make(
      'auth-refused',
      c.hadCredential
        ? 'renew the credential: the server does not accept the one that we have'
        : 'name a file with a credential for this host as `credentials` of the repo',
    );
  }
  if (status === 403) {
    return make('forbidden', 'give this credential the right to read the repository');
  }
  if (status === 404 || status === 410) {
    return make(
      'not-found',
      'check the URL; many servers also say "not found" to those who may not read the repository',
    );
  }
  if (status === 407) return make('auth-refused', 'give the proxy URL a user name and password');
  if (status === 413)
    return make(
      'limit',
      'let the web server in front of git take larger requests (client_max_body_size of nginx)',
    );
  if (status === 408) return make('silent', null);
  if (status >= 500) return make('server-error', 'nothing is to be done here: the server must recover');
  return make('not-git', 'check the URL: it must be one that `git clone` accepts');
}

const TLS_CODE =
  /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|EPROTO$|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|CRL_|ERR_OSSL)/;

export function troubleFromFailure(failure: HttpFailure, c: HttpContext): Trouble {
  const make = (code: TroubleCode, message: string, hint: string | null = null) =>
    trouble(code, message, { hint, remote: c.remote });
  const seconds = `${c.timeoutMs / 1000} s`;
  switch (failure.why) {
    case 'aborted':
      return make('unreachable', `the question to ${c.place} was stopped before its answer`);
    case 'too-large':
      return make('limit', `expected a list of refs from ${c.place}, found more than one may be`);
    case 'deadline':
      return atDeadline(failure.phase, seconds, c.place, make);
    case 'error':
      return fromError(failure.error ?? new Error('unknown'), failure.phase, c, make);
  }
}

type Make = (code: TroubleCode, message: string, hint?: string | null) => Trouble;

function atDeadline(phase: HttpPhase, seconds: string, place: string, make: Make): Trouble {
  switch (phase) {
    case 'lookup':
      return make('dns', `expected the address of ${place} within ${seconds}, found none`, DNS_HINT);
    case 'connect':
      return make('unreachable', `expected a connection to ${place} within ${seconds}, found none`, NET_HINT);
    case 'waiting':
      return make('silent', `expected an answer of ${place} within ${seconds}, found silence`);
    case 'body':
      return make('silent', `expected a whole answer of ${place} within ${seconds}, found only a part of it`);
  }
}

const DNS_HINT = 'check the host name in the URL and the name servers of this host';
const NET_HINT = 'check the network, firewall and proxy of this host, and whether the server is up';

function fromError(error: Error, phase: HttpPhase, c: HttpContext, make: Make): Trouble {
  if (error instanceof ProxyError) {
    return error.status === 407
      ? make('auth-refused', printable(error.message), 'give the proxy URL a user name and password')
      : make('unreachable', printable(error.message), 'check the proxy, or name the host in no_proxy');
  }
  const code = codeOf(error);
  const found = printable(error.message, 300);
  if (code === 'ENOTFOUND' || code.startsWith('EAI_')) {
    return make('dns', `expected the address of ${c.place}, found no answer (${code})`, DNS_HINT);
  }
  if (TLS_CODE.test(code))
    return make('tls', `expected a trusted TLS connection to ${c.place}, found: ${found}`, tlsHint(code));
  if (code.startsWith('HPE_')) {
    return make('not-git', `expected HTTP from ${c.place}, found something else (${found})`, 'check the URL');
  }
  if (code.startsWith('Z_'))
    return make('not-git', `expected a readable answer of ${c.place}, found: ${found}`);
  if (phase === 'body') {
    return make(
      'empty-answer',
      `expected a whole answer of ${c.place}, found one that was cut off (${found})`,
    );
  }
  return make('unreachable', `expected a connection to ${c.place}, found: ${found}`, NET_HINT);
}

function tlsHint(code: string): string {
  if (code === 'CERT_HAS_EXPIRED') return 'renew the certificate of the server; check the clock of this host';
  if (code === 'CERT_NOT_YET_VALID') return 'check the clock of this host';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'use a host name that the certificate of the server names';
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) {
    return 'check scheme and port of the URL, and whether the server wants a client certificate (tls.cert)';
  }
  if (code.startsWith('ERR_OSSL')) return 'check the files tls.ca, tls.cert and tls.key';
  return 'name the file of the authority that signed the certificate as tls.ca of the repo';
}

/** Of a connection that was tried over several addresses, the first one's reason. */
function codeOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return codeOf(error.errors[0]);
  return '';
}

/** The beginning of what a server said, in one line. */
export function quoteBody(said: string): string {
  const text = said
    .replace(/<(style|script)[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return text === '' ? '' : ` ("${printable(text, 80)}")`;
}
