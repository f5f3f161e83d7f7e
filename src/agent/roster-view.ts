/** The roster for those who plan without being the agent: `plan`, `why`, `status`. Reads only. */
import type { Action } from '../model/action.ts';
import type { RosterView } from '../model/plan.ts';
import { memberOfHost } from '../model/roster.ts';
import type { RosterPart } from '../model/run.ts';
import { presenceTriggers } from '../plan/presence-triggers.ts';
import { presenceKey, relevantRoster } from '../plan/relevant-roster.ts';
import { type RosterSettling, type RosterSettlings, rosterViewOf } from '../plan/settle-roster.ts';
import type { HostView } from './context.ts';
import { readRosterFile } from './roster-file.ts';
import { readSettlings, settlingsFile } from './settlings-file.ts';

type Triggered = Pick<Action, 'on'>;

/** As the agent sees it. A trigger that the agent does not have yet, of another commit or an edited file, sees the roster as it is. */
export function readRosterView(
  stateFolder: string,
  actions: readonly Triggered[],
  { config, host }: Pick<HostView, 'config' | 'host'>,
): RosterView {
  const triggers = actions.flatMap(presenceTriggers);
  const isConfigured = config.status !== null;
  // The usual host has none, and then nothing is read.
  if (triggers.length === 0 || !isConfigured) return { isConfigured, triggers: new Map() };
  const settlings = readSettlings(settlingsFile(stateFolder));
  const members = readRosterFile(stateFolder) ?? [];
  // With nobody but this host in it, nobody may have read it yet.
  const isRead = settlings.size > 0 || members.some(({ id }) => id !== host.id);
  const self = members.find(({ id }) => id === host.id) ?? memberOfHost(host, 0);
  const seen: [string, RosterSettling][] = triggers
    .filter((trigger) => isRead && !settlings.has(presenceKey(trigger)))
    .map((trigger) => [
      presenceKey(trigger),
      { settled: relevantRoster(trigger, members, self).part, pending: null },
    ]);
  return rosterViewOf(new Map([...settlings, ...seen]), triggers, true);
}

const NOBODY: RosterPart = { digest: 'nobody', count: 0, members: [] };

/** For a host that there is not: it will have read the roster, whoever lives then. */
export function assumeRosterView(actions: readonly Triggered[]): RosterView {
  const triggers = actions.flatMap(presenceTriggers);
  const settlings: RosterSettlings = new Map(
    triggers.map((trigger) => [presenceKey(trigger), { settled: NOBODY, pending: null }]),
  );
  return rosterViewOf(settlings, triggers, true);
}
