/** One rule says when a daemon is late. Watchdog, cron entry, doctor and reader all ask it, so that they never disagree. */

/** Below this no daemon is called late, however short its interval: a look of normal length needs its time. */
const LATE_MIN_MS = 60_000;

/** Intervals without a sign of life after which a daemon is late. */
const LATE_INTERVALS = 3;

/** Cron does not call more often than this. */
export const CRON_TICK_MS = 60_000;

export function lateAfterMs(intervalMs: number): number {
  return Math.max(LATE_INTERVALS * intervalMs, LATE_MIN_MS);
}

/**
 * Is the last sign of life older than three intervals? A sign from the future counts as late when it is as far away:
 * the clock was set back, and a daemon that is alive replaces the sign within one interval.
 */
export function isLate(now: number, lastSign: number | null, intervalMs: number): boolean {
  return lastSign === null || Math.abs(now - lastSign) > lateAfterMs(intervalMs);
}

export interface DutyInput {
  readonly now: number;
  /** When the last look of anybody made its last progress; null when there was none. */
  readonly lastLookAt: number | null;
  readonly intervalMs: number;
  /** The holder of the lock is alive and is an agent. */
  readonly daemonAlive: boolean;
  /** Another sign of life of that agent: when it was started, or last made progress. It has three intervals from there too. */
  readonly daemonLifeAt?: number | null;
  /** Something else (systemd) starts the daemon again when it ends. */
  readonly supervised?: boolean;
}

/**
 * What a call by cron has to do.
 * `rest`: a daemon is at work, or it is not time yet. `look`: one look, now. `start`: the interval is too short for cron's
 * minute and no daemon is alive, so start one. `replace`: a daemon is alive but late; end it, then ask again.
 */
export type Duty = 'rest' | 'look' | 'start' | 'replace';

export function heartbeatDuty(input: DutyInput): Duty {
  const { now, lastLookAt, intervalMs } = input;
  if (input.daemonAlive) {
    const signs = [lastLookAt, input.daemonLifeAt ?? null];
    return signs.every((sign) => isLate(now, sign, intervalMs)) ? 'replace' : 'rest';
  }
  if (intervalMs < CRON_TICK_MS && !input.supervised) return 'start';
  if (lastLookAt === null || lastLookAt > now) return 'look';
  // Half a tick of slack: cron's own unpunctuality must not turn an interval of one minute into two.
  return now - lastLookAt >= intervalMs - CRON_TICK_MS / 2 ? 'look' : 'rest';
}
