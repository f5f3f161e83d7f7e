/** The words and numbers of sentences. Whatever comes from a repository is escaped and shortened before it is shown. */

import { printable } from '../model/printable.ts';
import type { Run } from '../model/run.ts';
import { EXIT_NEEDS_HUMAN, EXIT_TRY_AGAIN } from '../model/run.ts';

/** `2026-11-25T11:42:10Z`: whole seconds, rounded up, so that a time that was named is never too early. */
export function formatTime(ms: number): string {
  const date = new Date(Math.ceil(ms / 1000) * 1000);
  return Number.isNaN(date.getTime()) ? 'an unknown time' : date.toISOString().replace('.000Z', 'Z');
}

/** `45 s`, `10 min`, `2 h`, `1 d`: the largest unit that gives a whole number. */
export function formatDuration(ms: number): string {
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1000, 's'],
  ] as const;
  for (const [size, unit] of units) {
    if (ms >= size && ms % size === 0) return `${ms / size} ${unit}`;
  }
  return ms >= 1000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms)} ms`;
}

/** How a run ended, to follow "attempt 3" or "its last run": `failed with exit code 1`. */
export function formatEnd(run: Run): string {
  const { result, intent } = run;
  if (result === null) return 'is still open';
  switch (result.outcome) {
    case 'ok':
      return 'succeeded';
    case 'timed-out':
      return `took longer than ${formatDuration(intent.timeoutMs)}`;
    case 'interrupted':
      return result.interruption === 'never-began' ? 'was cut off before it began' : 'was cut off';
    case 'superseded':
      return 'was ended in favour of a newer commit';
    case 'refused':
      return 'could not be started';
    case 'failed':
      if (result.exitCode === EXIT_TRY_AGAIN) return `asked to be tried again (exit code ${EXIT_TRY_AGAIN})`;
      if (result.exitCode === EXIT_NEEDS_HUMAN) return `asked for a human (exit code ${EXIT_NEEDS_HUMAN})`;
      if (result.exitCode !== null) return `failed with exit code ${result.exitCode}`;
      return result.signal === null ? 'failed' : `was ended by ${printable(result.signal, 20)}`;
  }
}
