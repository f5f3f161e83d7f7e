/** The host's own key: made once, kept in the state folder, signs what the host says about itself and nothing else. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { chmodSync, linkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, PullyuError } from '../errors.ts';
import {
  makeFolder,
  namedWriteError,
  readFileOrNull,
  sweepTemporaries,
  syncFolder,
  writeFileAtomic,
} from '../system/files.ts';
import {
  formatArmour,
  formatPublicKey,
  KEY_BYTES,
  sshPublicKey,
  sshString,
  sshUint32,
  WireReader,
} from './ssh-wire.ts';
import type { SigningKey } from './sshsig.ts';

export interface HostKey extends SigningKey {
  /** `ssh-ed25519 AAAA...`, without the comment: what hosts.yaml lists. */
  readonly publicKey: string;
}

const ARMOUR = 'OPENSSH PRIVATE KEY';
const MAGIC = Buffer.from('openssh-key-v1\0');
/** What node:crypto wants before the 32 bytes of a private key (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
/** Of the block that a cipher would take: so many bytes at least are the padding's unit when nothing is encrypted. */
const BLOCK_BYTES = 8;

export function hostKeyPaths(stateFolder: string): {
  folder: string;
  privateFile: string;
  publicFile: string;
} {
  const folder = join(stateFolder, 'keys');
  const privateFile = join(folder, 'host_ed25519');
  return { folder, privateFile, publicFile: `${privateFile}.pub` };
}

/**
 * The key of this host, made when there is none; of two processes that make it at once both get the one that was first. The public file
 * is written after the private one: a crash between the two, or its removal, costs nothing, it is written again.
 * @param hostName Becomes the comment of the key.
 * @throws PullyuError `refused` when the file is there and holds no key (no other is made: the fleet knows the old one);
 *   `disk-full`, `read-only`, `no-permission`.
 */
export function ensureHostKey(stateFolder: string, hostName: string): HostKey {
  const { folder, publicFile } = hostKeyPaths(stateFolder);
  try {
    const key = readHostKey(stateFolder) ?? makeHostKey(stateFolder, hostName);
    if (readFileOrNull(publicFile)?.startsWith(`${key.publicKey} `) !== true) {
      sweepTemporaries(folder, isLeft);
      writeFileAtomic(publicFile, `${key.publicKey} ${hostName}\n`);
    }
    return key;
  } catch (error) {
    throw namedWriteError(error, folder) ?? error;
  }
}

function makeHostKey(stateFolder: string, hostName: string): HostKey {
  const { folder, privateFile } = hostKeyPaths(stateFolder);
  // As a temporary file is called, so that it is swept like one.
  const fresh = `${privateFile}.${process.pid.toString(16).padStart(8, '0')}.tmp`;
  makeFolder(folder, 0o700);
  chmodSync(folder, 0o700);
  sweepTemporaries(folder, isLeft);
  writeFileAtomic(fresh, formatPrivateKey(generateHostKey(), hostName), { mode: 0o600 });
  try {
    // Unlike a rename, this replaces nothing. A crash after it leaves a second name of the same key.
    linkSync(fresh, privateFile);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
  syncFolder(folder);
  return readHostKey(stateFolder)!;
}

const LEFT_MS = 60_000;

/** Younger ones may be another process's that is about to use them. */
function isLeft(_name: string, ageMs: number): boolean {
  return ageMs > LEFT_MS;
}

/**
 * null before the first bootstrap.
 * @throws PullyuError `refused` when the file holds no key that we can use.
 */
export function readHostKey(stateFolder: string): HostKey | null {
  const file = hostKeyPaths(stateFolder).privateFile;
  const text = readFileOrNull(file);
  if (text === null) return null;
  const key = parsePrivateKey(text);
  if (key !== null) return key;
  throw new PullyuError('refused', `expected an ed25519 key without a passphrase in ${file}, found none`, {
    hint: `bring it back from a backup; or remove it, and a new one is made (then change hosts.yaml, where it lists the old one)`,
  });
}

function generateHostKey(): HostKey {
  return keyOf(generateKeyPairSync('ed25519').privateKey);
}

function keyOf(privateKey: KeyObject): HostKey {
  const publicBytes = createPublicKey(privateKey)
    .export({ format: 'der', type: 'spki' })
    .subarray(-KEY_BYTES);
  return { privateKey, publicBytes, publicKey: formatPublicKey(publicBytes) };
}

/** https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key */
export function formatPrivateKey(key: SigningKey, comment: string): string {
  const seed = key.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-KEY_BYTES);
  const check = randomBytes(4);
  const secret = Buffer.concat([
    check,
    check,
    sshPublicKey(key.publicBytes),
    sshString(Buffer.concat([seed, key.publicBytes])),
    sshString(comment),
  ]);
  const padding = Array.from({ length: -secret.length & (BLOCK_BYTES - 1) }, (_, n) => n + 1);
  const blob = Buffer.concat([
    MAGIC,
    sshString('none'),
    sshString('none'),
    sshString(''),
    sshUint32(1),
    sshString(sshPublicKey(key.publicBytes)),
    sshString(Buffer.concat([secret, Buffer.from(padding)])),
  ]);
  return formatArmour(ARMOUR, blob);
}

/** Also one that ssh-keygen made. null: another type, with a passphrase, damaged. */
export function parsePrivateKey(text: string): HostKey | null {
  const armoured =
    /^-----BEGIN OPENSSH PRIVATE KEY-----\n([A-Za-z0-9+/=\n]{1,4096})-----END OPENSSH PRIVATE KEY-----\n*$/;
  const blob = new WireReader(Buffer.from(armoured.exec(text)?.[1] ?? '', 'base64'));
  if (blob.raw(MAGIC.length)?.equals(MAGIC) !== true) return null;
  const ciphers = [blob.string(), blob.string(), blob.string()].map(String);
  if (ciphers.join() !== 'none,none,' || blob.uint32() !== 1) return null;
  const outer = blob.string();
  const secret = new WireReader(blob.string() ?? Buffer.alloc(0));
  const checks = [secret.uint32(), secret.uint32()];
  if (checks[0] === null || checks[0] !== checks[1]) return null;
  const type = secret.string();
  const publicBytes = secret.string();
  const both = secret.string();
  if (type?.toString() !== 'ssh-ed25519' || both?.length !== 2 * KEY_BYTES) return null;
  const der = Buffer.concat([PKCS8, both.subarray(0, KEY_BYTES)]);
  const key = keyOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  // The seed says which public key belongs to it: whatever the file says must agree.
  const said = [publicBytes, both.subarray(KEY_BYTES), outer?.subarray(-KEY_BYTES)];
  return said.every((bytes) => bytes?.equals(key.publicBytes) === true) ? key : null;
}
