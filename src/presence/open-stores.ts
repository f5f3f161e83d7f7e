/** The stores of a `status` setting. What speaks to them is loaded at the first use: a host without one never pays for it. */
import type { Limits, StatusConfig } from '../model/host.ts';
import type { Clock } from '../system/clock.ts';
import type { StoreKey } from './outbox.ts';
import type { StatusStore } from './store.ts';

export interface OpenStoresOptions {
  /** What the stores keep of what they read; each has a folder of its own in it. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of kept ssh connections; null: none. */
  readonly sshFolder: string | null;
  readonly limits: Limits;
  readonly clock: Clock;
}

export interface OpenStore {
  readonly key: StoreKey;
  readonly store: StatusStore;
}

/** One for the repositories of `status`, however many, and one for NATS. Each is written and judged by itself. */
export function openStores(config: StatusConfig, o: OpenStoresOptions): OpenStore[] {
  return config.shards.length === 0 ? [] : [{ key: 'git', store: openGitStore(config, o) }];
}

function openGitStore(config: StatusConfig, o: OpenStoresOptions): StatusStore {
  const load = async () => {
    const { createGitStore } = await import('./git-store.ts');
    return createGitStore(config.shards, { ...o, access: config.access });
  };
  return lazyStore(config.shards.join(', '), load);
}

function lazyStore(name: string, load: () => Promise<StatusStore>): StatusStore {
  let loading: Promise<StatusStore> | null = null;
  const store = () => {
    loading ??= load();
    return loading;
  };
  return {
    name,
    publish: async (out, signal) => (await store()).publish(out, signal),
    hasNews: async (signal) => (await store()).hasNews(signal),
    read: async (signal) => (await store()).read(signal),
    history: async (host, limit, signal) => (await store()).history(host, limit, signal),
    watch: null,
    close: async () => (await loading)?.close(),
  };
}
