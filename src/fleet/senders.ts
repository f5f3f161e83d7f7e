/** Who tells the news: of the live hosts that may, in an order that is the same for everybody who sees the same roster. */
import { createHash } from 'node:crypto';
import { matchesSelector, type Selector } from '../model/labels.ts';
import type { RosterMember } from '../model/presence.ts';

/** 0: this host sends; 1: it sends when the first does not; ... null: it may not, or nobody has heard of it. */
export function rankOfSender(
  name: string,
  roster: readonly Pick<RosterMember, 'name' | 'labels'>[],
  from: Selector,
): number | null {
  const order = roster
    .filter(({ labels }) => matchesSelector(from, labels))
    .map((member) => ({ name: member.name, place: placeOf(member.name) }))
    .sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : a.name < b.name ? -1 : 1));
  const rank = order.findIndex((member) => member.name === name);
  return rank === -1 ? null : rank;
}

/** Names say who does the work; a hash spreads it over fleets that name their hosts alike. */
function placeOf(name: string): string {
  return createHash('sha256').update(`news ${name}`).digest('hex');
}
