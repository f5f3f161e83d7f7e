import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readDeliveries } from '../agent/deliveries.ts';
import { statusFolder } from '../agent/status-folder.ts';
import { looksLikeSameRepository } from '../git/same-repository.ts';
import { decideSshFolder } from '../git/ssh.ts';
import type { HostConfig } from '../model/host.ts';
import { openStores } from '../presence/open-stores.ts';
import type { HeartbeatContext } from './context.ts';
import type { StatusFacts } from './doctor-status.ts';

/** Asks each store one cheap question, within the deadline of a probe. Publishes nothing. */
export async function readStatusFacts(
  { status, limits, repos }: HostConfig,
  offline: boolean,
  { paths, env, uid, clock }: HeartbeatContext,
): Promise<StatusFacts[]> {
  if (status === null) return [];
  const sshFolder = decideSshFolder(paths.state, uid);
  const stores = openStores(status, {
    folder: join(statusFolder(paths), 'commands'),
    env,
    // Only the agent makes it: asking must change nothing.
    sshFolder: existsSync(sshFolder) ? sshFolder : null,
    limits,
    clock,
  });
  const polledAs =
    repos.find(({ remotes }) =>
      remotes.some((remote) => status.shards.some((url) => looksLikeSameRepository(remote, url))),
    )?.name ?? null;
  const heartbeatMs = Math.max(status.heartbeatMs, limits.probeTimeoutMs);
  try {
    return await Promise.all(
      readDeliveries(paths, status).map(async (delivery) => {
        const store = offline ? undefined : stores.find(({ key }) => key === delivery.store)?.store;
        const answer = (await store?.hasNews()) ?? null;
        return {
          delivery,
          answer,
          now: clock.now(),
          heartbeatMs,
          polledAs: delivery.store === 'git' ? polledAs : null,
        };
      }),
    );
  } finally {
    await Promise.all(stores.map(({ store }) => store.close()));
  }
}
