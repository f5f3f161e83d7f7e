/** The roster as scripts get it: one object per live host, in a JSON file that `PULLYU_ROSTER` names. */
import type { Host } from './host.ts';
import type { RosterMember } from './presence.ts';

/** What this host knows of itself before it knows anything of its addresses and facts. */
export function memberOfHost({ name, id, labels }: Host, now: number): RosterMember {
  return { name, id, labels, addresses: [], state: 'working', facts: {}, lastContactAt: now };
}

/** By name, as the members are. Of this host what it knows itself counts, whatever the stores still say. */
export function withSelf(members: readonly RosterMember[], self: RosterMember): RosterMember[] {
  const all: RosterMember[] = [];
  let isIn = false;
  for (const member of members) {
    if (member.id === self.id) continue;
    if (!isIn && byName(self, member) < 0) {
      isIn = true;
      all.push(self);
    }
    all.push(member);
  }
  if (!isIn) all.push(self);
  return all;
}

/** But for the time of last contact. */
export function isSameMember(a: RosterMember, b: RosterMember): boolean {
  const told = ({ lastContactAt, ...rest }: RosterMember) => JSON.stringify(rest);
  return a.name === b.name && a.id === b.id && told(a) === told(b);
}

export function byName(a: RosterMember, b: RosterMember): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** `{"hosts": [...]}`, in the order given. */
export function formatRoster(members: readonly RosterMember[]): string {
  const hosts = members.map(({ name, id, labels, addresses, state, facts, lastContactAt }) => ({
    name,
    id,
    labels,
    addresses,
    state,
    facts,
    lastContactAt: new Date(lastContactAt).toISOString(),
  }));
  return `${JSON.stringify({ hosts }, null, 2)}\n`;
}

/** @returns null for what is no roster, or one of an older version. */
export function parseRoster(text: string): RosterMember[] | null {
  try {
    const { hosts } = JSON.parse(text) as {
      hosts: (Omit<RosterMember, 'lastContactAt'> & { lastContactAt: string })[];
    };
    const members = hosts.map((host) => ({ ...host, lastContactAt: Date.parse(host.lastContactAt) }));
    return members.every(isMember) ? members : null;
  } catch {
    return null;
  }
}

function isMember(member: RosterMember): boolean {
  const { name, id, state, labels, addresses, facts, lastContactAt } = member;
  const texts = [name, id, state].every((value) => typeof value === 'string');
  const isWhole = Array.isArray(addresses) && isRecord(labels) && isRecord(facts);
  return texts && isWhole && Number.isFinite(lastContactAt);
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
