/** Who this host is: made once, kept in the state folder, never derived from anything that a clone of the machine copies by intent. */
import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, PullyuError } from '../errors.ts';
import type { HostId } from '../model/ids.ts';
import { makeFolder, namedWriteError, readFileOrNull, writeFileAtomic } from '../system/files.ts';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const HOST_ID = /^[a-z2-7]{26}$/;

/**
 * Makes the state folder (other users may pass through to reach trees, not list) and reads or makes the host's id.
 * @throws PullyuError `no-permission`, `disk-full`, `read-only`, `usage` for a place where no folder can be.
 */
export function ensureIdentity(state: string): HostId {
  const file = join(state, 'host-id');
  const known = readFileOrNull(file)?.trim();
  if (known && HOST_ID.test(known)) return known as HostId;
  try {
    makeFolder(state);
    chmodSync(state, 0o711);
    const id = Array.from(randomBytes(26), (byte) => ALPHABET[byte & 31]).join('');
    writeFileAtomic(file, `${id}\n`, { mode: 0o644 });
    return id as HostId;
  } catch (error) {
    throw namedWriteError(error, state) ?? noPlace(error, state) ?? error;
  }
}

/** null before the first bootstrap. */
export function readIdentity(state: string): HostId | null {
  const known = readFileOrNull(join(state, 'host-id'))?.trim();
  return known && HOST_ID.test(known) ? (known as HostId) : null;
}

function noPlace(error: unknown, state: string): PullyuError | null {
  const errno = errnoOf(error);
  if (errno !== 'ENOTDIR' && errno !== 'EEXIST' && errno !== 'ENOENT') return null;
  return new PullyuError('usage', `expected a place where ${state} can be made, found none (${errno})`, {
    hint: 'look at --root DIR and PULLYU_ROOT: DIR is a folder',
    cause: error,
  });
}
