/** Where a repository is found on the web, with the connection to it. */

import { printable } from '../model/printable.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fail, ok, type Result, type Trouble, trouble } from '../model/trouble.ts';
import { stampOfFile } from '../system/file-stamp.ts';
import { caFile } from './ca-file.ts';
import { type HttpConnection, openHttpConnection } from './http-connection.ts';
import type { TlsFiles } from './http-tls.ts';
import type { ProberOptions } from './probe-types.ts';
import { decideProxy, type ProxySettings } from './proxy.ts';
import { isTrustedHost, type RemoteUrl } from './remote-url.ts';

export interface Place {
  readonly url: RemoteUrl;
  /** The path of the URL without a slash at its end. */
  readonly path: string;
  readonly connection: HttpConnection;
  readonly proxy: ProxySettings | null;
  /** Of the TLS files that the connection was opened with. */
  readonly stamp: string;
  /** What the server speaks; null: not asked yet. */
  version: 0 | 2 | null;
  objectFormat: string | null;
  /** A fetch may leave out large files; known only of a server that was asked what it speaks. */
  knowsFilter: boolean;
}

type Repo = Pick<RepoConfig, 'remotes' | 'access'>;

/** @param previous Its connection is taken over when it leads to the same server; otherwise closed. */
export async function openPlace(
  repo: Repo,
  url: RemoteUrl,
  previous: Place | null,
  o: ProberOptions,
): Promise<Result<Place>> {
  const files = tlsFiles(repo, url, o);
  const stamp = stampOfPlace(repo, url, o);
  const proxy = decideProxy(url, repo.access.proxy, o.env);
  try {
    const isKept = previous !== null && isSameOrigin(previous.url, url);
    if (!isKept) previous?.connection.close();
    const connection = isKept
      ? previous.connection
      : await openHttpConnection(url, { proxy, tls: files, timeoutMs: o.limits.probeTimeoutMs });
    const path = url.path.replace(/\/+$/, '');
    return ok({ url, path, connection, proxy, stamp, version: null, objectFormat: null, knowsFilter: false });
  } catch (error) {
    return fail(ofTlsFiles(files, error, url));
  }
}

/** Differs from the place's own stamp when a TLS file was changed: then open it anew. */
export function stampOfPlace(repo: Repo, url: RemoteUrl, o: ProberOptions): string {
  if (url.protocol !== 'https') return '';
  const { ca, cert, key } = tlsFiles(repo, url, o);
  return [ca, cert, key].map((file) => (file === null ? '' : stampOfFile(file))).join(' ');
}

/** A client certificate proves who we are: it goes only where credentials go. */
function tlsFiles(repo: Repo, url: RemoteUrl, o: ProberOptions): TlsFiles {
  const ca = caFile(repo.access, o.env);
  const { tlsCert, tlsKey } = repo.access;
  if (tlsCert === null || !isTrustedHost(repo.remotes, url)) return { ca, cert: null, key: null };
  return { ca, cert: tlsCert, key: tlsKey };
}

function isSameOrigin(a: RemoteUrl, b: RemoteUrl): boolean {
  return a.protocol === b.protocol && a.host === b.host && a.port === b.port;
}

function ofTlsFiles(files: TlsFiles, error: unknown, url: RemoteUrl): Trouble {
  const names = [files.ca, files.cert, files.key].filter((file) => file !== null);
  const found = error instanceof Error ? printable(error.message) : 'an unknown error';
  return trouble(
    'tls',
    `expected usable TLS files (${names.join(', ') || 'none are named'}), found: ${found}`,
    {
      hint: 'check tls.ca, tls.cert and tls.key: PEM files that the agent may read',
      remote: url.text,
    },
  );
}
