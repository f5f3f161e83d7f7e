/** Where what was told is shared: in the first status repository, or else in NATS. What speaks to it is loaded at the first use. */
import type { Limits, StatusConfig } from '../model/host.ts';
import type { Clock } from '../system/clock.ts';
import type { NewsStore } from './news-store.ts';

export interface OpenNewsStoreOptions {
  readonly host: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of kept ssh connections; null: none. */
  readonly sshFolder: string | null;
  readonly limits: Limits;
  readonly clock: Clock;
}

export function openNewsStore(config: StatusConfig, o: OpenNewsStoreOptions): NewsStore {
  const [remote] = config.shards;
  let loading: Promise<NewsStore> | null = null;
  const load = async (): Promise<NewsStore> => {
    if (remote !== undefined) {
      const { createGitNewsStore } = await import('./git-news-store.ts');
      return createGitNewsStore(remote, { ...o, access: config.access, now: o.clock.now });
    }
    const { createNatsNewsStore } = await import('./nats-news-store.ts');
    return createNatsNewsStore(config.nats!, o.clock);
  };
  const store = () => {
    loading ??= load().catch((error: unknown) => {
      loading = null;
      throw error;
    });
    return loading;
  };
  return {
    name: remote ?? 'nats',
    load: async (signal) => (await store()).load(signal),
    save: async (text, token, signal) => (await store()).save(text, token, signal),
    close() {
      loading?.then(
        (opened) => opened.close(),
        () => {},
      );
    },
  };
}
