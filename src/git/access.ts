/** What git needs to reach a remote and prove itself to it, read anew at each use. No secret is in argv or environment. */
import type { AccessSettings, RepoConfig } from '../model/repo.ts';
import { ok, type Result } from '../model/trouble.ts';
import { caFile } from './ca-file.ts';
import { type Credential, readFileCredential } from './credentials.ts';
import { decideProxy, type ProxySettings } from './proxy.ts';
import { hostWithPort, isTrustedHost, type Protocol, parseRemoteUrl, type RemoteUrl } from './remote-url.ts';
import { makeSshFolder, quoteShell, sshOptions } from './ssh.ts';

export interface Access {
  /** `key=value` for `git -c`. */
  readonly config: readonly string[];
  /** On top of the profile's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** To be readable as file descriptor 3 of git. */
  readonly secretInput?: string;
  readonly protocol: Protocol;
}

export interface AccessOptions {
  /** Our own environment: proxies, SSH_AUTH_SOCK, PATH and HOME for a credential helper. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder of kept ssh connections (`decideSshFolder`); without it each git call makes its own connection. */
  readonly sshFolder?: string | null;
}

/**
 * A helper that answers `get` with the next block for `what` (three lines: what, username=, password=) of file
 * descriptor 3, and nothing else. The shell's `read` takes no byte too many, so that several helpers (one per process
 * of a long git command) can share the descriptor.
 */
function answerFromFd3(what: 'remote' | 'proxy'): string {
  return (
    '!f() { test "$1" = get || return 0; while IFS= read -r what <&3; do IFS= read -r user <&3; IFS= read -r password <&3; ' +
    `test "$what" = ${what} || continue; printf "%s\\n%s\\n" "$user" "$password"; return 0; done; }; f`
  );
}

/** So many processes of one git command may each ask for the credential (a blobless clone asks more than once). */
const BLOCKS = 64;

/**
 * @param remoteUrl One of the repo's remotes, or where a probe says that one of them has moved to. Credentials and
 *   client certificates go only to a host that is among the repo's remotes.
 */
export async function readAccess(
  repo: Pick<RepoConfig, 'remotes' | 'access'>,
  remoteUrl: string,
  o: AccessOptions,
): Promise<Result<Access>> {
  const parsed = parseRemoteUrl(remoteUrl);
  if (!parsed.ok) return parsed;
  const url = parsed.value;
  const common = {
    protocol: url.protocol,
    config: ['protocol.allow=never', `protocol.${url.protocol}.allow=always`, 'credential.helper='],
    env: { GIT_ALLOW_PROTOCOL: url.protocol },
  };
  switch (url.protocol) {
    case 'http':
    case 'https':
      return webAccess(repo, url, o, common);
    case 'ssh':
      return ok(sshAccess(repo.access, o, common));
    default:
      return ok(common);
  }
}

function webAccess(
  repo: Pick<RepoConfig, 'remotes' | 'access'>,
  url: RemoteUrl,
  o: AccessOptions,
  common: Access,
): Result<Access> {
  const { access } = repo;
  const config = [...common.config, 'http.followRedirects=false', 'http.sslVerify=true'];
  const env: Record<string, string> = { ...common.env };
  const blocks: string[] = [];

  const ca = caFile(access, o.env);
  if (ca !== null) config.push(`http.sslCAInfo=${ca}`);
  const proxy = decideProxy(url, access.proxy, o.env);
  config.push(`http.proxy=${proxy === null ? '' : proxyForGit(proxy)}`);
  if (proxy?.username != null) {
    config.push(`credential.${proxy.url}.helper=${answerFromFd3('proxy')}`);
    blocks.push(credentialBlock('proxy', { username: proxy.username, password: proxy.password ?? '' }));
  }
  if (isTrustedHost(repo.remotes, url)) {
    if (access.tlsCert !== null) config.push(`http.sslCert=${access.tlsCert}`);
    if (access.tlsKey !== null) config.push(`http.sslKey=${access.tlsKey}`);
    // Scoped to the host: a submodule of another host gets nothing.
    const scope = `credential.${url.protocol}://${hostWithPort(url)}`;
    if (access.credentialsFile !== null) {
      const credential = readFileCredential(access.credentialsFile, url);
      if (!credential.ok) return credential;
      if (credential.value !== null) {
        config.push(`${scope}.helper=${answerFromFd3('remote')}`);
        blocks.push(credentialBlock('remote', credential.value));
      }
    }
    if (access.credentialHelper !== null) {
      config.push(`${scope}.helper=${access.credentialHelper}`);
      Object.assign(env, helperEnvironment(o.env));
    }
  }
  const secret = blocks.length === 0 ? {} : { secretInput: blocks.join('').repeat(BLOCKS) };
  return ok({ protocol: url.protocol, config, env, ...secret });
}

function sshAccess(access: AccessSettings, o: AccessOptions, common: Access): Access {
  const env: Record<string, string> = {
    ...common.env,
    GIT_SSH_COMMAND: ['ssh', ...sshOptions(access, usableSshFolder(o.sshFolder))].map(quoteShell).join(' '),
    GIT_SSH_VARIANT: 'ssh',
  };
  // Without a key of its own, the repo uses what the operator's agent holds.
  if (access.sshKey === null && o.env.SSH_AUTH_SOCK) env.SSH_AUTH_SOCK = o.env.SSH_AUTH_SOCK;
  return { ...common, env };
}

/** null when no connection is to be kept, or the folder cannot be used safely. */
export function usableSshFolder(folder: string | null | undefined): string | null {
  return folder != null && makeSshFolder(folder) ? folder : null;
}

/** A helper is somebody's program: it finds its own files by HOME and PATH. */
export function helperEnvironment(env: AccessOptions['env']): Record<string, string> {
  return Object.fromEntries(
    ['HOME', 'PATH'].flatMap((name) => (env[name] ? [[name, env[name] as string]] : [])),
  );
}

/** git asks for the password itself when the URL has only the user name. */
function proxyForGit(proxy: ProxySettings): string {
  if (proxy.username === null) return proxy.url;
  return proxy.url.replace('://', `://${encodeURIComponent(proxy.username)}@`);
}

function credentialBlock(what: 'remote' | 'proxy', credential: Credential): string {
  return `${what}\nusername=${credential.username}\npassword=${credential.password}\n`;
}
