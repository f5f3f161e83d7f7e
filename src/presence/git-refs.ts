/** Names of the refs of a status repository. All are branches, and only commits are put there: forges take nothing else. Pure. */
import { createHash } from 'node:crypto';

/** Grows by one commit with each transition: `HOSTS + host`. */
export const HOSTS = 'refs/heads/hosts/';
/** Replaced each time by a commit without a parent: `PRESENCE + host`. */
export const PRESENCE = 'refs/heads/presence/';
/** Claims of machines that found another one under their name: `CONFLICTS + host + '/' + machine`. */
export const CONFLICTS = 'refs/heads/conflicts/';
/** Moves with every transition of any host: one exact ref answers whether there is news. */
export const ROSTER = 'refs/heads/roster';
/** What was told about the fleet: replaced each time by a commit without a parent. */
export const NEWS = 'refs/heads/news/state';

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const MACHINE = /^[0-9a-f]{8}$/;

/** Names of hosts that can be part of a ref: git refuses two dots, and a dot or `.lock` at the end. */
export function isRefName(host: string): boolean {
  return NAME.test(host) && !host.includes('..') && !/(?:\.|\.lock)$/.test(host);
}

/** Where a machine claims a name that another one holds. */
export function claimRef(host: string, id: string, bootId: string): string {
  const machine = createHash('sha256').update(`${id}${bootId}`).digest('hex').slice(0, 8);
  return `${CONFLICTS}${host}/${machine}`;
}

/** The host that a ref of a presence is of; null for any other ref, and for names that no host can have. */
export function hostOfPresence(ref: string): string | null {
  const host = ref.startsWith(PRESENCE) ? ref.slice(PRESENCE.length) : '';
  return isRefName(host) ? host : null;
}

/** The host whose name is claimed by a ref; null for any other ref. */
export function hostOfClaim(ref: string): string | null {
  if (!ref.startsWith(CONFLICTS)) return null;
  const [host = '', machine = '', ...more] = ref.slice(CONFLICTS.length).split('/');
  return isRefName(host) && MACHINE.test(machine) && more.length === 0 ? host : null;
}
