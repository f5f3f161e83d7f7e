/** What an error of the client means for us: each state of the world has its own name and text. No secret is in them. */
import { errnoOf } from '../errors.ts';
import { printable } from '../model/printable.ts';
import { type Trouble, type TroubleCode, trouble } from '../model/trouble.ts';

const TLS_CODE =
  /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|EPROTO$|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|CRL_|ERR_OSSL)/;
const NET_HINT = 'check the network and firewall of this host, and whether the server is up';
export const CERTIFICATE_HINT =
  'name a client certificate that the server accepts as `tls: {cert, key}` of nats';
export const RIGHTS_HINT = 'docs/nats.md lists the rights that a host needs';

/** What we were about to do, for the sentence: "to publish the presence of web-1". */
export interface NatsDoing {
  /** `a:4222`, or all servers. */
  readonly place: string;
  /** Begins with "to". */
  readonly what: string;
}

/** @param thrown Anything: also undefined is thrown, when a connection just ends. */
export function troubleOfNats(thrown: unknown, { place, what }: NatsDoing): Trouble {
  const errors = chainOf(thrown);
  const make = (code: TroubleCode, found: string, hint: string | null = null) =>
    trouble(code, `expected ${place} ${what}, found ${found}`, { hint, remote: place });
  const named = (name: string) => errors.find((error) => error.name === name);
  const codes = errors.map((error) => errnoOf(error)).filter((code) => code !== null);
  const said = printable(errors.at(-1)?.message ?? 'that the connection was closed', 300);

  if (named('AuthorizationError') ?? named('UserAuthenticationExpiredError'))
    return make('auth-refused', 'that it does not accept our credentials', 'renew `credentials` of nats');
  const forbidden = named('PermissionViolationError');
  if (forbidden) return make('forbidden', `a refusal (${printable(forbidden.message, 300)})`, RIGHTS_HINT);
  const dns = codes.find((code) => code === 'ENOTFOUND' || code.startsWith('EAI_'));
  if (dns !== undefined)
    return make('dns', `no address (${dns})`, 'check the name in the URL and the name servers of this host');
  const tls = codes.find((code) => TLS_CODE.test(code));
  if (tls !== undefined) return make('tls', `no trusted TLS connection (${said})`, tlsHint(tls));
  if (errors.some(({ message }) => message.includes("does not support 'tls'")))
    return make('tls', 'a server without TLS', 'give the server certificates, or use nats:// without `tls`');
  if (named('NoRespondersError') || errors.some(({ message }) => message === 'no responders'))
    return make(
      'server-error',
      'that nobody answers for JetStream',
      'enable jetstream on the servers; a cluster without a majority has none at this moment',
    );
  if (named('TimeoutError')) return make('silent', 'silence');
  const api = errors.find(
    (error) => error.name.startsWith('JetStream') || error.name.endsWith('NotFoundError'),
  );
  if (api !== undefined)
    return make('server-error', `a refusal (${printable(api.message, 300)})`, RIGHTS_HINT);
  return make('unreachable', `no connection (${said})`, NET_HINT);
}

function tlsHint(code: string): string {
  if (code === 'CERT_HAS_EXPIRED') return 'renew the certificate of the server; check the clock of this host';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'use a host name that the certificate of the server names';
  if (code.includes('CERTIFICATE_REQUIRED') || code.includes('HANDSHAKE')) return CERTIFICATE_HINT;
  return 'name the certificates of its authority as `tls: {ca}` of nats';
}

/** The error and what it was caused by. */
function chainOf(thrown: unknown): Error[] {
  const chain: Error[] = [];
  for (let error = thrown; error instanceof Error && chain.length < 8; error = error.cause) chain.push(error);
  return chain;
}
