/** What a host with `status` has: the teller, the keeper of the roster, and what both need. Loaded only there. */
import type { StatusConfig } from '../model/host.ts';
import type { Plan } from '../model/plan.ts';
import type { RosterMember } from '../model/presence.ts';
import { openStores } from '../presence/open-stores.ts';
import { createFleetReader } from '../presence/read-fleet.ts';
import { shardOf } from '../presence/sharded-store.ts';
import type { AgentContext } from './context.ts';
import { createExpectedHosts } from './expected-hosts.ts';
import type { Looker } from './look.ts';
import { createMachineFacts, type Machine } from './machine-facts.ts';
import { createNewsKeeper, type NewsKeeper } from './news-keeper.ts';
import { createRosterKeeper, type RosterKeeper } from './roster-keeper.ts';
import { statusFolder } from './status-folder.ts';
import { createTeller, type Teller } from './teller.ts';
import { createWakeListener, type WakeListener } from './wake-listener.ts';

export interface FleetParts {
  readonly config: StatusConfig;
  readonly teller: Teller;
  readonly keeper: RosterKeeper;
  readonly machine: Machine;
  readonly news: NewsKeeper;
  /** For a daemon: from now on wakes come, where there is NATS. */
  listen(onWake: () => void): void;
  close(): Promise<void>;
}

export interface FleetPartsOptions {
  readonly context: AgentContext;
  readonly looker: () => Looker;
  /** This host, as it knows itself. */
  readonly self: () => RosterMember;
  /** Of the last look that planned. */
  readonly plan: () => Plan | null;
}

export function openFleetParts(config: StatusConfig, o: FleetPartsOptions): FleetParts {
  const { context, looker } = o;
  const { paths, clock, env, sshFolder, emit } = context;
  const folder = statusFolder(paths);
  const { limits } = looker().view().config;
  const stores = () => openStores(config, { folder, env, sshFolder, limits, clock });
  const machine = createMachineFacts(context, () => looker().view().config.status?.facts ?? null);
  const reading = stores().map(({ store }) => store);
  const keeper = createRosterKeeper({
    reader: createFleetReader(reading, { folder, clock }),
    clock,
    stateFolder: paths.state,
    self: o.self,
    expected: createExpectedHosts(context, () => looker().view().config.repos),
    intervalMs: () => looker().view().config.intervalMs,
    heartbeatMs: () => config.heartbeatMs,
    isWatched: () => news.isWatching(),
    onRefreshed: () => news.note(),
  });
  const news = createNewsKeeper({ context, looker, status: config, picture: keeper.picture });
  const teller = createTeller({
    paths,
    clock,
    emit,
    targets: stores(),
    machine: machine.read,
    fleetSize: keeper.size,
    places: () => placesOf(config, looker().view().host.name),
    knowledge: () => ({
      view: looker().view(),
      journal: context.journal,
      plan: o.plan(),
      repos: looker().repoStates(),
      openRun: looker().openRun()?.intent ?? null,
      bootId: context.bootId,
    }),
  });
  let wakes: WakeListener | null = null;
  return {
    config,
    teller,
    keeper,
    machine,
    news,
    listen(onWake) {
      if (config.nats !== null)
        wakes ??= createWakeListener(config.nats, { context, looker, hosts: keeper.size, onWake });
    },
    async close() {
      await Promise.all([teller.close(), news.close(), keeper.close(), wakes?.close()]);
    },
  };
}

/** Servers of a bus come and go; it is one place. */
function placesOf({ shards, nats }: StatusConfig, host: string): string[] {
  const own = shards.length === 0 ? [] : [shards[shardOf(host, shards.length)]!];
  return nats === null ? own : [...own, 'nats'];
}
