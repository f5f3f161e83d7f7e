/** What a TLS connection to a remote is made with. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { RemoteUrl } from './remote-url.ts';

export interface TlsFiles {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

export interface TlsOptions {
  readonly secureContext: SecureContext;
  readonly servername: string;
}

/** The authorities of the system, as git uses them, where they are kept in one file. */
const SYSTEM_AUTHORITIES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** @throws when a file cannot be read or used: the caller names it. */
export async function readTlsOptions(origin: RemoteUrl, files: TlsFiles): Promise<TlsOptions> {
  const { createSecureContext } = await import('node:tls');
  const secureContext = createSecureContext({
    ...(files.ca === null ? systemAuthorities() : { ca: readFileSync(files.ca) }),
    ...(files.cert === null ? {} : { cert: readFileSync(files.cert) }),
    ...(files.cert === null ? {} : { key: readFileSync(files.key ?? files.cert) }),
  });
  // No name for an address: TLS knows none.
  return { secureContext, servername: isIP(origin.host) === 0 ? origin.host : '' };
}

function systemAuthorities(): { ca?: Buffer } {
  for (const file of SYSTEM_AUTHORITIES) {
    try {
      return { ca: readFileSync(file) };
    } catch {
      // Kept elsewhere on this system.
    }
  }
  return {}; // Those that Node brings along.
}
