/** The cheap question "which commit has this ref?", over every protocol. */
import { isCommitId } from '../model/ids.ts';
import type { RepoConfig, Tracking } from '../model/repo.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import type { KnownServer, KnownServers, ProbeAnswer, ProberOptions, RemoteProber } from './probe-types.ts';
import { type Wanted, wantedRefs } from './probe-wanted.ts';
import { decideProxy } from './proxy.ts';
import { parseRemoteUrl, type RemoteUrl } from './remote-url.ts';

export type { KnownServers, ProbeAnswer, ProberOptions } from './probe-types.ts';

export interface Prober {
  /**
   * Which commit has the tracked ref at this remote? One probe at a time per remote; ends within
   * `limits.probeTimeoutMs`. An answer that is empty, cut off or not git's is a trouble, never "nothing".
   */
  probe(
    repo: RepoConfig,
    remoteUrl: string,
    tracking: Tracking,
    signal?: AbortSignal,
  ): Promise<Result<ProbeAnswer>>;
  /** What was found out, or was known before: for `known` of the next process. */
  known(): KnownServers;
  /** Ends kept connections. */
  close(): void;
}

interface Entry {
  readonly repo: RepoConfig;
  readonly url: string;
  readonly remote: RemoteProber;
  asked: { readonly tracking: Tracking; readonly wanted: Wanted } | null;
}

export function createProber(o: ProberOptions): Prober {
  /** By repo and URL. */
  const entries = new Map<string, Entry>();

  async function entryFor(repo: RepoConfig, remoteUrl: string): Promise<Result<Entry>> {
    const key = `${repo.name} ${remoteUrl}`;
    const known = entries.get(key);
    // Another object is another configuration: connections were made by the old one.
    if (known?.repo === repo) return ok(known);
    known?.remote.close();
    entries.delete(key);
    const url = parseRemoteUrl(remoteUrl);
    if (!url.ok) return url;
    const entry = { repo, url: remoteUrl, remote: await createRemoteProber(repo, url.value, o), asked: null };
    entries.set(key, entry);
    return ok(entry);
  }

  return {
    async probe(repo, remoteUrl, tracking, signal) {
      if (tracking.kind === 'commit') return answerForCommit(tracking.id, remoteUrl);
      const entry = await entryFor(repo, remoteUrl);
      if (!entry.ok) return entry;
      const { value } = entry;
      if (value.asked === null || !isSameTracking(value.asked.tracking, tracking)) {
        value.asked = { tracking, wanted: wantedRefs(tracking) };
      }
      return value.remote.probe(value.asked.wanted, signal);
    },
    known() {
      const known: Record<string, KnownServer> = { ...o.known };
      for (const { url, remote } of entries.values()) {
        const server = remote.known?.();
        if (server != null) known[url] = server;
        else if (server === null) delete known[url];
      }
      return known;
    },
    close() {
      for (const entry of entries.values()) entry.remote.close();
      entries.clear();
    },
  };
}

/** Only what the protocol needs is loaded: a one-shot look starts a process each minute. */
async function createRemoteProber(repo: RepoConfig, url: RemoteUrl, o: ProberOptions): Promise<RemoteProber> {
  const proxy = decideProxy(url, repo.access.proxy, o.env);
  if (url.protocol === 'http' || url.protocol === 'https') {
    // Other proxies (socks5, and TLS to a proxy for plain http) only git can speak to.
    const isOurs = proxy === null || proxy.scheme === 'http:' || proxy.scheme === `${url.protocol}:`;
    if (!isOurs) return (await import('./probe-git.ts')).createGitProber(repo, url, o);
    const { createHttpProber } = await import('./probe-http.ts');
    return createHttpProber(repo, url, o);
  }
  if (url.protocol === 'ssh') {
    const { createSshProber } = await import('./probe-ssh.ts');
    return createSshProber(repo, url, o);
  }
  const { createGitProber } = await import('./probe-git.ts');
  return createGitProber(repo, url, o);
}

function answerForCommit(id: string, url: string): Result<ProbeAnswer> {
  if (isCommitId(id)) return ok({ commit: id, ref: id, url });
  return fail(
    trouble('ref-missing', 'expected a full commit id to track, found a part of one', {
      hint: 'write all 40 (or 64) hex digits into `track` of the repo',
    }),
  );
}

function isSameTracking(a: Tracking, b: Tracking): boolean {
  return a === b || (a.kind === b.kind && nameOf(a) === nameOf(b));
}

function nameOf(tracking: Tracking): string {
  return tracking.kind === 'commit'
    ? tracking.id
    : tracking.kind === 'tag'
      ? tracking.pattern
      : tracking.name;
}
