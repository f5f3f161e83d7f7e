/** Which addresses host.yaml may hold. No answer repeats the address: it may hold a secret. */

const SCHEMES = ['http', 'https', 'ssh', 'git', 'file'];
/** Named in the answer; what else stands before `://` might be anything. */
const OTHERS = ['ftp', 'ftps', 'rsync', 'svn', 'svn+ssh', 'git+ssh', 'ssh+git', 's3'];
const SCP_LIKE = /^(?:([^@/:]+)@)?(\[[0-9a-fA-F:.]+\]|[^/:@[\]]+):(.+)$/;
const SAFE_USER = /^[A-Za-z0-9_.][A-Za-z0-9_.+-]*$/;
const SAFE_HOST = /^[A-Za-z0-9_.:][A-Za-z0-9_.:%-]*$/;
const FORMS = 'an http, https, ssh, git or file URL, user@host:path, or an absolute path';
const IN_FILE =
  'expected a URL without user and password (`credentials` names a file for them), found one with them';

/** What is wrong with the address of a remote; null when nothing is. */
export function whatIsWrongWithRemote(text: string): string | null {
  if (text === '' || text.length > 2048)
    return `expected ${FORMS}, found ${text === '' ? 'an empty text' : 'a very long text'}`;
  if (/[\p{Cc}\s]/u.test(text)) return `expected ${FORMS}, found one with spaces or control characters`;
  if (text.startsWith('/')) return null;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return wrongScpLike(text);
  if (!SCHEMES.includes(scheme))
    return `expected ${FORMS}, found ${OTHERS.includes(scheme) ? `the scheme "${scheme}"` : 'another scheme'}`;
  if (scheme === 'file')
    return text.startsWith('file:///')
      ? null
      : `expected file:///path, found a file URL without an absolute path`;
  return wrongUrl(scheme, text);
}

function wrongUrl(scheme: string, text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hostname === '')
    return `expected ${scheme}://host/path, found a URL that cannot be read`;
  if (url.password !== '' || (scheme !== 'ssh' && url.username !== '')) return IN_FILE;
  if (url.search !== '' || url.hash !== '')
    return `expected ${scheme}://host/path, found one with a query or fragment`;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!SAFE_HOST.test(host)) return `expected ${scheme}://host/path, found a host name that none has`;
  if (url.username !== '' && !SAFE_USER.test(url.username))
    return `expected a user name, found characters that none has`;
  return null;
}

function wrongScpLike(text: string): string | null {
  const [, user, host = '', path = ''] = SCP_LIKE.exec(text) ?? [];
  if (host === '') return text.includes('@') ? IN_FILE : `expected ${FORMS}, found none of them`;
  if (path.includes('@')) return IN_FILE;
  if (path.startsWith(':')) return `expected ${FORMS}, found "::"`;
  if (!SAFE_HOST.test(host.replace(/^\[|\]$/g, '')))
    return `expected ${FORMS}, found a host name that none has`;
  if (user !== undefined && !SAFE_USER.test(user))
    return `expected ${FORMS}, found a user name that none has`;
  return null;
}

/** What is wrong with the address of a proxy; null when nothing is. */
export function whatIsWrongWithProxy(text: string): string | null {
  const forms = 'a proxy such as http://proxy.example.com:3128';
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hostname === '') return `expected ${forms}, found a URL that cannot be read`;
  if (!['http:', 'https:', 'socks5:', 'socks5h:'].includes(url.protocol))
    return `expected ${forms}, found another scheme`;
  if (url.username !== '' || url.password !== '') {
    return `expected ${forms} without user and password (a proxy variable of the environment may hold them), found one with them`;
  }
  return null;
}

/** The URL of a NATS server: credentials are in a file, as everywhere. */
export function whatIsWrongWithNats(text: string): string | null {
  const expected = 'expected a URL such as nats://a.example.com:4222';
  const url = /^(?:nats|tls):\/\//.test(text) && URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hostname === '') return `${expected}, found none`;
  if (url.username !== '' || url.password !== '')
    return `${expected}, found one with a user or password; put them into the file that \`credentials\` names`;
  if (url.pathname.replace('/', '') !== '' || url.search !== '' || url.hash !== '')
    return `${expected}, found one with a path or query`;
  return null;
}
