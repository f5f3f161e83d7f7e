/** The presence triggers of an action: what they say now, and the words for it. */
import type { Action, PresenceTrigger } from '../model/action.ts';
import { formatSelector } from '../model/labels.ts';
import type { ActionMemory, RosterView } from '../model/plan.ts';
import { printable } from '../model/printable.ts';
import type { RosterPart } from '../model/run.ts';
import { joinParts, presenceKey } from './relevant-roster.ts';
import type { Verdict } from './verdict.ts';

/** What the roster says of one action. */
export interface ActionRoster {
  /** False: host.yaml has no `status`. */
  readonly isConfigured: boolean;
  /** What counts; null as long as it was not read. */
  readonly settled: RosterPart | null;
  /** What will count from `wakeAt` on, if it lasts. */
  readonly pending: RosterPart | null;
  readonly wakeAt: number | null;
}

export function presenceTriggers(action: Pick<Action, 'on'>): PresenceTrigger[] {
  return action.on.filter((trigger): trigger is PresenceTrigger => trigger.type === 'presence');
}

/** null for an action without a presence trigger. */
export function rosterOfAction(action: Action, view: RosterView | null): ActionRoster | null {
  const triggers = presenceTriggers(action);
  if (triggers.length === 0) return null;
  const isConfigured = view?.isConfigured ?? true;
  const found = triggers.flatMap((trigger) => view?.triggers.get(presenceKey(trigger)) ?? []);
  if (!isConfigured || found.length < triggers.length)
    return { isConfigured, settled: null, pending: null, wakeAt: null };
  const times = found.flatMap(({ wakeAt }) => wakeAt ?? []);
  return {
    isConfigured,
    settled: joinParts(found.map(({ settled }) => settled)),
    pending: times.length === 0 ? null : joinParts(found.map(({ settled, pending }) => pending ?? settled)),
    wakeAt: times.length === 0 ? null : Math.min(...times),
  };
}

/**
 * The part of the fingerprint. As long as the roster was not read it is taken for what it was at the newest run: not to have read
 * says neither that a host came nor that one is gone.
 */
export function rosterPartOf(roster: ActionRoster | null, memory: ActionMemory | null): RosterPart | null {
  if (roster === null) return null;
  if (roster.settled !== null) return roster.settled;
  return memory?.lastRun?.intent.parts.roster ?? memory?.lastSuccess?.intent.parts.roster ?? null;
}

/** `live hosts with part=app`, `live hosts`. */
export function formatLiveHosts(action: Pick<Action, 'on'>): string {
  const selectors = presenceTriggers(action).map(({ of }) => of);
  if (selectors.some((of) => Object.keys(of).length === 0)) return 'live hosts';
  return printable(`live hosts with ${selectors.map(formatSelector).join(' or ')}`);
}

/** `3 live hosts with part=app`, `one live host`. */
export function countLiveHosts(action: Pick<Action, 'on'>, count: number): string {
  const hosts = formatLiveHosts(action);
  return count === 1 ? `one ${hosts.replace('live hosts', 'live host')}` : `${count} ${hosts}`;
}

/** Whatever is decided about an action, a change among its hosts that lasts is a reason to decide anew. */
export function wokenByRoster(verdict: Verdict, roster: ActionRoster | null, now: number): Verdict {
  const wakeAt = roster?.wakeAt ?? null;
  // One that has passed waits for the next reading, and a run that is open for its end.
  if (verdict.due || verdict.reason === 'running' || wakeAt === null || wakeAt <= now) return verdict;
  const { notBefore } = verdict;
  return { ...verdict, notBefore: notBefore === null ? wakeAt : Math.min(notBefore, wakeAt) };
}

const NAMES_SHOWN = 5;

/** `joined web-3, left web-1`; counts where names are not known. */
export function describeRosterChange(before: RosterPart, now: RosterPart): string {
  if (before.members === null || now.members === null) return `${now.count} now, ${before.count} before`;
  const [then, at] = [new Map(before.members), new Map(now.members)];
  const changes = [
    { says: 'joined', names: [...at.keys()].filter((name) => !then.has(name)) },
    { says: 'left', names: [...then.keys()].filter((name) => !at.has(name)) },
    {
      says: 'changed',
      names: [...at]
        .filter(([name, digest]) => then.has(name) && then.get(name) !== digest)
        .map(([name]) => name),
    },
  ].filter(({ names }) => names.length > 0);
  // The facts that are declared, or the labels that select, are others.
  if (changes.length === 0) return 'what it asks about them';
  return changes.map(({ says, names }) => `${says} ${listNames(names)}`).join(', ');
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).map((name) => printable(name, 64));
  const more = names.length - shown.length;
  if (more > 0) return `${shown.join(', ')} and ${more} more`;
  const last = shown.pop();
  return shown.length === 0 ? `${last}` : `${shown.join(', ')} and ${last}`;
}
