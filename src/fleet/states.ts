/** In which state a reader sees a host, and why. The first state that fits counts, in the order of this file. */
import type { FleetState } from '../model/fleet.ts';
import { shortId } from '../model/ids.ts';
import { type Presence, type PresenceRepo, SILENT_BEATS } from '../model/presence.ts';
import { printable } from '../model/printable.ts';
import { formatAge } from './age.ts';
import { describeFailure, isFailing } from './failures.ts';
import { isBelieved, type Judged } from './judged.ts';

export interface SeenState {
  readonly state: FleetState;
  /** One line, printable; null when there is nothing to say. */
  readonly reason: string | null;
}

const REASON_MAX = 200;

/** @param now By the clock that `lastContactAt` was taken from. */
export function decideState(judged: Judged, now: number): SeenState {
  const found = unbelieved(judged) ?? seen(judged, judged.presence!, now);
  return { ...found, reason: found.reason === null ? null : printable(found.reason, REASON_MAX) };
}

function unbelieved({ trust, presence, why }: Judged): SeenState | null {
  if (trust === 'stranger') return { state: 'stranger', reason: why ?? 'hosts.yaml does not list it' };
  if (isBelieved(trust) && presence !== null) return null;
  return { state: 'forged', reason: why ?? 'what it published is not believed' };
}

function seen(judged: Judged, presence: Presence, now: number): SeenState {
  const since = now - judged.lastContactAt;
  if (since - (judged.unseenMs ?? 0) > SILENT_BEATS * presence.heartbeatMs)
    return { state: 'silent', reason: `no contact for ${formatAge(since)}${lastSeen(presence)}` };
  const conflict = describeConflict(judged, presence);
  if (conflict !== null) return { state: 'conflicting', reason: conflict };
  const failing = presence.actions.filter(isFailing);
  if (presence.state === 'wedged')
    return { state: 'wedged', reason: presence.reason ?? listFailures(failing) ?? 'it needs a human' };
  // A parked action of a host that calls itself otherwise (paused, say) needs a human all the same.
  if (failing.some((action) => action.parked))
    return { state: 'wedged', reason: listFailures(failing.filter((action) => action.parked)) };
  if (failing.length > 0) return { state: 'failed', reason: listFailures(failing) };
  const behind = presence.repos.filter((repo) => isBehind(repo, presence));
  if (behind.length > 0) return { state: 'behind', reason: describeBehind(behind, presence, judged, now) };
  return { state: presence.state, reason: presence.state === 'working' ? null : presence.reason };
}

/** `, last at 3f2a91c, wedged`: what a person wants to know before they go there. */
function lastSeen({ repos, state }: Presence): string {
  const at = repos.flatMap(({ name, applied }) =>
    applied === null ? [] : [repos.length === 1 ? shortId(applied) : `${name} ${shortId(applied)}`],
  );
  const last = at.length === 0 ? ', nothing applied yet' : `, last at ${at.slice(0, 3).join(', ')}`;
  return state === 'working' ? last : `${last}, ${state} then`;
}

function describeConflict({ contenders }: Judged, { conflict }: Presence): string | null {
  const [other] = contenders;
  if (other === undefined) return conflict;
  const from = other.addresses.length === 0 ? '' : ` from ${other.addresses.slice(0, 2).join(', ')}`;
  return `another machine publishes under its name: ${other.id.slice(0, 32)}${from}`;
}

function listFailures(failing: Presence['actions']): string | null {
  const [first] = failing;
  if (first === undefined) return null;
  return describeFailure(first) + (failing.length > 1 ? `; ${failing.length - 1} more` : '');
}

/** A host that is being set up has nothing yet: that is no lag. */
function isBehind({ wanted, applied, trouble }: PresenceRepo, { state }: Presence): boolean {
  if (trouble !== null) return true;
  return wanted !== applied && (applied !== null || state !== 'setup');
}

function describeBehind(
  behind: readonly PresenceRepo[],
  presence: Presence,
  { lastContactAt }: Judged,
  now: number,
): string {
  const { name, wanted, applied, trouble } = behind.find((repo) => repo.trouble !== null) ?? behind[0]!;
  const repo = presence.repos.length === 1 ? '' : `${name} `;
  const lag =
    wanted === applied || wanted === null
      ? ''
      : `${repo}wants ${shortId(wanted)}, has ${applied === null ? 'nothing yet' : shortId(applied)}`;
  const doing =
    presence.state === 'working' ? '' : [presence.state, presence.reason].filter(Boolean).join(' ');
  if (trouble === null) return [lag, doing].filter(Boolean).join('; ');
  // Both times are by the host's clock, so that it may be wrong.
  const since = formatAge(presence.clock - trouble.since + (now - lastContactAt));
  return [`${lag === '' ? repo : ''}${trouble.code} since ${since}: ${trouble.message}`, lag]
    .filter(Boolean)
    .join('; ');
}
