import type { RunLimits } from './action.ts';
import type { HostId } from './ids.ts';
import type { Labels, Selector } from './labels.ts';
import type { NewsLevel } from './news.ts';
import type { AccessSettings, RepoConfig } from './repo.ts';

/** A machine that runs the agent. */
export interface Host {
  readonly name: string;
  readonly id: HostId;
  readonly labels: Labels;
}

/** State of a host as it sees itself. A reader adds `silent`. */
export type HostState = 'setup' | 'working' | 'busy' | 'wedged' | 'paused';

/** host.yaml after parsing: every default decided, every path absolute. */
export interface HostConfig {
  /** Default: the host name of the machine. */
  readonly name: string;
  /** Labels of host.yaml only; the node facts of `nodeinfo` are merged by the agent (host.yaml wins). */
  readonly labels: Labels;
  readonly intervalMs: number;
  /** Folder of small files `<key>.txt`, one value each (`nodepart`, `stacktype`, ...); null when unused. */
  readonly nodeinfo: string | null;
  readonly repos: readonly RepoConfig[];
  /** Where this host publishes its presence and finds the others; null: it keeps to itself. */
  readonly status: StatusConfig | null;
  /** null: it writes none. */
  readonly metrics: MetricsConfig | null;
  /** null: it tells nobody. */
  readonly notify: NotifyConfig | null;
  readonly limits: Limits;
}

/** Where a host writes its metrics, for a collector on the same machine. */
export interface MetricsConfig {
  /** Absolute; replaced at once. Its folder must be there. */
  readonly file: string;
  /** One of several hosts of a machine: each sample says of which. */
  readonly isNamed: boolean;
}

/** How people are told what is news about the fleet. */
export interface NotifyConfig {
  /** Hosts that may send; exactly one of them does. */
  readonly from: Selector;
  /** What does not last so long is no news. */
  readonly holdMs: number;
  readonly channels: readonly ChannelConfig[];
}

export type ChannelConfig = { readonly level: NewsLevel } & (
  | ({ readonly kind: 'webhook'; readonly template: TemplateSource | null } & WebChannel)
  | ({ readonly kind: 'slack' | 'mattermost' | 'ntfy' } & WebChannel)
  | { readonly kind: 'script'; readonly program: string }
  | { readonly kind: 'mail'; readonly to: readonly string[] }
);

/** Files are read at each use. */
export interface WebChannel {
  /** One of both is given. May be a secret: never shown. */
  readonly url: string | null;
  readonly urlFile: string | null;
  /** Sent as `Authorization: Bearer`. */
  readonly tokenFile: string | null;
  /** Lines `Name: value`. */
  readonly headersFile: string | null;
  readonly tlsCa: string | null;
}

export type TemplateSource = { readonly text: string } | { readonly file: string };

/** At least one of `shards` and `nats` is given. */
export interface StatusConfig {
  /** Status repositories, URLs without credentials. Of several, a host writes to the one that its name hashes to, and reads all. */
  readonly shards: readonly string[];
  readonly access: AccessSettings;
  readonly nats: NatsConfig | null;
  /** Time from one presence to the next when nothing happens. */
  readonly heartbeatMs: number;
  /** A program that prints lines `key=value`, which become facts of the presence; null: none. */
  readonly facts: string | null;
}

export interface NatsConfig {
  /** `nats://host:port` or `tls://host:port`, without credentials. */
  readonly servers: readonly string[];
  /** A NATS .creds file, or lines `username=` and `password=`, or one token. Read at each connection. */
  readonly credentialsFile: string | null;
  readonly tlsCa: string | null;
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
}

/** Limits of the host, all in bytes, counts or milliseconds. Defaults in config/limits.ts. */
export interface Limits {
  /** No fetch is begun below this much free space on the state directory's file system. */
  readonly freeSpaceMinBytes: number;
  /** A single file that git may write (a pack); also bounds what a hostile server can send. */
  readonly fetchMaxBytes: number;
  /** Kept of one run's output: the first half and the last half of it. */
  readonly outputMaxBytes: number;
  /** Run folders kept per action, newest first. */
  readonly runsKeptPerAction: number;
  /** Of all run folders together. */
  readonly runsMaxBytes: number;
  /** Files in one tree. */
  readonly treeMaxFiles: number;
  /** Sum of the blob sizes of one tree. */
  readonly treeMaxBytes: number;
  /** One probe from the first byte sent to the last received. */
  readonly probeTimeoutMs: number;
  /** A fetch that makes no progress for this long is ended. */
  readonly fetchStallMs: number;
  /** A fetch that is no first clone is ended after this long in any case. */
  readonly fetchTimeoutMs: number;
  /** Of every action that says nothing itself. What is absent here too: `defaultRunLimits`. */
  readonly run?: RunLimits;
}
