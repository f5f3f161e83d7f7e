/** The hosts that others may rely on: verified, and not silent. */
import type { FleetHost } from '../model/fleet.ts';
import type { RosterMember } from '../model/presence.ts';
import { isBelieved } from './judged.ts';

/** By name. A host whose name another machine contends for stays: it is there, and works. */
export function rosterOf(hosts: readonly FleetHost[]): RosterMember[] {
  return hosts.flatMap(memberOf).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function memberOf({ name, labels, state, trust, presence, lastContactAt }: FleetHost): RosterMember[] {
  if (presence === null || lastContactAt === null || state === 'silent' || !isBelieved(trust)) return [];
  const { id, addresses, facts } = presence;
  return [{ name, id, labels, addresses, state: presence.state, facts, lastContactAt }];
}
