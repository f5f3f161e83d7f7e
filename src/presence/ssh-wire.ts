/** The few pieces of SSH's binary formats that keys and signatures are made of (RFC 4251 §5, RFC 8709). */

const KEY_TYPE = 'ssh-ed25519';
export const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

export function sshUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A string: its length, then its bytes. */
export function sshString(content: string | Uint8Array): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return Buffer.concat([sshUint32(bytes.length), bytes]);
}

/** @param raw The 32 bytes of an ed25519 public key. */
export function sshPublicKey(raw: Uint8Array): Buffer {
  return Buffer.concat([sshString(KEY_TYPE), sshString(raw)]);
}

/** @param raw The 64 bytes of an ed25519 signature. */
export function sshSignature(raw: Uint8Array): Buffer {
  return Buffer.concat([sshString(KEY_TYPE), sshString(raw)]);
}

/** `ssh-ed25519 AAAA...`, without a comment. */
export function formatPublicKey(raw: Uint8Array): string {
  return `${KEY_TYPE} ${sshPublicKey(raw).toString('base64')}`;
}

/** Base64 between two lines, as ssh-keygen writes it, ended by a line feed. */
export function formatArmour(name: string, content: Uint8Array): string {
  const lines =
    Buffer.from(content)
      .toString('base64')
      .match(/.{1,70}/g) ?? [];
  return [`-----BEGIN ${name}-----`, ...lines, `-----END ${name}-----`, ''].join('\n');
}

/** Reads one field after the other; null as soon as there are fewer bytes than a field says. */
export class WireReader {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  raw(length: number): Buffer | null {
    if (this.at + length > this.bytes.length) return null;
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  uint32(): number | null {
    return this.raw(4)?.readUInt32BE() ?? null;
  }

  string(): Buffer | null {
    const length = this.uint32();
    return length === null ? null : this.raw(length);
  }

  rest(): Buffer {
    return this.bytes.subarray(this.at);
  }
}
