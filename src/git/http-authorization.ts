/** The value of the header Authorization for a remote: from the file at every use, or from the helper until it is refused. */
import type { RepoConfig } from '../model/repo.ts';
import { ok, type Result } from '../model/trouble.ts';
import { stampOfFile } from '../system/file-stamp.ts';
import { type Credential, readFileCredential } from './credentials.ts';
import { isTrustedHost, type RemoteUrl } from './remote-url.ts';

export interface Authorization {
  /** null: nothing is to be said, also to every host that is not among the repo's remotes. */
  headerFor(url: RemoteUrl): Result<string | null>;
  /** After a 401. @returns a new header worth a second try, or null: there is none. */
  renew(
    url: RemoteUrl,
    o: { timeoutMs: number; signal?: AbortSignal | undefined },
  ): Promise<Result<string | null>>;
}

export function createAuthorization(
  repo: Pick<RepoConfig, 'remotes' | 'access'>,
  env: Readonly<Record<string, string | undefined>>,
): Authorization {
  const { credentialsFile, credentialHelper } = repo.access;
  /** Of the file: its stamp when it was read, for which URL, and what came out of it. */
  let read: { stamp: string; url: RemoteUrl; header: string | null } | null = null;
  let trusted: { url: RemoteUrl; answer: boolean } | null = null;
  let fromHelper: { url: RemoteUrl; header: string } | null = null;

  function isTrusted(url: RemoteUrl): boolean {
    if (trusted?.url !== url) trusted = { url, answer: isTrustedHost(repo.remotes, url) };
    return trusted.answer;
  }

  function headerFromFile(file: string, url: RemoteUrl): Result<string | null> {
    const stamp = stampOfFile(file);
    if (read?.stamp === stamp && read.url === url) return ok(read.header);
    const credential = readFileCredential(file, url);
    if (!credential.ok) return credential;
    const header = credential.value && basic(credential.value);
    read = { stamp, url, header };
    return ok(header);
  }

  return {
    headerFor(url) {
      if (!isTrusted(url)) return ok(null);
      if (credentialsFile !== null) {
        const fromFile = headerFromFile(credentialsFile, url);
        if (!fromFile.ok || fromFile.value !== null) return fromFile;
      }
      return ok(fromHelper?.url === url ? fromHelper.header : null);
    },

    async renew(url, o) {
      if (!isTrusted(url)) return ok(null);
      if (credentialsFile !== null) {
        // Changed within the granularity of its time stamp? Then what was refused is not what it holds now.
        const refused = read?.header ?? null;
        read = null;
        const fromFile = headerFromFile(credentialsFile, url);
        if (!fromFile.ok) return fromFile;
        if (fromFile.value !== null) return ok(fromFile.value === refused ? null : fromFile.value);
      }
      if (credentialHelper === null) return ok(null);
      fromHelper = null;
      // Loaded with all that starts processes, only now.
      const { askCredentialHelper } = await import('./credential-helper.ts');
      const credential = await askCredentialHelper(credentialHelper, url, { env, ...o });
      if (!credential.ok) return credential;
      fromHelper = { url, header: basic(credential.value) };
      return ok(fromHelper.header);
    },
  };
}

function basic(credential: Credential): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`;
}
