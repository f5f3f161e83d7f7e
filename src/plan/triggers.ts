import type { Action, Trigger } from '../model/action.ts';
import { shortId } from '../model/ids.ts';
import type { FingerprintParts, RosterPart, Run } from '../model/run.ts';
import { isSameButForRoster } from './fingerprint.ts';
import { countLiveHosts, describeRosterChange, formatLiveHosts } from './presence-triggers.ts';
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
  if (success === null && s.roster !== null && s.parts.roster === undefined) return waitForRoster(s);
  const schedule = readSchedule(action.on, {
    base: Math.max(s.memory?.seenAt || s.now, s.memory?.lastRun?.intent.startedAt ?? 0),
    now: s.now,
    bootedAt: s.bootedAt,
  });
  if (success === null) {
    if (action.on.some((trigger) => trigger.type !== 'schedule')) return runs('first', firstTime(s));
  } else {
    const at = shortId(success.intent.commit);
    if (hasTrigger(action, 'change') && !isSameButForRoster(success.intent, s)) {
      return changed(success.intent.parts, s.parts, at);
    }
    const before = success.intent.parts.roster;
    if (s.parts.roster !== undefined && s.parts.roster.digest !== before?.digest) {
      return rosterChanged(action, before, s.parts.roster);
    }
    if (hasTrigger(action, 'boot') && success.intent.bootId !== s.bootId) {
      return runs('boot', `runs, the machine was started since its last success at ${at}`);
    }
  }
  if (schedule.missed !== null) {
    return runs('schedule', `runs, its scheduled time ${formatTime(schedule.missed)} has come`);
  }
  if (hasTrigger(action, 'look')) return runs('look', 'runs, as at every look');
  return s.roster === null ? rest(action, success, schedule.next) : restWithRoster(s, success, schedule.next);
}

function firstTime(s: Situation): string {
  const { memory } = s;
  if (memory?.lastSuccess && !memory.applied)
    return 'runs, it was undone on this host since its last success';
  return memory?.lastRun
    ? 'runs, it has not succeeded on this host yet'
    : 'runs for the first time on this host';
}

/** Not to know who lives is not to know that nobody does. */
function waitForRoster({ action, roster }: Situation): Verdict {
  if (roster?.isConfigured) return rests('waiting', 'waits until the roster has been read');
  const says = `waits for the ${formatLiveHosts(action)}, but this host finds no others: expected status in host.yaml, found none`;
  return rests('waiting', says);
}

function rosterChanged(action: Action, before: RosterPart | undefined, now: RosterPart): Verdict {
  if (before === undefined) {
    return runs('presence', `runs, it depends on the ${countLiveHosts(action, now.count)} now`);
  }
  const how = describeRosterChange(before, now);
  return runs('presence', `runs, the ${formatLiveHosts(action)} changed since its last success (${how})`);
}

/** A change that has not lasted yet is told, and looked at again when it may have. */
function restWithRoster(s: Situation, success: Run | null, next: number | null): Verdict {
  const { action, roster, now } = s;
  const verdict = restWords(s, success, next);
  if (roster === null) return verdict;
  if (!roster.isConfigured) {
    const blind = `changes among the ${formatLiveHosts(action)} are not seen: expected status in host.yaml, found none`;
    return { ...verdict, says: `${verdict.says}; ${blind}` };
  }
  const { wakeAt, pending, settled } = roster;
  // One that has passed waits for the next reading.
  if (wakeAt === null || pending === null || settled === null || wakeAt <= now) return verdict;
  const how = describeRosterChange(settled, pending);
  const says = `${verdict.says}; they changed (${how}), which counts from ${formatTime(wakeAt)} on if it lasts`;
  return { ...verdict, says };
}

function restWords({ action, parts }: Situation, success: Run | null, next: number | null): Verdict {
  if (success === null || parts.roster === undefined) return rest(action, success, next);
  const noChange = `no change among the ${countLiveHosts(action, parts.roster.count)}`;
  if (action.on.some(({ type }) => type !== 'presence' && type !== 'schedule')) {
    const verdict = rest(action, success, next);
    return { ...verdict, says: `${verdict.says}, and ${noChange}` };
  }
  const scheduled = next === null ? '' : `; its next scheduled time is ${formatTime(next)}`;
  const at = shortId(success.intent.commit);
  return rests('current', `rests, ${noChange} since its last success at ${at}${scheduled}`, next);
}

function changed(before: FingerprintParts, now: FingerprintParts, at: string): Verdict {
  const parts = [
    { reason: 'changed', says: 'its content', differs: before.content !== now.content },
    { reason: 'definition', says: 'its definition', differs: before.definition !== now.definition },
    { reason: 'labels', says: 'the labels that it names', differs: before.labels !== now.labels },
    {
      reason: 'presence',
      says: 'the live hosts that it names',
      differs: now.roster !== undefined && before.roster?.digest !== now.roster.digest,
    },
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
