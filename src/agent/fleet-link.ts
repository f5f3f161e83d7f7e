/**
 * Joins a session with the fleet, as long as host.yaml has a `status`: what the looker knows becomes presences, what the others publish
 * becomes the roster. Whatever goes wrong here keeps no look from its work.
 */
import { PullyuError } from '../errors.ts';
import type { PresenceTrigger } from '../model/action.ts';
import type { AgentEvent } from '../model/event.ts';
import type { Plan, RosterView } from '../model/plan.ts';
import type { RosterMember } from '../model/presence.ts';
import { memberOfHost, withSelf } from '../model/roster.ts';
import { readAddresses } from '../presence/own-facts.ts';
import { delay } from '../system/clock.ts';
import type { AgentContext, RosterSource } from './context.ts';
import type { FleetParts } from './fleet-parts.ts';
import type { Looker, LookReport } from './look.ts';
import { readRosterFile, writeRosterFile } from './roster-file.ts';

export interface FleetLink extends RosterSource {
  /** After each look. */
  tell(report: LookReport): void;
  /** While an action runs. */
  tellBusy(): void;
  /** While nothing happens and the agent is alive: a heartbeat, when one is due. @returns when to call again, in milliseconds. */
  beat(): number;
  hear(event: AgentEvent): void;
  /** A one-shot look waits for the roster, but not for long. */
  refresh(): Promise<void>;
  /** Is there hope that the status repository answers? For processes that come and go: a daemon goes on by itself. */
  mayTry(): Promise<boolean>;
  /** For a daemon: from now on everything goes on by itself. @param onChange The roster is another one, or a wake came: look. */
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
/** How often a heartbeat is asked for, at most and at least; the answer is next to nothing when none is due. */
const BEAT_MIN_MS = 50;
const BEAT_MAX_MS = 20_000;

type OpenParts = typeof import('./fleet-parts.ts').openFleetParts;

export function createFleetLink(context: AgentContext, looker: () => Looker): FleetLink {
  const { paths, clock, emit } = context;
  let plan: Plan | null = null;
  let openParts: OpenParts | null = null;
  let loading: Promise<void> | null = null;
  let opened: FleetParts | null = null;
  let onChange: (() => void) | null = null;
  let failed: string | null = null;

  const begin = (link: FleetParts) => {
    if (onChange === null) return;
    link.teller.start();
    link.keeper.start(onChange);
    link.listen(onChange);
  };

  /** Most hosts need none of it, and one with `status` only after its first look. */
  const load = (): Promise<void> => {
    loading ??= import('./fleet-parts.ts').then(
      ({ openFleetParts }) => {
        openParts = openFleetParts;
      },
      (error: unknown) => {
        // No descriptor left, or another version was put in its place: the next look tries again.
        loading = null;
        complain(error);
      },
    );
    return loading;
  };

  /** null without `status`, and for the moment in which what is needed is loaded. */
  const current = (): FleetParts | null => {
    const config = looker().view().config.status;
    // The same object until host.yaml changes.
    if (config === (opened?.config ?? null)) return opened;
    if (config !== null && openParts === null) {
      // The next look, or what happens until then, finds it.
      void load().then(() => {
        if (openParts !== null) guarded(() => {});
      });
      return null;
    }
    if (opened !== null) void opened.close();
    opened =
      config === null || openParts === null
        ? null
        : openParts(config, { context, looker, self, plan: () => plan });
    if (opened !== null) begin(opened);
    return opened;
  };

  const self = () => memberOfSelf(opened, looker(), clock.now());

  /** A full disk is a trouble of its own. */
  const guarded = (what: (link: FleetParts) => void) => {
    try {
      const link = current();
      if (link !== null) what(link);
      failed = null;
    } catch (error) {
      complain(error);
    }
  };

  /** For what a look asks: it goes on without an answer. */
  const reach = (): FleetParts | null => {
    try {
      return current();
    } catch (error) {
      complain(error);
      return null;
    }
  };

  const complain = (error: unknown) => {
    const why = error instanceof PullyuError ? error.message : String(error);
    const text = `this host could not write what it has to tell: ${why}`;
    if (text !== failed) emit({ type: 'warning', text });
    failed = text;
  };

  return {
    view(triggers: readonly PresenceTrigger[]): RosterView {
      const isConfigured = looker().view().config.status !== null;
      return reach()?.keeper.view(triggers) ?? { isConfigured, triggers: new Map() };
    },
    stamp: () => reach()?.keeper.stamp() ?? '',
    keepFile() {
      const link = reach();
      const members = link === null ? [] : (link.keeper.members() ?? readRosterFile(paths.state) ?? []);
      writeRosterFile(paths.state, withSelf(members, self()));
    },
    tell(report) {
      plan = report.plan ?? plan;
      guarded(({ teller }) => (report.idle ? teller.beat() : teller.note()));
    },
    tellBusy: () => guarded(({ teller }) => teller.note()),
    beat() {
      let heartbeatMs = BEAT_MAX_MS;
      guarded(({ teller }) => {
        teller.beat();
        heartbeatMs = teller.own()?.content.heartbeatMs ?? BEAT_MAX_MS;
      });
      return Math.min(BEAT_MAX_MS, Math.max(BEAT_MIN_MS, heartbeatMs / 4));
    },
    hear(event) {
      if (TELLING.has(event.type)) guarded(({ teller }) => teller.note());
    },
    async refresh() {
      if (looker().view().config.status !== null) await load();
      const link = reach();
      if (link === null) return;
      const over = new AbortController();
      const limit = AbortSignal.any([context.signal, over.signal]);
      // Whatever a reading waits for: it is told to end, and not waited for any longer.
      const late = delay(REFRESH_MAX_MS, limit).then(() => over.abort());
      await Promise.race([link.keeper.refresh(limit).catch(() => {}), late]);
      over.abort();
    },
    async mayTry() {
      if (looker().view().config.status === null) return false;
      await load();
      let may = true;
      guarded(({ teller }) => {
        may = teller.mayTry();
      });
      return may;
    },
    start(changed) {
      onChange = changed;
      guarded(begin);
    },
    async settle() {
      if (opened === null) return;
      await opened.machine.asked();
      guarded(({ teller }) => teller.note());
    },
    async flush(signal) {
      await Promise.all([opened?.teller.flush(signal), opened?.news.run(signal)]);
    },
    async close() {
      await opened?.close();
      opened = null;
    },
  };
}

/** This host, as it knows itself at this moment. */
function memberOfSelf(parts: FleetParts | null, looker: Looker, now: number): RosterMember {
  const own = parts?.teller.own()?.content;
  const member = { ...memberOfHost(looker.view().host, now), addresses: readAddresses() };
  return own === undefined ? member : { ...member, state: own.state, facts: own.facts };
}
