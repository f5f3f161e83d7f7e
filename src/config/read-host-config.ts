/**
 * host.yaml from the disk. One-shot looks start a process each minute, so the parsed form is kept in the state folder, and as long as
 * the file is the same neither the YAML parser nor the schema is loaded. Losing that copy costs one parse.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf, PullyuError } from '../errors.ts';
import type { HostConfig } from '../model/host.ts';
import { version } from '../model/version.ts';
import { stampOfFile, stampOfStats } from '../system/file-stamp.ts';
import { readFileOrNull, writeFileAtomic } from '../system/files.ts';
import type { Paths } from '../system/paths.ts';
import { CONFIG_MAX_BYTES } from './limits.ts';

const CACHE_FILE = 'config-cache.json';
/** A file that was changed this recently may be changed again without a new time stamp: its parse is not kept. */
const SETTLED_MS = 100;

interface Cache {
  /** Of what the copy was made: equal keys mean the same answer. */
  readonly key: string;
  readonly config: HostConfig;
}

export interface ReadHost {
  readonly config: HostConfig;
  /** Differs when the file was changed or replaced. */
  readonly stamp: string;
}

/** What `readHostConfig` would give as its stamp; null when there is no host.yaml. One stat. */
export function configStamp(paths: Paths): string | null {
  const stamp = stampOfFile(paths.hostFile);
  return stamp === '-' ? null : stamp;
}

/**
 * @param hostName The name of the machine, for a host.yaml without `name`.
 * @throws PullyuError `not-bootstrapped` without a host.yaml, `host-config` when it is not valid, `no-permission`.
 */
export async function readHostConfig(paths: Paths, hostName: string): Promise<ReadHost> {
  const { bytes, stamp, settled } = readHostFile(paths.hostFile);
  const key = JSON.stringify([version, paths.hostFile, hostName, stamp]);
  const kept = readCache(paths, key);
  if (kept !== null) return { config: kept, stamp };
  const { parseHostConfig } = await import('./host-config.ts');
  const config = parseHostConfig(bytes(), paths.hostFile, {
    hostName,
    configFolder: dirname(paths.hostFile),
  });
  if (settled) writeCache(paths, { key, config });
  return { config, stamp };
}

interface HostFile {
  readonly stamp: string;
  readonly settled: boolean;
  bytes(): Uint8Array;
}

function readHostFile(file: string): HostFile {
  try {
    const stats = statSync(file);
    const age = Date.now() - stats.ctimeMs;
    return { stamp: stampOfStats(stats), settled: age > SETTLED_MS, bytes: () => readBounded(file) };
  } catch (error) {
    throw named(error, file);
  }
}

/** One byte more than is allowed, so that the parser sees that it is too long. */
function readBounded(file: string): Uint8Array {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    throw named(error, file);
  }
  try {
    if (fstatSync(fd).isDirectory())
      throw new PullyuError('host-config', `expected a file, found a folder: ${file}`);
    const bytes = Buffer.alloc(CONFIG_MAX_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(fd, bytes, length, bytes.length - length, null);
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

function named(error: unknown, file: string): unknown {
  switch (errnoOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new PullyuError('not-bootstrapped', `expected ${file}, found none`, {
        hint: 'run `pullyu bootstrap URL` with the URL of your repository',
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return new PullyuError('no-permission', `no permission to read ${file}`, {
        hint: 'run as the user that owns it (root for a system-wide installation)',
        cause: error,
      });
    default:
      return error;
  }
}

/** null when there is none for this key, or it cannot be read. */
/** The configuration that was valid last, for the time in which host.yaml is not; null when none was kept. */
export function readLastValid(paths: Paths): HostConfig | null {
  return readCache(paths, null);
}

/** @param key null: whatever is kept of this version for this file. */
function readCache(paths: Paths, key: string | null): HostConfig | null {
  try {
    const cache = JSON.parse(
      readFileOrNull(join(paths.state, CACHE_FILE)) ?? 'null',
    ) as Partial<Cache> | null;
    const prefix = JSON.stringify([version, paths.hostFile]).slice(0, -1);
    const fits = key === null ? cache?.key?.startsWith(prefix) === true : cache?.key === key;
    return fits && isComplete(cache?.config) ? cache.config : null;
  } catch {
    return null;
  }
}

function isComplete(config: HostConfig | undefined): config is HostConfig {
  return (
    typeof config?.name === 'string' &&
    Array.isArray(config.repos) &&
    config.status !== undefined &&
    typeof config.limits?.fetchTimeoutMs === 'number'
  );
}

/** A state folder that is missing, full or another user's costs speed, not work. */
function writeCache(paths: Paths, cache: Cache): void {
  try {
    writeFileAtomic(join(paths.state, CACHE_FILE), `${JSON.stringify(cache)}\n`, {
      mode: 0o600, // host.yaml may be meant for one user only.
      durable: false,
    });
  } catch {
    // As said.
  }
}
