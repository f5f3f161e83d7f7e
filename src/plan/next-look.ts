import type { HostId } from '../model/ids.ts';
import { fractionOf } from './digest.ts';

const BACK_OFF_MAX_MS = 10 * 60 * 1000;
const BACK_OFF_MAX_INTERVALS = 16;
/** The longest silence that a server is granted. */
export const RETRY_AFTER_MAX_MS = 60 * 60 * 1000;

export interface NextLookInput {
  readonly now: number;
  readonly intervalMs: number;
  readonly hostId: HostId;
  /** Looks in a row that reached no remote; 0 in peace. */
  readonly failures: number;
  /** What a server asked for with `Retry-After`; null when it did not. */
  readonly retryAfterMs: number | null;
}

/**
 * When to look next, milliseconds since 1970, always after `now`.
 *
 * In peace every host has its own slot inside the interval, given by a hash of its id: neither a synchronised clock nor the
 * end of an outage makes a herd, because the first look that succeeds brings the host back to its slot. In trouble the wait
 * doubles with each failure, with jitter, from one interval up to sixteen or ten minutes (whichever is less, but never less
 * than the interval): quieter than in peace, never louder. A server's `Retry-After` is kept up to one hour, then spread.
 */
export function nextLookAt(input: NextLookInput): number {
  const { now, hostId, retryAfterMs } = input;
  const intervalMs = Math.max(1, Math.round(input.intervalMs));
  if (input.failures <= 0 && retryAfterMs === null) return nextSlot(now, intervalMs, hostId);
  const wait = input.failures <= 0 ? intervalMs : backOff(intervalMs, hostId, input.failures);
  if (retryAfterMs === null) return now + wait;
  const asked = Math.min(Math.max(retryAfterMs, 0), RETRY_AFTER_MAX_MS);
  return now + Math.max(wait, asked + Math.floor(fractionOf(hostId) * intervalMs));
}

/** The first wait of `dueLookAt`: two looks are never closer than this, whatever is due. */
export const AT_ONCE_MS = 20;

/**
 * When to look, given that something becomes due at `dueAt`, and no later than `at`. What is due is looked at at once; but what look
 * after look leaves due (a run that cannot begin, a tree that cannot be written) makes the wait double each time.
 * @param leftDue So many looks in a row have ended with something due.
 */
export function dueLookAt(o: { now: number; at: number; dueAt: number | null; leftDue: number }): number {
  if (o.dueAt === null) return o.at;
  if (o.dueAt > o.now) return Math.min(o.at, o.dueAt);
  return Math.min(o.at, o.now + AT_ONCE_MS * 2 ** Math.min(Math.max(0, o.leftDue - 1), 40));
}

/** The first slot after `now`. One that is as good as now is passed over: a timer may fire a little early. */
function nextSlot(now: number, intervalMs: number, hostId: HostId): number {
  const offset = Math.floor(fractionOf(hostId) * intervalMs);
  const slack = Math.min(Math.floor(intervalMs / 10), 100);
  return (Math.floor((now + slack - offset) / intervalMs) + 1) * intervalMs + offset;
}

function backOff(intervalMs: number, hostId: HostId, failures: number): number {
  const most = Math.max(intervalMs, Math.min(BACK_OFF_MAX_INTERVALS * intervalMs, BACK_OFF_MAX_MS));
  const jitter = 0.8 + 0.4 * fractionOf(`${hostId} ${failures}`);
  const wanted = intervalMs * 2 ** Math.min(failures - 1, 40) * jitter;
  return Math.round(Math.min(most, Math.max(intervalMs, wanted)));
}
