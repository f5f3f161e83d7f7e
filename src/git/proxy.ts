/** Which proxy is between us and a remote: pure decisions. */
import type { RemoteUrl } from './remote-url.ts';
import { hostWithPort } from './remote-url.ts';

export interface ProxySettings {
  /** `http:` or `https:` are spoken here; anything else (`socks5:`) only by git. */
  readonly scheme: string;
  /** Without user name and password. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly username: string | null;
  readonly password: string | null;
}

/**
 * `setting` (access.proxy) goes before the environment: http_proxy, https_proxy, all_proxy in lower or upper case,
 * unless no_proxy names the host. Null: go straight. An unusable value is null as well: straight fails visibly.
 */
export function decideProxy(
  url: RemoteUrl,
  setting: string | null,
  env: Readonly<Record<string, string | undefined>>,
): ProxySettings | null {
  if (url.protocol !== 'http' && url.protocol !== 'https') return null;
  if (setting !== null) return setting === '' ? null : parseProxy(setting);
  const name = `${url.protocol}_proxy`;
  const value = env[name] || env[name.toUpperCase()] || env.all_proxy || env.ALL_PROXY;
  if (!value || isExempt(url, env.no_proxy ?? env.NO_PROXY ?? '')) return null;
  return parseProxy(value);
}

/** `http://user:password@host:port`, or `host:port`. */
export function parseProxy(text: string): ProxySettings | null {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) return null;
  const url = new URL(full);
  if (url.hostname === '') return null;
  const port =
    url.port === '' ? (url.protocol === 'https:' ? 443 : url.protocol === 'http:' ? 80 : 1080) : +url.port;
  try {
    return {
      scheme: url.protocol,
      url: `${url.protocol}//${url.hostname}:${port}`,
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port,
      username: url.username === '' ? null : decodeURIComponent(url.username),
      password: url.username === '' ? null : decodeURIComponent(url.password),
    };
  } catch {
    return null; // A stray percent sign in user name or password.
  }
}

/** no_proxy as curl reads it: `*`, or names separated by commas or spaces; a name also covers what is below it. */
export function isExempt(url: RemoteUrl, noProxy: string): boolean {
  const names = noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean);
  const withPort = hostWithPort(url);
  return names.some((name) => {
    if (name === '*') return true;
    const plain = name.replace(/^\*?\./, '');
    return url.host === plain || withPort === plain || url.host.endsWith(`.${plain}`);
  });
}
