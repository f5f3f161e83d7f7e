/** The value of the header Authorization for a remote: from the file at every use, or from the helper until it is refused. */
import type { RepoConfig } from '../model/repo.ts';
import { ok, type Result } from '../model/trouble.ts';
import { askCredentialHelper } from './credential-helper.ts';
import {
  type Credential,
  parseCredentials,
  readCredentialsFile,
  unusableCredentials,
} from './credentials.ts';
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
  /** Of the file: what was read, for which URL, and what came out of it. */
  let read: { text: string; url: RemoteUrl; header: string | null } | null = null;
  let trusted: { url: RemoteUrl; answer: boolean } | null = null;
  let fromHelper: { url: RemoteUrl; header: string } | null = null;

  function isTrusted(url: RemoteUrl): boolean {
    if (trusted?.url !== url) trusted = { url, answer: isTrustedHost(repo.remotes, url) };
    return trusted.answer;
  }

  return {
    headerFor(url) {
      if (!isTrusted(url)) return ok(null);
      if (credentialsFile !== null) {
        const text = readCredentialsFile(credentialsFile);
        if (!text.ok) return text;
        if (read === null || read.text !== text.value || read.url !== url) {
          const parsed = parseCredentials(text.value, url);
          if ('malformed' in parsed) return unusableCredentials(credentialsFile, parsed.malformed);
          const header = parsed.credential && basic(parsed.credential);
          read = { text: text.value, url, header };
        }
        if (read.header !== null) return ok(read.header);
      }
      return ok(fromHelper?.url === url ? fromHelper.header : null);
    },

    async renew(url, o) {
      if (credentialHelper === null || !isTrusted(url)) return ok(null);
      // What the file holds goes first, and was refused.
      if (read?.url === url && read.header !== null) return ok(null);
      fromHelper = null;
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
