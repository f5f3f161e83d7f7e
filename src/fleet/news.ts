/**
 * What is news about the fleet: changes of state that last, each told once. Pure; time is a value.
 *
 * A fact that differs from what was told has to last for the hold time. What changes together is told together: a group of facts waits for
 * those of it that have changed more recently, but no longer than twice the hold time.
 */
import type { FleetHost } from '../model/fleet.ts';
import type { News, NewsState, Seen, Told } from '../model/news.ts';
import { type Facts, keyOf, readFacts, type Subject, type SubjectKind, subjectOfKey } from './news-facts.ts';
import { type Sentence, sayBegin, sayEnd } from './news-text.ts';

export interface NewsOptions {
  readonly holdMs: number;
  /** The subject line of a commit; null: not known. */
  readonly subjectOf?: (repo: string, commit: string) => string | null;
  /** We have not heard of anybody for a while, and those who are well need a moment to say so: nobody is called silent. */
  readonly isBlind?: boolean;
}

/** Facts that are remembered. A fleet has fewer; whoever can write the state could make it grow. */
const KEYS_MAX = 60_000;
/** Until the last of those who fell silent together is found to be, at most. */
const LATE_MAX_MS = 5 * 60_000;

const CRITICAL: ReadonlySet<SubjectKind> = new Set([
  'silent',
  'absent',
  'conflicting',
  'forged',
  'wedged',
  'failed',
  'refused',
]);

interface Change {
  readonly key: string;
  readonly subject: Subject;
  readonly is: boolean;
  readonly ageMs: number;
}

/** @param now Milliseconds since 1970. @returns the same state when nothing has changed. */
export function decideNews(
  before: NewsState,
  hosts: readonly FleetHost[],
  now: number,
  o: NewsOptions,
): { readonly state: NewsState; readonly news: readonly News[] } {
  // An empty answer is never "nothing there".
  if (hosts.length === 0) return { state: before, news: [] };
  const known = new Set([...Object.keys(before.told ?? {}), ...Object.keys(before.seen)]);
  const facts = readFacts(hosts, { known, isBlind: o.isBlind === true });
  const told = before.told ?? firstTold(facts, now);
  const seen = nextSeen(before.seen, { facts, told, now });
  const due = [...groupsOf(seen, facts, now).values()].filter((group) =>
    isDue(group, { facts, now, holdMs: o.holdMs }),
  );
  const changes = due.flat().filter(({ ageMs }) => ageMs >= o.holdMs);
  if (changes.length === 0) return { state: stateOf(before, told, seen), news: [] };
  const news = due.flatMap((group) => sayGroup(group, { ...o, facts, told, now })).sort(byLevel);
  return { state: stateOf(before, nextTold(told, changes, now), withoutKeys(seen, changes)), news };
}

/** Whoever looks for the first time tells of nothing that is well. */
function firstTold({ is }: Facts, now: number): Told {
  const well = [...is].filter(([key, value]) => value === true && /^(?:here|applied) /.test(key));
  return Object.fromEntries(well.slice(0, KEYS_MAX).map(([key]) => [key, now]));
}

interface SeenOptions {
  readonly facts: Facts;
  readonly told: Told;
  readonly now: number;
}

/** Only what differs from what was told. */
function nextSeen(before: Seen, { facts, told, now }: SeenOptions): Seen {
  const seen: Record<string, { is: boolean; since: number }> = {};
  let count = 0;
  for (const [key, found] of facts.is) {
    const held = before[key];
    const isTold = Object.hasOwn(told, key);
    const is = found ?? held?.is;
    if (is === undefined || is === isTold || count >= KEYS_MAX) continue;
    // A commit that was everywhere stays the last one that was, until another one is.
    if (isTold && key.startsWith('applied ')) continue;
    count += 1;
    // A clock that was set back, or that of another host, which is ahead.
    const since = held?.is === is ? Math.min(held.since, now) : now;
    seen[key] = held?.is === is && held.since === since ? held : { is, since };
  }
  return seen;
}

/** What is told in one message. What is not known at this moment is told when it is. */
function groupsOf(seen: Seen, facts: Facts, now: number): Map<string, Change[]> {
  const groups = new Map<string, Change[]>();
  for (const [key, { is, since }] of Object.entries(seen)) {
    const subject = subjectOfKey(key);
    if (subject === null || facts.is.get(key) !== is) continue;
    const about =
      'host' in subject
        ? subject.kind
        : subject.kind === 'failed'
          ? `failed ${subject.repo} ${subject.commit}`
          : key;
    const name = `${is} ${about}`;
    const group = groups.get(name) ?? [];
    group.push({ key, subject, is, ageMs: now - since });
    groups.set(name, group);
  }
  return groups;
}

/** One has lasted long enough, and no other is on its way, or they were waited for. */
function isDue(
  group: readonly Change[],
  { facts, now, holdMs }: { facts: Facts; now: number; holdMs: number },
): boolean {
  const oldest = Math.max(...group.map(({ ageMs }) => ageMs));
  if (oldest < holdMs) return false;
  const [{ subject, is }] = group as [Change];
  const isYoung = group.some(({ ageMs }) => ageMs < holdMs);
  if (subject.kind !== 'silent' || !is) return !isYoung || oldest >= 2 * holdMs;
  const late = lateness(facts, now);
  return !(isYoung || late.isAny) || oldest >= 2 * holdMs + late.maxMs;
}

/**
 * Who falls silent together is found to be so within the time of a heartbeat. Hosts that have missed one may be found next, and are worth
 * to be waited for.
 */
function lateness({ hosts }: Facts, now: number): { readonly isAny: boolean; readonly maxMs: number } {
  let isAny = false;
  let maxMs = 0;
  for (const { presence, state, lastContactAt } of hosts.values()) {
    if (presence === null || lastContactAt === null) continue;
    maxMs = Math.max(maxMs, Math.min(presence.heartbeatMs, LATE_MAX_MS));
    isAny ||= state !== 'silent' && now - lastContactAt > 1.5 * presence.heartbeatMs;
  }
  return { isAny, maxMs };
}

interface SayOptions extends NewsOptions {
  readonly facts: Facts;
  readonly told: Told;
  readonly now: number;
}

function sayGroup(group: readonly Change[], o: SayOptions): News[] {
  const lasting = group.filter(({ ageMs }) => ageMs >= o.holdMs);
  const [first] = lasting;
  if (first === undefined) return [];
  const { is } = first;
  const subjects = lasting.map(({ subject }) => subject);
  const failing = new Set(
    Object.keys(o.told)
      .filter((key) => key.startsWith('failed '))
      .map(actionOfKey),
  );
  const sentence: Sentence | null = (is ? sayBegin : sayEnd)(subjects, {
    facts: o.facts,
    subjectOf: o.subjectOf ?? (() => null),
    wasFailing: (repo, action) => failing.has(`${repo} ${action}`),
  });
  const keys = lasting.map(({ key }) => key);
  const isCritical = is && CRITICAL.has(first.subject.kind);
  if (sentence === null) return [];
  return [
    {
      level: isCritical ? 'critical' : 'chatty',
      ...sentence,
      begins: is ? keys : [],
      ends: is ? staleBy(subjects, o.told) : keys,
      at: o.now,
    },
  ];
}

function actionOfKey(key: string): string {
  return key.split(' ').slice(1, 3).join(' ');
}

/** A failure at a newer commit, or that commit everywhere: what waits to be sent about an older one is of yesterday. */
function staleBy(subjects: readonly Subject[], told: Told): string[] {
  return subjects.flatMap((subject) => {
    if (subject.kind === 'failed')
      return Object.keys(told).filter((key) => key.startsWith(`failed ${subject.repo} ${subject.action} `));
    if (subject.kind === 'applied') return Object.keys(told).filter((key) => isOlder(key, subject));
    return [];
  });
}

function isOlder(key: string, { repo, commit }: { repo: string; commit: string }): boolean {
  return key.startsWith(`applied ${repo} `) && key !== keyOf({ kind: 'applied', repo, commit });
}

function nextTold(told: Told, changes: readonly Change[], now: number): Told {
  const next: Record<string, number> = { ...told };
  for (const { key, is, subject } of changes) {
    if (is) next[key] = now;
    else delete next[key];
    if (is && subject.kind === 'applied')
      for (const older of Object.keys(next).filter((one) => isOlder(one, subject))) delete next[older];
  }
  const keys = Object.keys(next);
  for (const key of keys.slice(0, Math.max(0, keys.length - KEYS_MAX))) delete next[key];
  return next;
}

function withoutKeys(seen: Seen, changes: readonly Change[]): Seen {
  const gone = new Set(changes.map(({ key }) => key));
  return Object.fromEntries(Object.entries(seen).filter(([key]) => !gone.has(key)));
}

function stateOf(before: NewsState, told: Told, seen: Seen): NewsState {
  const isSame =
    told === before.told &&
    Object.keys(seen).length === Object.keys(before.seen).length &&
    Object.entries(seen).every(([key, value]) => before.seen[key] === value);
  return isSame ? before : { version: 1, told, seen };
}

function byLevel(a: News, b: News): number {
  if (a.level !== b.level) return a.level === 'critical' ? -1 : 1;
  return a.text < b.text ? -1 : 1;
}
