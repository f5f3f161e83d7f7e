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
  hear(event: AgentEvent): void;
  /** A one-shot look waits for the roster, but not for long. */
  refresh(): Promise<void>;
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

type Parts = typeof import('./fleet-parts.ts');

export function createFleetLink(context: AgentContext, looker: () => Looker): FleetLink {
  const { paths, clock, emit } = context;
  let plan: Plan | null = null;
  let parts: Parts | null = null;
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
    loading ??= import('./fleet-parts.ts').then((loaded) => {
      parts = loaded;
    });
    return loading;
  };

  /** null without `status`, and for the moment in which what is needed is loaded. */
  const current = (): FleetParts | null => {
    const config = looker().view().config.status;
    // The same object until host.yaml changes.
    if (config === (opened?.config ?? null)) return opened;
    if (config !== null && parts === null) {
      // The next look, or what happens until then, finds it.
      void load().then(current);
      return null;
    }
    if (opened !== null) void opened.close();
    opened =
      config === null || parts === null
        ? null
        : parts.openFleetParts(config, { context, looker, self, plan: () => plan });
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
      if (looker().view().config.status !== null) await load();
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
