/**
 * Watches the fleet for news, as long as host.yaml has a `notify`. Goes with the readings of the roster, and judges no more often than it
 * has to. Whatever goes wrong here is a warning, and keeps no look from its work.
 */
import { join } from 'node:path';
import { PullyuError } from '../errors.ts';
import { readSubject } from '../git/history.ts';
import type { FleetHost } from '../model/fleet.ts';
import type { NotifyConfig, StatusConfig } from '../model/host.ts';
import { type CommitId, isCommitId } from '../model/ids.ts';
import type { Newsroom } from '../news/newsroom.ts';
import { namedWriteError } from '../system/files.ts';
import type { Paths } from '../system/paths.ts';
import type { AgentContext } from './context.ts';
import type { Looker } from './look.ts';
import { openSource } from './source.ts';

export interface NewsKeeperOptions {
  readonly context: AgentContext;
  readonly looker: () => Looker;
  readonly status: StatusConfig;
  /** The fleet as it is now; null: the last reading is too old to judge by. */
  readonly picture: () => readonly FleetHost[] | null;
}

export interface NewsKeeper {
  /** There is a `notify`. */
  isWatching(): boolean;
  /** After a reading: judges when it is time, and sends; nobody waits for it. */
  note(): void;
  /** The same for a process that ends, which waits. */
  run(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** So many times in a hold time. */
const LOOKS_IN_HOLD = 4;
const EVERY_MAX_MS = 30_000;
/** Judging a large fleet takes time: so small a part of it, at most. */
const SHARE = 20;

export function newsFolder(paths: Pick<Paths, 'state'>): string {
  return join(paths.state, 'news');
}

export function createNewsKeeper(o: NewsKeeperOptions): NewsKeeper {
  const { context, looker } = o;
  const { clock, emit, paths } = context;
  const end = new AbortController();
  let opened: { readonly config: NotifyConfig; readonly host: string; readonly room: Newsroom } | null = null;
  let running: Promise<void> | null = null;
  let notBefore = 0;
  let complained: string | null = null;
  const subjects = createSubjects(o);

  const warn = (text: string) => emit({ type: 'warning', text });
  const configured = (): NotifyConfig | null => looker().view().config.notify ?? null;

  /** null without `notify`. */
  const room = async (): Promise<Newsroom | null> => {
    const config = configured();
    const host = looker().view().host.name;
    if (opened !== null && (opened.config !== config || opened.host !== host)) {
      opened.room.close();
      opened = null;
    }
    if (config === null) return null;
    opened ??= { config, host, room: await open(config, host) };
    return opened.room;
  };

  /** A host without it loads nothing of this. */
  const open = async (config: NotifyConfig, host: string) => {
    const { createNewsroom } = await import('../news/newsroom.ts');
    const { openChannels } = await import('../news/open-channels.ts');
    const { openNewsStore } = await import('../presence/open-news-store.ts');
    const { limits } = looker().view().config;
    const { env, sshFolder } = context;
    return createNewsroom({
      folder: newsFolder(paths),
      store: openNewsStore(o.status, { host, env, sshFolder, limits, clock }),
      channels: openChannels(config.channels, { env, now: clock.now }),
      from: config.from,
      holdMs: config.holdMs,
      host,
      heartbeatMs: () => o.status.heartbeatMs,
      clock,
      warn,
      subjectOf: subjects.of,
    });
  };

  const look = async (signal: AbortSignal) => {
    try {
      const news = await room();
      const hosts = news === null ? null : o.picture();
      if (news === null || hosts === null) return;
      const begun = clock.monotonic();
      await subjects.read(hosts);
      await news.look(hosts, signal);
      const everyMs = Math.min(EVERY_MAX_MS, opened!.config.holdMs / LOOKS_IN_HOLD);
      notBefore = Math.max(begun + everyMs, clock.monotonic() + (clock.monotonic() - begun) * SHARE);
      complained = null;
    } catch (error) {
      const known = error instanceof PullyuError ? error : namedWriteError(error, newsFolder(paths));
      const text = `news: this host could not tell any: ${known?.message ?? String(error)}`;
      if (text !== complained) warn(text);
      complained = text;
    }
  };

  const run = (signal: AbortSignal): Promise<void> => {
    running ??= look(signal).finally(() => {
      running = null;
    });
    return running;
  };

  return {
    isWatching: () => configured() !== null,
    note() {
      if (configured() !== null && clock.monotonic() >= notBefore) void run(end.signal);
    },
    run: (signal) => (configured() === null ? Promise.resolve() : run(signal)),
    async close() {
      end.abort();
      await running;
      opened?.room.close();
      opened = null;
    },
  };
}

const SUBJECTS_MAX = 200;
const READ_AT_ONCE = 5;

/** Subject lines of commits, as far as this host has them. */
function createSubjects({ context, looker }: NewsKeeperOptions) {
  const known = new Map<string, string | null>();
  const keyOf = (repo: string, commit: string) => `${repo} ${commit}`;
  return {
    of: (repo: string, commit: string) => known.get(keyOf(repo, commit)) ?? null,
    /** Of what the hosts want and run now. */
    async read(hosts: readonly FleetHost[]): Promise<void> {
      const { config } = looker().view();
      for (const repo of config.repos) {
        const commits = new Set<CommitId>();
        for (const { presence } of hosts) {
          const wanted = presence?.repos.find(({ name }) => name === repo.name)?.wanted ?? null;
          const ran = presence?.actions.find((one) => one.repo === repo.name && one.outcome !== 'ok')?.commit;
          for (const commit of [wanted, ran ?? null])
            if (commit !== null && isCommitId(commit) && !known.has(keyOf(repo.name, commit)))
              commits.add(commit);
        }
        if (commits.size === 0) continue;
        const source = openSource(context.paths, repo, {
          limits: config.limits,
          env: context.env,
          clock: context.clock,
        });
        try {
          for (const commit of [...commits].slice(0, READ_AT_ONCE)) {
            const subject = await readSubject(source.git, commit);
            if (known.size >= SUBJECTS_MAX) known.clear();
            known.set(keyOf(repo.name, commit), subject.ok ? subject.value : null);
          }
        } finally {
          source.close();
        }
      }
    },
  };
}
