/** Git on the other side of ssh: the command line, the environment, and where its greeting ends. */
import type { AccessSettings } from '../model/repo.ts';
import type { RemoteUrl } from './remote-url.ts';
import { sshOptions } from './ssh.ts';

export function sshEnvironment(
  access: AccessSettings,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return {
    PATH: env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    LC_ALL: 'C',
    ...(env.HOME ? { HOME: env.HOME } : {}),
    // Without a key of its own, the repo uses what the operator's agent holds.
    ...(access.sshKey === null && env.SSH_AUTH_SOCK ? { SSH_AUTH_SOCK: env.SSH_AUTH_SOCK } : {}),
    GIT_PROTOCOL: 'version=2',
  };
}

const CONNECT_MAX_SECONDS = 10;

/** @param more Options, and the command for the other side. */
export function sshCommand(
  access: AccessSettings,
  url: RemoteUrl,
  { folder, timeoutMs }: { folder: string | null; timeoutMs: number },
  more: readonly string[],
): string[] {
  const connectSeconds = Math.min(CONNECT_MAX_SECONDS, Math.max(1, Math.floor(timeoutMs / 2_000)));
  return [
    'ssh',
    // The first one counts. It is per address: of a name with one that swallows everything, another must have its turn.
    `-oConnectTimeout=${connectSeconds}`,
    ...sshOptions(access, folder),
    ...(url.port === null ? [] : ['-p', String(url.port)]),
    ...more.filter((word) => word.startsWith('-')),
    '--',
    url.user === null ? url.host : `${url.user}@${url.host}`,
    ...more.filter((word) => !word.startsWith('-')),
  ];
}

/** The index behind the first flush. */
export function endOfFirstList(bytes: Buffer): number {
  let at = 0;
  while (at + 4 <= bytes.length) {
    const length = Number.parseInt(bytes.toString('latin1', at, at + 4), 16);
    at += Math.max(4, length);
    if (length === 0) break;
  }
  return at;
}

/** For the shell over there, always in quotes, as git sends it: restricted shells look for them. */
export function quotePath(path: string): string {
  return `'${path.replace(/['!]/g, (char) => `'\\${char}'`)}'`;
}
