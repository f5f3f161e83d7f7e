/** host.yaml: text in, a configuration with every default decided out. Pure. */
import { isAbsolute, join } from 'node:path';
import type { HostConfig, Limits } from '../model/host.ts';
import type { Labels } from '../model/labels.ts';
import type { AccessSettings, ConventionSettings, RepoConfig } from '../model/repo.ts';
import { type Checked, type CheckOptions, checkText } from './check-text.ts';
import { CLASSIC, NODEWORK } from './convention.ts';
import { parseDuration } from './duration.ts';
import { type HostValues, hostSchema } from './host-schema.ts';
import { decideMetrics } from './metrics-schema.ts';
import { decideNotify } from './notify-schema.ts';
import { type Problem, problemsError } from './problem.ts';
import { decideRunLimits } from './schema-parts.ts';
import { parseSize } from './size.ts';
import { decideStatus } from './status-schema.ts';
import { parseTrack } from './track.ts';

export interface HostDefaults {
  /** The name that the machine has. */
  readonly hostName: string;
  /** The folder of host.yaml: relative paths begin there. */
  readonly configFolder: string;
}

const PUBLIC = new Set(['track', 'pull', 'clone', 'submodules', 'lfs', 'convention']);

const OPTIONS: CheckOptions = {
  isText: (path) =>
    path[0] === 'name' ||
    path[0] === 'labels' ||
    (path[0] === 'repos' && (path[2] === 'track' || path[2] === 'remotes')) ||
    (path[0] === 'notify' && path[1] === 'from') ||
    (path[0] === 'status' && ['remote', 'shards', 'nats'].includes(String(path[1]))),
  isSecret: (path) =>
    (path[0] === 'repos' && path.length > 1 && !PUBLIC.has(String(path[2]))) ||
    (path[0] === 'status' && path.length > 1 && path[1] !== 'heartbeat') ||
    (path[0] === 'notify' && path[1] === 'channels' && path[3] !== 'level'),
};

/**
 * @param text Bytes where there are bytes: then what is not UTF-8 is found too. An empty file is a valid one.
 * @param file As messages name it.
 * @throws PullyuError `host-config` with a line `file:line:column: message` for every problem.
 */
export function parseHostConfig(text: string | Uint8Array, file: string, defaults: HostDefaults): HostConfig {
  const checked = checkHostText(text);
  if (checked.values === null) throw problemsError('host-config', file, checked.problems);
  return decideHost(checked.values, defaults);
}

export function checkHostText(text: string | Uint8Array): Checked<HostValues> {
  const checked = checkText(hostSchema, text, OPTIONS);
  const problems = checked.values === null ? [] : checkPairs(checked.values, checked);
  return problems.length === 0 ? checked : { ...checked, values: null, problems };
}

/** What only makes sense together. */
function checkPairs(values: HostValues, checked: Checked<HostValues>): Problem[] {
  return [
    ...checkTlsPairs(values, checked),
    ...checkStatusRepo(values, checked),
    ...checkNotify(values, checked),
  ];
}

/** Every push of a presence would be a new commit to look at, and the config repo is only ever read. */
function checkStatusRepo({ repos, status }: HostValues, { text }: Checked<HostValues>): Problem[] {
  if (status === undefined) return [];
  const given: [readonly (string | number)[], string][] = [
    ...(status.remote === undefined ? [] : [[['status', 'remote'], status.remote] as [string[], string]]),
    ...(status.shards ?? []).map((url, n): [(string | number)[], string] => [['status', 'shards', n], url]),
  ];
  return given.flatMap(([path, url]) => {
    const polled = Object.entries(repos).find(([, repo]) =>
      repo.remotes.some((remote) => plainRemote(remote) === plainRemote(url)),
    );
    if (polled === undefined) return [];
    const message = `${path.join('.')}: expected a repository of its own, found a remote of repo ${polled[0]}`;
    return [{ ...text.at([...path], 'value'), message }];
  });
}

/** Without a status nobody knows what the others do. */
function checkNotify({ notify, status }: HostValues, { text }: Checked<HostValues>): Problem[] {
  if (notify === undefined || status !== undefined) return [];
  return [{ ...text.at(['notify'], 'key'), message: 'notify: expected status beside it, found none' }];
}

/** Two spellings of one place: with and without `.git` and the last slash. */
function plainRemote(url: string): string {
  return url
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .replace(/^file:\/\//, '')
    .toLowerCase();
}

function checkTlsPairs(values: HostValues, { text }: Checked<HostValues>): Problem[] {
  return Object.entries(values.repos).flatMap(([name, { tls }]) => {
    if ((tls?.cert === undefined) === (tls?.key === undefined)) return [];
    const [given, missing] = tls?.cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
    const path = ['repos', name, 'tls'];
    return [
      {
        ...text.at([...path, given], 'key'),
        message: `repos.${name}.tls: expected ${missing} beside ${given}, found none`,
      },
    ];
  });
}

/** @param values As the schema gives them. */
export function decideHost(values: HostValues, defaults: HostDefaults): HostConfig {
  const path = (text: string | undefined) =>
    text === undefined ? null : isAbsolute(text) ? text : join(defaults.configFolder, text);
  return {
    name: values.name === undefined ? plainName(defaults.hostName) : String(values.name),
    labels: textValues(values.labels),
    intervalMs: parseDuration(values.interval)!,
    nodeinfo: path(values.nodeinfo),
    repos: Object.entries(values.repos).map(([name, repo]) => decideRepo(name, repo, path)),
    status: values.status === undefined ? null : decideStatus(values.status, path),
    metrics: values.metrics === undefined ? null : decideMetrics(values.metrics, path),
    notify: values.notify === undefined ? null : decideNotify(values.notify, path),
    limits: decideLimits(values.limits),
  };
}

/** A machine may be called `WEB_17.Example.com.`; what we call it is part of file and ref names. */
export function plainName(hostName: string): string {
  const plain = hostName
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64)
    .replace(/[.-]+$/, '');
  return plain === '' ? 'host' : plain;
}

function textValues(values: HostValues['labels']): Labels {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, String(value)]));
}

type RepoValues = HostValues['repos'][string];

function decideRepo(
  name: string,
  repo: RepoValues,
  path: (text: string | undefined) => string | null,
): RepoConfig {
  const access: AccessSettings = {
    credentialsFile: path(repo.credentials),
    credentialHelper: repo.credentialHelper ?? null,
    sshKey: path(repo.ssh?.key),
    sshKnownHosts: path(repo.ssh?.knownHosts),
    tlsCa: path(repo.tls?.ca),
    tlsCert: path(repo.tls?.cert),
    tlsKey: path(repo.tls?.key),
    proxy: repo.proxy ?? null,
  };
  return {
    name,
    remotes: repo.remotes,
    track: typeof repo.track === 'object' ? { tag: String(repo.track.tag) } : parseTrack(String(repo.track)),
    pull: repo.pull,
    clone: repo.clone,
    submodules: repo.submodules,
    lfs: repo.lfs,
    convention: decideConvention(repo.convention),
    access,
  };
}

export function decideConvention(value: RepoValues['convention']): ConventionSettings {
  if (value === 'classic') return CLASSIC;
  return value === 'nodework' ? NODEWORK : { init: value.init, work: value.work };
}

function decideLimits(values: HostValues['limits']): Limits {
  const run = decideRunLimits(values);
  return {
    freeSpaceMinBytes: parseSize(values.freeSpaceMin)!,
    fetchMaxBytes: parseSize(values.fetchMax)!,
    outputMaxBytes: parseSize(values.outputMax)!,
    runsKeptPerAction: values.runsKeptPerAction,
    runsMaxBytes: parseSize(values.runsMax)!,
    treeMaxFiles: values.treeMaxFiles,
    treeMaxBytes: parseSize(values.treeMaxSize)!,
    probeTimeoutMs: parseDuration(values.probeTimeout)!,
    fetchStallMs: parseDuration(values.fetchStall)!,
    fetchTimeoutMs: parseDuration(values.fetchTimeout)!,
    ...(run === undefined ? {} : { run }),
  };
}
