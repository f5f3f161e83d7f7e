/** A remote's address, taken apart once. What it shows never holds a secret, because one that holds a secret is refused. */
import { fail, ok, type Result, trouble } from '../model/trouble.ts';

export type Protocol = 'http' | 'https' | 'ssh' | 'git' | 'file';

export interface RemoteUrl {
  readonly protocol: Protocol;
  /** As it is given to git. */
  readonly text: string;
  /** Lower case, IPv6 without brackets; empty for `file`. */
  readonly host: string;
  /** null: the protocol's own. */
  readonly port: number | null;
  /** Only ssh has one. */
  readonly user: string | null;
  /** As the other side is asked for it: `/srv/it.git`, or `it.git` for `host:it.git`. */
  readonly path: string;
}

const CONTROL = /\p{Cc}/u;
const SCP_LIKE = /^(?:([^@/:]+)@)?(\[[0-9a-fA-F:.]+\]|[^/:@[\]]+):(.+)$/;
const SAFE_USER = /^[A-Za-z0-9_.][A-Za-z0-9_.+-]*$/;
const SAFE_HOST = /^[A-Za-z0-9_.:][A-Za-z0-9_.:%-]*$/;

const CREDENTIALS_HINT =
  'put the credentials into a file and name it as `credentials` of the repo; then take them out of the URL';

/** `https://host/path`, `http://`, `ssh://`, `user@host:path`, `git://`, `file://` or an absolute path. */
export function parseRemoteUrl(text: string): Result<RemoteUrl> {
  if (CONTROL.test(text)) return refused('expected a remote URL, found control characters in it');
  if (text.startsWith('/')) return ok(remote('file', text, { path: text }));
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'http':
    case 'https':
      return parseWebUrl(scheme, text);
    case 'ssh':
    case 'git':
      return parseHostUrl(scheme, text);
    case 'file':
      return ok(remote('file', text, { path: text.slice('file://'.length) }));
    case undefined:
      return parseScpLike(text);
    default:
      return refused(
        `expected an https, http, ssh, git or file remote, found the scheme "${scheme.slice(0, 20)}"`,
      );
  }
}

function parseWebUrl(protocol: 'http' | 'https', text: string): Result<RemoteUrl> {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hostname === '' || text.includes(' ')) {
    return refused(`expected an ${protocol} URL, found one that cannot be parsed`);
  }
  if (url.username !== '' || url.password !== '') return holdsCredentials(url.hostname);
  if (url.search !== '' || url.hash !== '') {
    return refused(`expected the URL of a repository on ${url.hostname}, found one with a query or fragment`);
  }
  // A URL with a host that no name server knows, such as https://-/it: what is refused for ssh is refused here too.
  if (url.hostname.startsWith('-')) return refused('expected a host name, found characters that none has');
  const port = url.port === '' ? null : Number(url.port);
  return ok(remote(protocol, text, { host: bare(url.hostname), port, path: url.pathname }));
}

function parseHostUrl(protocol: 'ssh' | 'git', text: string): Result<RemoteUrl> {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hostname === '') {
    return refused(`expected an ${protocol} URL, found one that cannot be parsed`);
  }
  if (url.password !== '' || (protocol === 'git' && url.username !== '')) {
    return holdsCredentials(url.hostname);
  }
  const user = url.username === '' ? null : decodeURIComponentOrSame(url.username);
  const port = url.port === '' ? null : Number(url.port);
  // git's own rule: `ssh://host/~user/repo` means the home folder of that user.
  const path = decodeURIComponentOrSame(url.pathname).replace(/^\/~/, '~');
  return checkedHost(remote(protocol, text, { host: bare(url.hostname), port, user, path }));
}

function parseScpLike(text: string): Result<RemoteUrl> {
  const match = SCP_LIKE.exec(text);
  if (!match) return refused('expected a remote URL or an absolute path, found neither');
  const [, user = null, host = '', path = ''] = match;
  // `user:password@host:path` and helpers such as `ext::` end here.
  if (path.startsWith(':') || path.includes('@')) {
    return path.includes('@') ? holdsCredentials('the remote') : refused('expected a remote URL, found "::"');
  }
  return checkedHost(remote('ssh', text, { host: bare(host), user, path: path.replace(/^\/~/, '~') }));
}

/** Names that ssh would take for an option, or a shell for anything but a name, never reach them. */
function checkedHost(url: RemoteUrl): Result<RemoteUrl> {
  if (!SAFE_HOST.test(url.host)) return refused('expected a host name, found characters that none has');
  if (url.user !== null && !SAFE_USER.test(url.user)) {
    return refused(`expected a user name for ${url.host}, found characters that none has`);
  }
  return ok(url);
}

function remote(
  protocol: Protocol,
  text: string,
  more: { host?: string; port?: number | null; user?: string | null; path: string },
): RemoteUrl {
  return { protocol, text, host: '', port: null, user: null, ...more };
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '').toLowerCase();
}

function decodeURIComponentOrSame(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function refused(message: string): Result<never> {
  return fail(trouble('git-failed', message, { hint: 'correct the remotes of the repo in host.yaml' }));
}

function holdsCredentials(host: string): Result<never> {
  return fail(
    trouble('auth-refused', `expected a remote URL without credentials, found some in the URL of ${host}`, {
      hint: CREDENTIALS_HINT,
    }),
  );
}

/** `host` or `host:port`, IPv6 in brackets: what a URL and git's credential protocol call the host. */
export function hostWithPort(url: RemoteUrl): string {
  const host = url.host.includes(':') ? `[${url.host}]` : url.host;
  return url.port === null ? host : `${host}:${url.port}`;
}

/**
 * May what proves us to `remotes` also be shown to `url`? Only to a host that the operator wrote down, and never in
 * the clear when he wrote https. Everything that a redirect brought us to fails here.
 */
export function isTrustedHost(remotes: readonly string[], url: RemoteUrl): boolean {
  return remotes.some((text) => {
    const known = parseRemoteUrl(text);
    if (!known.ok || known.value.host !== url.host) return false;
    if (known.value.protocol === url.protocol) return known.value.port === url.port;
    return known.value.protocol === 'http' && url.protocol === 'https';
  });
}
