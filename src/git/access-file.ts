/**
 * How a repository that scripts or people use by themselves reaches its remote: a piece of git configuration, which its `config`
 * includes. It names files and holds no secret of them; a credential is read from its file each time that git asks.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { RepoConfig } from '../model/repo.ts';
import { ok, type Result } from '../model/trouble.ts';
import { readFileOrNull, writeFileAtomic } from '../system/files.ts';
import { caFile } from './ca-file.ts';
import { DEFAULT_USERNAME } from './credentials.ts';
import { decideProxy } from './proxy.ts';
import { hostWithPort, parseRemoteUrl, type RemoteUrl } from './remote-url.ts';
import { quoteShell, sshOptions } from './ssh.ts';

/** In the `.git` of such a repository. */
export const ACCESS_FILE = 'pullyu-access';

type Settings = readonly (readonly [section: string, scope: string | null, key: string, value: string])[];

/** Writes the file when it differs. Only its owner may read it: a proxy may want a password. */
export function writeAccessFile(
  gitDir: string,
  repo: Pick<RepoConfig, 'access'>,
  remoteUrl: string,
  env: Readonly<Record<string, string | undefined>>,
): Result<null> {
  const url = parseRemoteUrl(remoteUrl);
  if (!url.ok) return url;
  const text = formatSettings(accessSettings(repo, url.value, env));
  const file = join(gitDir, ACCESS_FILE);
  if (readFileOrNull(file) !== text || (statSync(file).mode & 0o777) !== 0o600)
    writeFileAtomic(file, text, { mode: 0o600 });
  return ok(null);
}

/** Everything is bound to this one host: another remote of the repository gets nothing. */
export function accessSettings(
  repo: Pick<RepoConfig, 'access'>,
  url: RemoteUrl,
  env: Readonly<Record<string, string | undefined>>,
): Settings {
  const { access } = repo;
  if (url.protocol === 'ssh') {
    const command = ['ssh', ...sshOptions(access, null)].map(quoteShell).join(' ');
    return [['core', null, 'sshCommand', command]];
  }
  if (url.protocol !== 'http' && url.protocol !== 'https') return [];
  const scope = `${url.protocol}://${hostWithPort(url)}`;
  const proxy = decideProxy(url, access.proxy, env);
  const user =
    proxy?.username == null
      ? ''
      : `${encodeURIComponent(proxy.username)}:${encodeURIComponent(proxy.password ?? '')}@`;
  const http: [string, string | null][] = [
    ['sslCAInfo', caFile(access, env)],
    ['sslCert', access.tlsCert],
    ['sslKey', access.tlsKey],
    ['proxy', proxy === null ? null : proxy.url.replace('://', `://${user}`)],
  ];
  const helpers = [
    ...(access.credentialsFile === null ? [] : [fileHelper(access.credentialsFile)]),
    ...(access.credentialHelper === null ? [] : [access.credentialHelper]),
  ];
  return [
    ...http.flatMap(([key, value]) => (value === null ? [] : [['http', scope, key, value] as const])),
    // The empty one ends the list of whoever runs git: nobody else is asked, or told.
    ...(helpers.length === 0 ? [] : ['', ...helpers]).map(
      (helper) => ['credential', scope, 'helper', helper] as const,
    ),
  ];
}

/** A credential helper that answers `get` out of a file, in each of the formats that `parseCredentials` knows, and never writes. */
function fileHelper(file: string): string {
  const name = quoteShell(file);
  const lines = `grep -v -e '^[[:space:]]*$' -e '^[[:space:]]*#' ${name} | tr -d '\\r'`;
  return [
    '!f() { test "$1" = get || return 0;',
    `first=$(${lines} | head -n 1);`,
    'case $first in',
    `[A-Za-z]*://*) git credential-store --file=${name} get ;;`,
    `username=*|password=*) echo username=${DEFAULT_USERNAME}; ${lines} | grep -e '^username=' -e '^password=' ;;`,
    `?*) printf 'username=${DEFAULT_USERNAME}\\npassword=%s\\n' "$first" ;;`,
    'esac; }; f',
  ].join(' ');
}

export function formatSettings(settings: Settings): string {
  const lines = settings.map(([section, scope, key, value]) => {
    const name = scope === null ? `[${section}]` : `[${section} ${quote(scope)}]`;
    return `${name}\n\t${key} = ${quote(value)}\n`;
  });
  return `# Written by pullyu from host.yaml. Changes are undone.\n${lines.join('')}`;
}

function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}
