import { accessSync, constants, existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseRemoteUrl } from '../git/remote-url.ts';
import { readGitVersion } from '../git/version.ts';
import type { HostConfig } from '../model/host.ts';
import { hostKeyPaths } from '../presence/host-key.ts';
import { findGroupHome, homeFacts, unitControllers } from '../runner/control-groups.ts';
import type { Paths } from '../system/paths.ts';
import type { FolderFacts, MachineFacts } from './doctor-machine.ts';
import { findProgram } from './machine.ts';

export interface MachineFactsOptions {
  readonly paths: Paths;
  /** null when there is none, or none that is valid. */
  readonly config: HostConfig | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly now: number;
  /** Of process.versions.node. */
  readonly nodeVersion: string;
}

/** Needed when host.yaml cannot say. */
const FREE_SPACE_DEFAULT = 256 * 1024 * 1024;

/** Asks the machine; changes nothing, and starts nothing but `git version`. */
export async function readMachineFacts(o: MachineFactsOptions): Promise<MachineFacts> {
  const { paths, config, env } = o;
  const git = await readGitVersion({ PATH: env.PATH ?? '/usr/bin:/bin' });
  const space = readSpace(paths.state);
  return {
    now: o.now,
    uid: o.uid,
    nodeVersion: o.nodeVersion,
    git: git.ok
      ? { version: git.value }
      : { problem: git.trouble.message, hint: git.trouble.hint ?? 'install git' },
    sshNeeded: (config?.repos ?? []).some((repo) => repo.remotes.some(isSsh)),
    sshFound: findProgram('ssh', env.PATH) !== null,
    folders: [readFolder('config', paths.config), readFolder('state', paths.state)],
    newestFileAt: newestFileAt(paths.state),
    freeBytes: space?.bytes ?? null,
    freeBytesNeeded: config?.limits.freeSpaceMinBytes ?? FREE_SPACE_DEFAULT,
    freeInodes: space?.inodes ?? null,
    limits: { ...limitMeans(o.uid), asked: askedLimits(config) },
    secrets: secretFiles(config, paths.state).map((path) => ({ path, mode: modeOf(path) })),
  };
}

/** As root under systemd, runs are units. */
function limitMeans(uid: number): Pick<MachineFacts['limits'], 'memory' | 'processes'> {
  const facts = homeFacts();
  if (uid === 0 && facts.systemdIsInit) return unitControllers();
  const home = findGroupHome(facts);
  return { memory: home.memory !== null, processes: home.processes !== null };
}

function askedLimits(config: HostConfig | null): MachineFacts['limits']['asked'] {
  const run = config?.limits.run ?? {};
  return (['memory', 'processes'] as const).filter((key) => run[key] !== undefined && run[key] !== null);
}

function isSsh(remote: string): boolean {
  const url = parseRemoteUrl(remote);
  return url.ok && url.value.protocol === 'ssh';
}

function readFolder(what: FolderFacts['what'], path: string): FolderFacts {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) return { path, what, mode: null, uid: null, writable: false };
  let writable = true;
  try {
    accessSync(path, constants.W_OK);
  } catch {
    writable = false;
  }
  return { path, what, mode: stats.mode, uid: stats.uid, writable };
}

function modeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.mode ?? null;
}

function secretFiles(config: HostConfig | null, state: string): string[] {
  const status = config?.status ?? null;
  const accesses = [...(config?.repos ?? []), ...(status === null ? [] : [status])];
  const named = [
    ...accesses.flatMap(({ access }) => [access.credentialsFile, access.sshKey, access.tlsKey]),
    ...(status?.nats ? [status.nats.credentialsFile, status.nats.tlsKey] : []),
  ];
  // Made with the first presence.
  const hostKey = hostKeyPaths(state).privateFile;
  if (existsSync(hostKey)) named.push(hostKey);
  return [...new Set(named.filter((path) => path !== null))];
}

/** Files beside the journal only: they are few, and written at every look. */
function newestFileAt(state: string): number | null {
  try {
    const times = readdirSync(state).map(
      (name) => statSync(join(state, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
    );
    return times.length === 0 ? null : Math.max(...times);
  } catch {
    return null;
  }
}

/** Of the nearest folder that is there. */
function readSpace(path: string): { bytes: number; inodes: number | null } | null {
  let folder = path;
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  try {
    const stats = statfsSync(folder);
    return { bytes: stats.bavail * stats.bsize, inodes: stats.files === 0 ? null : stats.ffree };
  } catch {
    return null;
  }
}
