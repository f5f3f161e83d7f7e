import type { RunId } from '../model/ids.ts';

let last = 0;

/** `20261125T111156.123-k3f9`: sorts by start time on one host, also for runs in one millisecond of one process. */
export function makeRunId(now: number, random: () => number): RunId {
  last = Math.max(now, last + 1);
  const time = new Date(last).toISOString().replace(/[-:Z]/g, '');
  const suffix = Math.floor(random() * 36 ** 4)
    .toString(36)
    .padStart(4, '0');
  return `${time}-${suffix}` as RunId;
}
