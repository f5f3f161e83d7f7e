/** A repo with one action, a status repository, and hosts that publish there. */
import { git } from './git.ts';
import { createHost, type HostOptions, type TestHost } from './host.ts';
import { createRemote, type Remote } from './repo.ts';
import { sayRepository } from './say.ts';

export interface PublishingWorld {
  readonly it: Remote;
  readonly status: Remote;
  host(more?: HostOptions): TestHost;
  /** Lines of a branch of the status repository, newest first; empty when there is none. */
  told(name?: string, repository?: Remote): Promise<string[]>;
  /** The newest presence; null when there is none. */
  presence(name?: string): Promise<{ sequence: number; heartbeatMs: number; state: string } | null>;
}

/**
 * @param cleanups What is to be called at the end is added.
 * @param o The URL of the repo and of the status; default: by path.
 */
export async function createPublishingWorld(
  cleanups: (() => unknown)[],
  o: { it?: string; statusUrl?: string; heartbeat?: string; more?: object } = {},
): Promise<PublishingWorld> {
  const it = await createRemote();
  const status = await createRemote('status');
  cleanups.push(
    () => it[Symbol.dispose](),
    () => status[Symbol.dispose](),
  );
  await it.publish(sayRepository('one'));
  const ask = (repository: Remote, ...args: string[]) =>
    git(['--git-dir', repository.bare, ...args]).catch(() => null);
  return {
    it,
    status,
    host(more = {}) {
      const host = createHost({
        name: 'web-1',
        repos: { it: o.it ?? it.url },
        ...more,
        more: {
          status: { remote: o.statusUrl ?? status.url, ...(o.heartbeat ? { heartbeat: o.heartbeat } : {}) },
          ...o.more,
          ...more.more,
        },
      });
      cleanups.push(() => host.close());
      return host;
    },
    async told(name = 'web-1', repository = status) {
      const log = (await ask(repository, 'log', '--format=%s', `refs/heads/hosts/${name}`)) ?? '';
      return log.split('\n').filter((line) => line !== '');
    },
    async presence(name = 'web-1') {
      const text = await ask(status, 'show', `refs/heads/presence/${name}:presence.json`);
      return text === null ? null : JSON.parse(text);
    },
  };
}
