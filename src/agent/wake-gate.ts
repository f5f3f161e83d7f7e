/**
 * What stands between wakes and looks: all that come while one waits are one, each host takes its own moment of a window that grows with
 * the fleet, so that a push is no herd for the git server, and nobody can make a host look more than once in a second.
 */
import type { Clock } from '../system/clock.ts';

export interface WakeGateOptions {
  readonly clock: Pick<Clock, 'monotonic' | 'random'>;
  /** How many hosts are known. */
  readonly hosts: () => number;
  readonly onWake: () => void;
}

export interface WakeGate {
  wake(): void;
  close(): void;
}

const WINDOW_PER_HOST_MS = 2;
const WINDOW_MAX_MS = 30_000;
/** So few need no window. */
const FEW = 10;
const GAP_MS = 1_000;

export function wakeWindowMs(hosts: number): number {
  return hosts <= FEW ? 0 : Math.min(WINDOW_MAX_MS, hosts * WINDOW_PER_HOST_MS);
}

export function createWakeGate(o: WakeGateOptions): WakeGate {
  let timer: NodeJS.Timeout | null = null;
  let last = Number.NEGATIVE_INFINITY;
  return {
    wake() {
      if (timer !== null) return;
      const restMs = last + GAP_MS - o.clock.monotonic();
      const waitMs = Math.max(0, restMs, wakeWindowMs(o.hosts()) * o.clock.random());
      timer = setTimeout(() => {
        timer = null;
        last = o.clock.monotonic();
        o.onWake();
      }, waitMs);
    },
    close() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}
