/** How OpenSSH is called: no configuration of anybody, no prompt, no unknown host key, one connection kept for a while. */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { AccessSettings } from '../model/repo.ts';

/** An unused connection stays open for so long: three looks of a minute, and a killed agent's is gone after it. */
const PERSIST_SECONDS = 180;
/** sun_path holds 108 bytes; ssh appends `/`, 40 hex digits and 4 of ours, and while it binds a dot and 16 characters. */
const FOLDER_MAX_BYTES = 108 - 1 - 44 - 17 - 1;

/**
 * The folder for connection sockets of the agent of this state folder: inside it, or, when that path is too long for a
 * socket, a private one of a fixed name in /tmp. Fixed, so that a crash leaves nothing that nobody finds again.
 */
export function decideSshFolder(state: string, uid: number): string {
  const inside = join(state, 'ssh');
  if (Buffer.byteLength(inside) <= FOLDER_MAX_BYTES) return inside;
  return `/tmp/pullyu-${uid}-${createHash('sha256').update(state).digest('hex').slice(0, 12)}`;
}

/** Makes the folder, for us alone. False when it is somebody else's or cannot be made: go without a kept connection. */
export function makeSshFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') return false;
  }
  try {
    const stats = lstatSync(folder);
    return stats.isDirectory() && stats.uid === process.getuid?.() && (stats.mode & 0o077) === 0;
  } catch {
    return false;
  }
}

/** Options of ssh, as `-F none -oX=y`. `folder`: an existing one of `makeSshFolder`, or null for no kept connection. */
export function sshOptions(access: AccessSettings, folder: string | null): string[] {
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    'ConnectTimeout=10',
    'ServerAliveInterval=10',
    'ServerAliveCountMax=3',
    'UpdateHostKeys=no',
    'ClearAllForwardings=yes',
    'PermitLocalCommand=no',
  ];
  if (access.sshKnownHosts !== null) {
    options.push(
      `UserKnownHostsFile=${quote(escapePercent(access.sshKnownHosts))}`,
      'GlobalKnownHostsFile=/dev/null',
    );
  }
  if (access.sshKey !== null) {
    options.push(
      'IdentitiesOnly=yes',
      `IdentityFile=${quote(escapePercent(access.sshKey))}`,
      'IdentityAgent=none',
    );
  }
  if (folder !== null) {
    options.push(
      'ControlMaster=auto',
      `ControlPath=${quote(join(escapePercent(folder), controlName(access)))}`,
      `ControlPersist=${PERSIST_SECONDS}`,
    );
  }
  return ['-F', 'none', ...options.map((option) => `-o${option}`)];
}

/** %C stands for host, port and user; two repos on one host with different keys must not share a connection. */
function controlName(access: AccessSettings): string {
  const ours = `${access.sshKey}\n${access.sshKnownHosts}`;
  return `%C${createHash('sha256').update(ours).digest('hex').slice(0, 4)}`;
}

/** `%` begins a token in ssh's configuration. */
function escapePercent(path: string): string {
  return path.replaceAll('%', '%%');
}

/** A value in ssh's configuration syntax: quotes keep spaces. */
function quote(value: string): string {
  return /[\s"\\]/.test(value) ? `"${value.replace(/["\\]/g, '\\$&')}"` : value;
}

/** One word for a shell. */
export function quoteShell(word: string): string {
  return /^[A-Za-z0-9_./=:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
