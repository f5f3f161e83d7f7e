/** A host's public key as OpenSSH writes it: `ssh-ed25519 AAAA...`, and no other type of key. */

/** 51 bytes, of which the first 19 are always the same: the one way in which base64 can say a key. */
const TYPE_AND_KEY = /^(ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-P][A-Za-z0-9+/]{42})(?:[ \t].*)?$/;

/** The line of a .pub file without its comment, so that two of them can be compared; null for anything else. */
export function plainPublicKey(line: string): string | null {
  return TYPE_AND_KEY.exec(line.trim())?.[1] ?? null;
}
