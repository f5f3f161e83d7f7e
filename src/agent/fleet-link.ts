/**
 * Joins a session with the fleet, as long as host.yaml has a `status`: what the looker knows becomes presences, what the others publish
 * becomes the roster. Whatever goes wrong here keeps no look from its work.
 */
import { PullyuError } from '../errors.ts';
import type { PresenceTrigger } from '../model/action.ts';
import type { AgentEvent } from '../model/event.ts';
import type { StatusConfig } from '../model/host.ts';
import type { Plan, RosterView } from '../model/plan.ts';
import type { RosterMember } from '../model/presence.ts';
import { memberOfHost, withSelf } from '../model/roster.ts';
import { openStores } from '../presence/open-stores.ts';
import { readAddresses } from '../presence/own-facts.ts';
import { createFleetReader } from '../presence/read-fleet.ts';
import { delay } from '../system/clock.ts';
import type { AgentContext, RosterSource } from './context.ts';
import { createExpectedHosts } from './expected-hosts.ts';
import type { Looker, LookReport } from './look.ts';
import { createMachineFacts, type Machine } from './machine-facts.ts';
import { readRosterFile, writeRosterFile } from './roster-file.ts';
import { createRosterKeeper, type RosterKeeper } from './roster-keeper.ts';
import { createTeller, statusFolder, type Teller } from './teller.ts';

export interface FleetLink extends RosterSource {
  /** After each look. */
  tell(report: LookReport): void;
  /** While an action runs. */
  tellBusy(): void;
  hear(event: AgentEvent): void;
  /** A one-shot look waits for the roster, but not for long. */
  refresh(): Promise<void>;
  /** For a daemon: from now on everything goes on by itself. @param onChange The roster is another one: look. */
  start(onChange: () => void): void;
  /** For a process that ends: what is asked of the machine is waited for, and told too. Still with the host's lock. */
  settle(): Promise<void>;
  /** Delivers what waits. Needs no lock. */
  flush(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** After these the host is not what it was. */
const TELLING: ReadonlySet<AgentEvent['type']> = new Set([
  'run-ended',
  'trouble-began',
  'trouble-ended',
  'paused',
  'resumed',
  'applied',
]);

const REFRESH_MAX_MS = 5_000;

interface Opened {
  readonly config: StatusConfig;
  readonly teller: Teller;
  readonly keeper: RosterKeeper;
  readonly machine: Machine;
}

export function createFleetLink(context: AgentContext, looker: () => Looker): FleetLink {
  const { paths, clock, emit, env, sshFolder } = context;
  let plan: Plan | null = null;
  let opened: Opened | null = null;
  let onChange: (() => void) | null = null;
  let failed: string | null = null;

  const open = (config: StatusConfig): Opened => {
    const folder = statusFolder(paths);
    const { limits } = looker().view().config;
    const stores = () => openStores(config, { folder, env, sshFolder, limits, clock });
    const machine = createMachineFacts(context, () => looker().view().config.status?.facts ?? null);
    const keeper = createRosterKeeper({
      reader: createFleetReader(
        stores().map(({ store }) => store),
        { folder, clock },
      ),
      clock,
      stateFolder: paths.state,
      self,
      expected: createExpectedHosts(context, () => looker().view().config.repos),
      intervalMs: () => looker().view().config.intervalMs,
      heartbeatMs: () => config.heartbeatMs,
    });
    const teller = createTeller({
      paths,
      clock,
      emit,
      targets: stores(),
      machine: machine.read,
      fleetSize: keeper.size,
      knowledge: () => ({
        view: looker().view(),
        journal: context.journal,
        plan,
        repos: looker().repoStates(),
        openRun: looker().openRun()?.intent ?? null,
        bootId: context.bootId,
      }),
    });
    return { config, teller, keeper, machine };
  };

  const begin = (link: Opened) => {
    if (onChange === null) return;
    link.teller.start();
    link.keeper.start(onChange);
  };

  /** null without `status`. */
  const current = (): Opened | null => {
    const config = looker().view().config.status;
    // The same object until host.yaml changes.
    if (config === (opened?.config ?? null)) return opened;
    if (opened !== null) void closeOf(opened);
    opened = config === null ? null : open(config);
    if (opened !== null) begin(opened);
    return opened;
  };

  /** This host, as it knows itself at this moment. */
  const self = (): RosterMember => {
    const own = opened?.teller.own()?.content;
    const member = { ...memberOfHost(looker().view().host, clock.now()), addresses: readAddresses() };
    return own === undefined ? member : { ...member, state: own.state, facts: own.facts };
  };

  /** A full disk is a trouble of its own. */
  const guarded = (what: (link: Opened) => void) => {
    try {
      const link = current();
      if (link !== null) what(link);
      failed = null;
    } catch (error) {
      const why = error instanceof PullyuError ? error.message : String(error);
      const text = `this host could not write what it has to tell: ${why}`;
      if (text !== failed) emit({ type: 'warning', text });
      failed = text;
    }
  };

  return {
    view(triggers: readonly PresenceTrigger[]): RosterView {
      const link = current();
      return link === null ? { isConfigured: false, triggers: new Map() } : link.keeper.view(triggers);
    },
    stamp: () => current()?.keeper.stamp() ?? '',
    keepFile() {
      const link = current();
      const members = link === null ? [] : (link.keeper.members() ?? readRosterFile(paths.state) ?? []);
      writeRosterFile(paths.state, withSelf(members, self()));
    },
    tell(report) {
      plan = report.plan ?? plan;
      guarded(({ teller }) => (report.idle ? teller.beat() : teller.note()));
    },
    tellBusy: () => guarded(({ teller }) => teller.note()),
    hear(event) {
      if (TELLING.has(event.type)) guarded(({ teller }) => teller.note());
    },
    async refresh() {
      const link = current();
      if (link === null) return;
      const over = new AbortController();
      const limit = AbortSignal.any([context.signal, over.signal]);
      // Whatever a reading waits for: it is told to end, and not waited for any longer.
      const late = delay(REFRESH_MAX_MS, limit).then(() => over.abort());
      await Promise.race([link.keeper.refresh(limit).catch(() => {}), late]);
      over.abort();
    },
    start(changed) {
      onChange = changed;
      const link = current();
      if (link !== null) begin(link);
    },
    async settle() {
      if (opened === null) return;
      await opened.machine.asked();
      guarded(({ teller }) => teller.note());
    },
    async flush(signal) {
      await opened?.teller.flush(signal);
    },
    async close() {
      if (opened !== null) await closeOf(opened);
      opened = null;
    },
  };
}

async function closeOf({ teller, keeper }: Opened): Promise<void> {
  await Promise.all([teller.close(), keeper.close()]);
}
