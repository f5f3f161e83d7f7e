import type { Action, Trigger } from '../model/action.ts';
import { shortId } from '../model/ids.ts';
import type { FingerprintParts, Run } from '../model/run.ts';
import { readSchedule } from './schedule.ts';
import { formatTime } from './sentence.ts';
import { type Situation, standingSuccess } from './situation.ts';
import { rests, runs, type Verdict } from './verdict.ts';

export function hasTrigger(action: Action, type: Trigger['type']): boolean {
  return action.on.some((trigger) => trigger.type === type);
}

/** Does any trigger ask for it, as if nothing had failed? The most telling reason is given. */
export function askTriggers(s: Situation): Verdict {
  const { action } = s;
  const success = standingSuccess(s.memory);
  const schedule = readSchedule(action.on, {
    base: Math.max(s.memory?.seenAt || s.now, s.memory?.lastRun?.intent.startedAt ?? 0),
    now: s.now,
    bootedAt: s.bootedAt,
  });
  if (success === null) {
    if (action.on.some((trigger) => trigger.type !== 'schedule')) return runs('first', firstTime(s));
  } else {
    const at = shortId(success.intent.commit);
    if (hasTrigger(action, 'change') && success.intent.fingerprint !== s.fingerprint) {
      return changed(success.intent.parts, s.parts, at);
    }
    if (hasTrigger(action, 'boot') && success.intent.bootId !== s.bootId) {
      return runs('boot', `runs, the machine was started since its last success at ${at}`);
    }
  }
  if (schedule.missed !== null) {
    return runs('schedule', `runs, its scheduled time ${formatTime(schedule.missed)} has come`);
  }
  if (hasTrigger(action, 'look')) return runs('look', 'runs, as at every look');
  return rest(action, success, schedule.next);
}

function firstTime(s: Situation): string {
  const { memory } = s;
  if (memory?.lastSuccess && !memory.applied)
    return 'runs, it was undone on this host since its last success';
  return memory?.lastRun
    ? 'runs, it has not succeeded on this host yet'
    : 'runs for the first time on this host';
}

function changed(before: FingerprintParts, now: FingerprintParts, at: string): Verdict {
  const parts = [
    { reason: 'changed', says: 'its content', differs: before.content !== now.content },
    { reason: 'definition', says: 'its definition', differs: before.definition !== now.definition },
    { reason: 'labels', says: 'the labels that it names', differs: before.labels !== now.labels },
  ] as const;
  const differing = parts.filter((part) => part.differs);
  // A record of another version may have been digested in another way: then everything counts as changed.
  const [first = parts[0], ...others] = differing;
  const names = [first, ...others].map((part) => part.says).join(' and ');
  const plural = others.length > 0 || first.reason === 'labels';
  const verb = plural ? 'differ from those of' : 'differs from that of';
  return runs(first.reason, `runs, ${names} ${verb} its last success (${at})`);
}

function rest(action: Action, success: Run | null, next: number | null): Verdict {
  if (hasTrigger(action, 'change') && success !== null) {
    const at = shortId(success.intent.commit);
    return rests(
      'current',
      `rests, nothing that it depends on changed since its last success at ${at}`,
      next,
    );
  }
  if (hasTrigger(action, 'schedule')) {
    if (next === null) return rests('not-yet', 'rests, its schedule names no time to come');
    return rests('not-yet', `waits for its next scheduled time, ${formatTime(next)}`, next);
  }
  const at = success === null ? 'before' : `at ${shortId(success.intent.commit)}`;
  if (hasTrigger(action, 'boot'))
    return rests('current', `rests, it succeeded ${at} since the machine was started`);
  return rests('current', `rests, it is done once on a host and succeeded ${at}`);
}
