/**
 * Signatures over presences in OpenSSH's own format, so that `ssh-keygen -Y verify` takes ours and we take those of
 * `ssh-keygen -Y sign`; made and verified here, without a process (decision 030).
 * https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { PRESENCE_NAMESPACE } from '../model/presence.ts';
import {
  formatArmour,
  formatPublicKey,
  KEY_BYTES,
  SIGNATURE_BYTES,
  sshPublicKey,
  sshSignature,
  sshString,
  sshUint32,
} from './ssh-wire.ts';

export interface SigningKey {
  readonly privateKey: KeyObject;
  /** The 32 bytes of the public half. */
  readonly publicBytes: Buffer;
}

const MAGIC = Buffer.from('SSHSIG');
const ARMOUR = 'SSH SIGNATURE';
/** Namespace, nothing in the reserved field, and the hash: the same in what is signed and in what is written. */
const TERMS = Buffer.concat([sshString(PRESENCE_NAMESPACE), sshString(''), sshString('sha512')]);
const VERSION_1 = sshUint32(1);
/** Magic, version, length of the public key, type of the key with its length, length of the bytes. */
const KEY_AT = 6 + 4 + 4 + (4 + 11) + 4;
const BLOB_BYTES = KEY_AT + KEY_BYTES + TERMS.length + 4 + (4 + 11) + 4 + SIGNATURE_BYTES;
/** An armoured signature has one length, whoever signed what. */
const ARMOURED_LENGTH = formatArmour(ARMOUR, Buffer.alloc(BLOB_BYTES)).length;

/** @returns The armoured signature over the UTF-8 bytes of `text`. */
export function signPresence(text: string, key: SigningKey): string {
  return formatSignature(key.publicBytes, sign(null, signedBytes(text), key.privateKey));
}

/**
 * Never throws, whatever it is given.
 * @returns The public key (`ssh-ed25519 AAAA...`) that signed `text`; null when the signature is not valid, or of another namespace,
 *   hash or type of key. Whether this is the key of the host is for the caller to say.
 */
export function verifySignature(text: string, signature: string): string | null {
  const found = parseSignature(signature);
  if (found === null) return null;
  try {
    return verify(null, signedBytes(text), publicKeyOf(found.key), found.signature)
      ? formatPublicKey(found.key)
      : null;
  } catch {
    // 32 bytes that are no point of the curve.
    return null;
  }
}

/** As a JWK it costs a tenth of what it costs as DER. */
function publicKeyOf(raw: Buffer): KeyObject {
  const key = { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') };
  return createPublicKey({ key, format: 'jwk' });
}

function signedBytes(text: string): Buffer {
  const digest = createHash('sha512').update(text, 'utf8').digest();
  return Buffer.concat([MAGIC, TERMS, sshString(digest)]);
}

function formatSignature(key: Uint8Array, signature: Uint8Array): string {
  const blob = [MAGIC, VERSION_1, sshString(sshPublicKey(key)), TERMS, sshString(sshSignature(signature))];
  return formatArmour(ARMOUR, Buffer.concat(blob));
}

/**
 * There is one way to write a key and a signature: they are taken from their places, and what they give when written must be what was
 * read. So nothing that lengths, other fields or loose base64 could say needs to be understood.
 */
function parseSignature(text: string): { key: Buffer; signature: Buffer } | null {
  const whole = text.endsWith('\n') ? text : `${text}\n`;
  if (whole.length !== ARMOURED_LENGTH) return null;
  const blob = Buffer.from(whole.split('\n').slice(1, -2).join(''), 'base64');
  if (blob.length !== BLOB_BYTES) return null;
  const key = blob.subarray(KEY_AT, KEY_AT + KEY_BYTES);
  const signature = blob.subarray(-SIGNATURE_BYTES);
  return formatSignature(key, signature) === whole ? { key, signature } : null;
}
