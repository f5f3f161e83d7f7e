import type { Limits } from '../model/host.ts';
import type { CommitId } from '../model/ids.ts';
import type { Result } from '../model/trouble.ts';
import type { Wanted } from './probe-wanted.ts';

export interface ProbeAnswer {
  /** Annotated tags are peeled. */
  readonly commit: CommitId;
  /** Full name of the ref, or the commit id when a commit is tracked. */
  readonly ref: string;
  /** Where to fetch from: the remote's URL, or where a redirect led from it. */
  readonly url: string;
}

export interface ProberOptions {
  readonly limits: Pick<Limits, 'probeTimeoutMs'>;
  /** Our own environment: proxies, HOME and PATH for credential helpers, SSH_AUTH_SOCK. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder of kept ssh connections: `decideSshFolder`. Without it each ssh probe makes a connection of its own. */
  readonly sshFolder?: string | null;
  /** Wall clock, milliseconds since 1970. Only for dates in Retry-After. */
  readonly now?: () => number;
  /** What an earlier process knew. Wrong or old, it costs one more question. */
  readonly known?: KnownServers;
}

/** What a server was found to speak. A new process that knows it asks its question at once, without asking that first. */
export interface KnownServer {
  readonly version: 2;
  readonly objectFormat: string | null;
}

/** By the URL of the remote. */
export type KnownServers = Readonly<Record<string, KnownServer>>;

/** Probes one remote of one repo, and keeps what makes the next probe cheap. */
export interface RemoteProber {
  probe(wanted: Wanted, signal?: AbortSignal): Promise<Result<ProbeAnswer>>;
  /** null: nothing that another process could use. */
  known?(): KnownServer | null;
  close(): void;
}
