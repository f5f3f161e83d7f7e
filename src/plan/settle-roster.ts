/**
 * Damping: a change of the live hosts counts when it has lasted. A host that comes and goes makes no action run again and again,
 * and does not keep the others from being seen either.
 */
import type { PresenceTrigger } from '../model/action.ts';
import type { RosterView, TriggerRoster } from '../model/plan.ts';
import type { RosterMember } from '../model/presence.ts';
import type { RosterPart } from '../model/run.ts';
import { presenceKey, relevantRoster } from './relevant-roster.ts';

/** What is remembered of one trigger from one reading of the roster to the next. Times are milliseconds since 1970. */
export interface RosterSettling {
  readonly settled: RosterPart;
  readonly pending: {
    readonly part: RosterPart;
    /** Since when it is like this. */
    readonly since: number;
    /** Since when it is not as settled, however it was in between. */
    readonly changingSince: number;
  } | null;
}

/** While the roster goes on changing, the newest is taken after so many times `settle`. */
export const SETTLE_CAP = 10;

/**
 * What counts after one more observation. The first one counts at once. A change counts when the roster has been the same for
 * `settleMs`, or when it has never been as settled for ten times that. Back at what is settled, nothing has happened.
 */
export function settleRoster(
  before: RosterSettling | null,
  observed: RosterPart,
  now: number,
  settleMs: number,
): RosterSettling {
  if (before === null) return { settled: observed, pending: null };
  const { settled, pending } = before;
  if (observed.digest === settled.digest) return pending === null ? before : { settled, pending: null };
  // A clock that was set back has lost what it measured.
  const changingSince = Math.min(pending?.changingSince ?? now, now);
  const goesOn = pending !== null && pending.part.digest === observed.digest;
  const since = goesOn ? Math.min(pending.since, now) : now;
  const next: RosterSettling = { settled, pending: { part: observed, since, changingSince } };
  if (now < settlesAt(next, settleMs)!) {
    const isSame = goesOn && pending.since === since && pending.changingSince === changingSince;
    return isSame ? before : next;
  }
  return { settled: observed, pending: null };
}

/** When what is pending counts if it lasts; null when nothing is. */
export function settlesAt({ pending }: RosterSettling, settleMs: number): number | null {
  if (pending === null) return null;
  return Math.min(pending.since + settleMs, pending.changingSince + SETTLE_CAP * settleMs);
}

/** By `presenceKey`. */
export type RosterSettlings = ReadonlyMap<string, RosterSettling>;

/**
 * All triggers at once; those that no action has any more are forgotten.
 * @param roster As it was read, whole: a reading that failed is none.
 * @returns `before` itself when nothing changed.
 */
export function settleRosters(
  before: RosterSettlings,
  triggers: readonly PresenceTrigger[],
  seen: { readonly roster: readonly RosterMember[]; readonly self: RosterMember; readonly now: number },
): RosterSettlings {
  const next = new Map<string, RosterSettling>();
  for (const trigger of triggers) {
    const key = presenceKey(trigger);
    if (next.has(key)) continue;
    const { part } = relevantRoster(trigger, seen.roster, seen.self);
    next.set(key, settleRoster(before.get(key) ?? null, part, seen.now, trigger.settleMs));
  }
  const isSame = next.size === before.size && [...next].every(([key, one]) => before.get(key) === one);
  return isSame ? before : next;
}

/** For the planner. */
export function rosterViewOf(
  settlings: RosterSettlings,
  triggers: readonly PresenceTrigger[],
  isConfigured: boolean,
): RosterView {
  const known = new Map<string, TriggerRoster>();
  for (const trigger of triggers) {
    const key = presenceKey(trigger);
    const one = settlings.get(key);
    if (one === undefined || known.has(key)) continue;
    known.set(key, {
      settled: one.settled,
      pending: one.pending?.part ?? null,
      wakeAt: settlesAt(one, trigger.settleMs),
    });
  }
  return { isConfigured, triggers: known };
}
