/** Which live hosts a presence trigger means, and what of them counts. */
import type { PresenceTrigger } from '../model/action.ts';
import { matchesSelector } from '../model/labels.ts';
import type { RosterMember } from '../model/presence.ts';
import { byName } from '../model/roster.ts';
import type { RosterPart } from '../model/run.ts';
import { digestOf } from './digest.ts';

export interface RelevantRoster {
  /** By name. */
  readonly members: readonly RosterMember[];
  readonly part: RosterPart;
}

/** Names of so many hosts are kept with a run, to say later who joined and who left. */
export const NAMES_MAX = 50;

/**
 * The hosts that the trigger names, and a digest over their names, ids, addresses, the labels that it selects by and the facts
 * that it declares. State and times do not count: what is busy or paused is there all the same.
 * @param self This host, which is one of them when its labels fit, also before it has published anything; null: leave it to the roster.
 */
export function relevantRoster(
  trigger: PresenceTrigger,
  roster: readonly RosterMember[],
  self: RosterMember | null,
): RelevantRoster {
  const others = self === null ? roster : roster.filter(({ id }) => id !== self.id);
  const all = self === null ? others : [...others, self];
  const members = all.filter(({ labels }) => matchesSelector(trigger.of, labels)).sort(byName);
  const keys = Object.keys(trigger.of).sort();
  const rows = members.map((member) => [
    member.name,
    member.id,
    member.addresses.length > 1 ? [...new Set(member.addresses)].sort() : member.addresses,
    keys.map((key) => member.labels[key]),
    trigger.facts.map((fact) => factOf(member, fact)),
  ]);
  const part: RosterPart = {
    digest: digestOf(rows),
    count: rows.length,
    members:
      rows.length > NAMES_MAX
        ? null
        : members.map(({ name }, index) => [name, digestOf(rows[index]).slice(0, 8)]),
  };
  return { members, part };
}

/** By this a trigger is known, in whichever action it stands. */
export function presenceKey({ of, settleMs, facts }: PresenceTrigger): string {
  return digestOf([Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1)), settleMs, facts]);
}

/** Of an action with several presence triggers: all of them together. A host that two of them mean is one host. */
export function joinParts(parts: readonly RosterPart[]): RosterPart | null {
  const [only, ...others] = parts;
  if (only === undefined) return null;
  if (others.length === 0) return only;
  const digest = digestOf(parts.map((part) => part.digest));
  const members = parts.flatMap((part) => part.members ?? []);
  const digests = new Map<string, string[]>();
  for (const [name, one] of members) digests.set(name, [...(digests.get(name) ?? []), one]);
  const isKnown = parts.every((part) => part.members !== null) && digests.size <= NAMES_MAX;
  return {
    digest,
    count: isKnown ? digests.size : parts.reduce((sum, part) => sum + part.count, 0),
    members: isKnown
      ? [...digests]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, own]) => [name, own.length === 1 ? own[0]! : digestOf(own).slice(0, 8)])
      : null,
  };
}

function factOf({ facts }: RosterMember, name: string): string | null {
  return Object.hasOwn(facts, name) ? (facts[name] ?? null) : null;
}
