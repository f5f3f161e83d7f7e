/** A real OpenSSH server on a port of its own, with a deploy key that may do one thing: fetch one repository. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { type Child, freePort, startChild, untilListening } from './child.ts';
import { requireProgram } from './needs.ts';
import { createSshKey } from './ssh-key.ts';
import { tempFolder } from './temp.ts';

export interface SshdOptions {
  /** The bare repository that the deploy key may fetch. */
  readonly bare: string;
  /** Lets clients ask for protocol v2 (AcceptEnv GIT_PROTOCOL); default true. */
  readonly acceptProtocol?: boolean;
  /** The deploy key may also push to it; default false. */
  readonly mayPush?: boolean;
}

export interface Sshd extends AsyncDisposable {
  readonly port: number;
  /** `ssh://USER@127.0.0.1:PORT/it.git`: the forced command decides what it means. */
  readonly url: string;
  /** The private deploy key. */
  readonly key: string;
  /** A key that the server does not know. */
  readonly strangerKey: string;
  /** known_hosts with the first host key: after `rotateHostKey` it no longer fits. */
  readonly knownHosts: string;
  /** A new host key, as after a reinstallation. `trust` also writes it to known_hosts. */
  rotateHostKey(options?: { trust?: boolean }): Promise<void>;
  setAcceptProtocol(accept: boolean): Promise<void>;
  /** How many times a client was let in; multiplexed sessions count once. */
  logins(): number;
  /** How many times the forced command ran: one per question or fetch. */
  sessions(): number;
  /** The server and every session of it end; the port stays its own. */
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function startSshd(options: SshdOptions): Promise<Sshd> {
  const program = requireProgram('sshd');
  const temp = tempFolder('sshd');
  const at = (name: string) => join(temp.path, name);
  const port = await freePort();
  const { username } = userInfo();
  const publicKey = await createSshKey(at('deploy'));
  await createSshKey(at('stranger'));
  let hostKey = await createSshKey(at('host-key'));
  const trustHost = () => writeFileSync(at('known_hosts'), `[127.0.0.1]:${port} ${hostKey}\n`);
  trustHost();
  writeFileSync(at('sessions'), '');
  // The command of the key, not that of the client, is run: whatever is asked for, this repository is fetched.
  const pushed = options.mayPush
    ? `case "$SSH_ORIGINAL_COMMAND" in git-receive-pack*) exec git-receive-pack ${options.bare} ;; esac\n`
    : '';
  writeFileSync(
    at('fetch'),
    `#!/bin/sh\necho "$GIT_PROTOCOL" >> ${at('sessions')}\n${pushed}exec git-upload-pack ${options.bare}\n`,
    { mode: 0o755 },
  );
  writeFileSync(at('authorized_keys'), `restrict,command="${at('fetch')}" ${publicKey}\n`, { mode: 0o600 });
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 }); // privilege separation
  let acceptProtocol = options.acceptProtocol ?? true;
  let server: Child | null = null;
  let said = '';

  const start = async () => {
    if (server) return;
    writeFileSync(
      at('sshd_config'),
      [
        `ListenAddress 127.0.0.1:${port}`,
        `HostKey ${at('host-key')}`,
        `AuthorizedKeysFile ${at('authorized_keys')}`,
        `PidFile ${at('sshd.pid')}`,
        // The folder above ours is the system's temporary one, which everybody may write.
        'StrictModes no',
        'UsePAM no',
        'PasswordAuthentication no',
        'KbdInteractiveAuthentication no',
        'PermitRootLogin prohibit-password',
        'LogLevel VERBOSE',
        'MaxStartups 100',
        ...(acceptProtocol ? ['AcceptEnv GIT_PROTOCOL'] : []),
      ].join('\n'),
    );
    server = startChild([program, '-D', '-e', '-f', at('sshd_config')], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    await untilListening(server, port);
  };
  const stop = async () => {
    await server?.close();
    said += server?.output() ?? '';
    server = null;
  };
  const restart = async () => {
    await stop();
    await start();
  };
  await start();
  const close = async () => {
    await stop();
    temp[Symbol.dispose]();
  };
  return {
    port,
    url: `ssh://${username}@127.0.0.1:${port}/it.git`,
    key: at('deploy'),
    strangerKey: at('stranger'),
    knownHosts: at('known_hosts'),
    rotateHostKey: async (more = {}) => {
      hostKey = await createSshKey(at('host-key'));
      if (more.trust) trustHost();
      await restart();
    },
    setAcceptProtocol: async (accept) => {
      acceptProtocol = accept;
      await restart();
    },
    logins: () => `${said}${server?.output() ?? ''}`.split('Accepted publickey').length - 1,
    sessions: () => readFileSync(at('sessions'), 'utf8').split('\n').length - 1,
    start,
    stop,
    close,
    [Symbol.asyncDispose]: close,
  };
}
