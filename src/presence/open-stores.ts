/** The stores of a `status` setting. What speaks to them is loaded at the first use: a host without one never pays for it. */
import type { Limits, NatsConfig, StatusConfig } from '../model/host.ts';
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
  const git: OpenStore[] = config.shards.length === 0 ? [] : [{ key: 'git', store: openGitStore(config, o) }];
  return config.nats === null ? git : [...git, { key: 'nats', store: openNatsStore(config.nats, config, o) }];
}

function openGitStore(config: StatusConfig, o: OpenStoresOptions): StatusStore {
  const load = async () => {
    const { createGitStore } = await import('./git-store.ts');
    return createGitStore(config.shards, { ...o, access: config.access });
  };
  return lazyStore(config.shards.join(', '), load, false);
}

function openNatsStore(nats: NatsConfig, { heartbeatMs }: StatusConfig, o: OpenStoresOptions): StatusStore {
  const load = async () => {
    const { createNatsStore } = await import('./nats-store.ts');
    return createNatsStore(nats, { ...o, heartbeatMs });
  };
  return lazyStore(nats.servers.join(', '), load, true);
}

function lazyStore(name: string, load: () => Promise<StatusStore>, canWatch: boolean): StatusStore {
  let loading: Promise<StatusStore> | null = null;
  const store = () => {
    loading ??= load().catch((error: unknown) => {
      // No descriptor left, say: the next question tries again.
      loading = null;
      throw error;
    });
    return loading;
  };
  const watch = (onNews: () => void) => {
    let isClosed = false;
    let watching: { close(): void } | null = null;
    // What goes wrong here goes wrong at the next question too, which tells.
    store().then(
      (opened) => {
        if (!isClosed) watching = opened.watch?.(onNews) ?? null;
      },
      () => {},
    );
    return {
      close() {
        isClosed = true;
        watching?.close();
      },
    };
  };
  return {
    name,
    publish: async (out, signal) => (await store()).publish(out, signal),
    leave: async (host, signal) => (await store()).leave?.(host, signal),
    hasNews: async (signal) => (await store()).hasNews(signal),
    read: async (signal) => (await store()).read(signal),
    history: async (host, limit, signal) => (await store()).history(host, limit, signal),
    watch: canWatch ? watch : null,
    close: async () => (await loading)?.close(),
  };
}
