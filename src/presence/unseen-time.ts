/**
 * PURE: times for which a reader could not know whether hosts made contact. They make nobody silent: after an outage of the status
 * repository hosts come back one by one, and a clock that was set forward has aged everything that was seen before.
 */

/** Milliseconds since 1970, by the reader's clock. */
export interface Unseen {
  readonly from: number;
  readonly to: number;
}

/** The same instant by two clocks. */
export interface Instant {
  /** Milliseconds since 1970. */
  readonly wall: number;
  /** Milliseconds since boot, with the time asleep. */
  readonly up: number;
  readonly bootId: string;
}

/** Questions that failed further apart than this say nothing about the time between them. */
const ONE_OUTAGE_MS = 15 * 60_000;
/** A clock that is disciplined drifts by less. */
const JUMP_MIN_MS = 10_000;
const UNSEEN_MAX = 16;

/** An outage after one more question that failed. */
export function extendOutage(before: Unseen | null, now: number): Unseen {
  const goesOn = before !== null && now >= before.to && now - before.to <= ONE_OUTAGE_MS;
  return goesOn ? { from: before.from, to: now } : { from: now, to: now };
}

/** What is remembered when the store answers again. */
export function endOutage(unseen: readonly Unseen[], outage: Unseen | null, now: number): readonly Unseen[] {
  if (outage === null) return unseen;
  const { from, to } =
    extendOutage(outage, now).from === outage.from ? { from: outage.from, to: now } : outage;
  return to > from ? [...unseen, { from, to }].slice(-UNSEEN_MAX) : unseen;
}

/** By how much the wall clock was set between two instants of one boot; 0 when it was not, or nobody knows. */
export function clockJump(before: Instant | null, now: Instant): number {
  if (before === null || before.bootId !== now.bootId || now.up < before.up) return 0;
  const jump = now.wall - before.wall - (now.up - before.up);
  return Math.abs(jump) < JUMP_MIN_MS ? 0 : jump;
}

/** How much of the time since `from` was unseen. */
export function unseenSince(unseen: readonly Unseen[], from: number): number {
  return unseen.reduce((sum, one) => sum + Math.max(0, one.to - Math.max(one.from, from)), 0);
}
