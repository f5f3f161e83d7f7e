import type { AccessSettings } from '../model/repo.ts';

/** The authorities to trust instead of the system's: access.tlsCa, or what git and OpenSSL take from the environment. */
export function caFile(
  access: AccessSettings,
  env: Readonly<Record<string, string | undefined>>,
): string | null {
  return access.tlsCa ?? (env.GIT_SSL_CAINFO || env.SSL_CERT_FILE || null);
}
