import type { RetryPolicy } from '../model/action.ts';
import { fractionOf } from './digest.ts';

/** A parked action is tried once in so long: the world may have mended itself. */
export const SLOW_RETRY_MS = 24 * 60 * 60 * 1000;

/** An action of every look is never parked by failing often; it waits no longer than this. */
export const LOOK_RETRY_MAX_MS = 10 * 60 * 1000;

/** For the undo of an action whose definition is gone. */
export const UNDO_RETRY: RetryPolicy = { delayMs: 60_000, delayMaxMs: 60 * 60_000, attempts: 5 };

/**
 * When the next attempt may start: the delay doubles with each attempt, +-20 % by a hash of the run, never above the
 * policy's maximum.
 * @param attempts Runs in a row without a success, at least 1.
 * @param seed The id of the run that failed: the same question gives the same answer.
 * @returns Milliseconds since 1970.
 */
export function retryAt(policy: RetryPolicy, attempts: number, lastEndedAt: number, seed: string): number {
  const doublings = Math.min(Math.max(attempts - 1, 0), 40);
  const delay = Math.min(policy.delayMs * 2 ** doublings, policy.delayMaxMs);
  const jitter = 0.8 + 0.4 * fractionOf(seed);
  return lastEndedAt + Math.round(Math.min(delay * jitter, policy.delayMaxMs));
}
