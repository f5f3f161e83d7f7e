import { Cron } from 'croner';
import type { Trigger } from '../model/action.ts';

type ScheduleTrigger = Extract<Trigger, { type: 'schedule' }>;

/** Every instant in [from, next) has the same next occurrence; null: never again. */
interface Answer {
  readonly from: number;
  readonly next: number | null;
}

const KEPT_MAX = 2000;
// A cache of a pure function: parsing a pattern and asking for one occurrence costs a tenth of a millisecond.
const kept = new Map<string, Answer>();

/**
 * The first occurrence after `after` (milliseconds since 1970), or null when there is none or the pattern cannot be read
 * (configuration refuses such a pattern). Without a time zone the host's own is meant. In the hour that a change to summer
 * time leaves out, an occurrence moves to the end of the gap; in the hour that comes twice, a fixed time occurs once.
 */
export function nextOccurrence(trigger: ScheduleTrigger, after: number): number | null {
  const key = `${trigger.tz ?? ''} ${trigger.cron}`;
  const known = kept.get(key);
  if (known && after >= known.from && (known.next === null || after < known.next)) return known.next;
  const next = ask(trigger, after);
  if (kept.size >= KEPT_MAX) kept.clear();
  kept.set(key, { from: after, next });
  return next;
}

function ask(trigger: ScheduleTrigger, after: number): number | null {
  try {
    const cron = new Cron(trigger.cron, trigger.tz === null ? {} : { timezone: trigger.tz });
    return cron.nextRun(new Date(after))?.getTime() ?? null;
  } catch {
    return null;
  }
}

interface ScheduleAnswer {
  /** The occurrence that waits to be run, or null. Several missed ones are one. */
  readonly missed: number | null;
  /** The first occurrence after now. */
  readonly next: number | null;
}

const CLOCK_WAS_WRONG_MS = 24 * 60 * 60 * 1000;

/**
 * Was there an occurrence after `base` and up to `now`, and when is the next?
 *
 * A clock that was set back re-runs nothing: what came before `base` is done. Only when `base` lies more than a day ahead
 * was the clock plainly wrong before; then the start of this boot is taken, or the action would rest until that day.
 * @param base When it was last started, or when the agent first knew of it.
 */
export function readSchedule(
  triggers: readonly Trigger[],
  times: { readonly base: number; readonly now: number; readonly bootedAt: number },
): ScheduleAnswer {
  const { now } = times;
  const base = times.base > now + CLOCK_WAS_WRONG_MS ? Math.min(times.bootedAt, now) : times.base;
  let missed: number | null = null;
  let next: number | null = null;
  for (const trigger of triggers) {
    if (trigger.type !== 'schedule') continue;
    const first = nextOccurrence(trigger, base);
    if (first === null) continue;
    if (first <= now) missed = least(missed, first);
    next = least(next, first > now ? first : nextOccurrence(trigger, now));
  }
  return { missed, next };
}

function least(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}
