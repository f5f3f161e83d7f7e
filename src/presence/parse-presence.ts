/**
 * A presence as it was found: hostile text until it has passed here. Written by hand, because ten thousand of them are read at once.
 *
 * Keys that are not known are ignored, so that a host may say more than its readers understand. Whatever is known must be there, of its
 * type, within its limits, and fit for a terminal. Another version is refused: its words may mean something else.
 */
import type { HostState } from '../model/host.ts';
import { type CommitId, type HostId, isCommitId } from '../model/ids.ts';
import {
  PRESENCE_MAX_BYTES,
  type Presence,
  type PresenceAction,
  type PresenceRepo,
  type PresenceTrouble,
} from '../model/presence.ts';
import { printable } from '../model/printable.ts';
import type { Outcome } from '../model/run.ts';
import type { TroubleCode } from '../model/trouble.ts';
import {
  ADDRESSES_MAX,
  FACTS_MAX,
  isAddress,
  isFactKey,
  isHarmless,
  isLabelKey,
  LENGTH_MAX,
} from './presence-text.ts';

export type ParsedPresence =
  | { readonly ok: true; readonly presence: Presence }
  /** What was expected, what was found: one line, printable. */
  | { readonly ok: false; readonly why: string };

const STATES: readonly HostState[] = ['setup', 'working', 'busy', 'wedged', 'paused'];
const OUTCOMES: readonly Outcome[] = ['ok', 'failed', 'timed-out', 'interrupted', 'superseded', 'refused'];
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const HOST_ID = /^[a-z2-7]{26}$/;
/** Codes are only shown: one that a newer host knows is taken. */
const CODE = /^[a-z][a-z0-9-]{0,39}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const DAY_MS = 86_400_000;

/** Never throws, whatever the text is. */
export function parsePresence(text: string): ParsedPresence {
  // Before anything is counted or parsed: UTF-8 has at least a byte for each unit.
  if (text.length > PRESENCE_MAX_BYTES || Buffer.byteLength(text) > PRESENCE_MAX_BYTES)
    return { ok: false, why: `expected at most ${PRESENCE_MAX_BYTES} bytes, found more` };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, why: 'expected JSON, found something else' };
  }
  try {
    return { ok: true, presence: toPresence(new Fields(value, '')) };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, why: error.message };
    throw error;
  }
}

function toPresence(o: Fields): Presence {
  const version = o.count('version', 1, Number.MAX_SAFE_INTEGER);
  if (version !== 1) throw new Refused(`expected version 1, found ${version}`);
  return {
    version: 1,
    host: o.match('host', NAME, 'a name'),
    id: o.match('id', HOST_ID, 'the id of a host') as HostId,
    labels: o.mapping('labels', isLabelKey, LENGTH_MAX.label, Number.POSITIVE_INFINITY),
    addresses: o.list('addresses', ADDRESSES_MAX, (item, place) => {
      if (typeof item !== 'string' || !isAddress(item)) throw wrong(place, 'an IP address');
      return item;
    }),
    state: o.oneOf('state', STATES),
    reason: o.orNull('reason', () => o.text('reason', LENGTH_MAX.sentence)),
    repos: o.list('repos', Number.POSITIVE_INFINITY, (item, place) => toRepo(new Fields(item, place))),
    actions: o.list('actions', Number.POSITIVE_INFINITY, (item, place) => toAction(new Fields(item, place))),
    actionsOmitted: o.count('actionsOmitted'),
    agent: o.text('agent', LENGTH_MAX.version),
    git: o.orNull('git', () => o.text('git', LENGTH_MAX.version)),
    bootId: o.text('bootId', LENGTH_MAX.bootId),
    sequence: o.count('sequence'),
    intervalMs: o.count('intervalMs', 1, 7 * DAY_MS),
    heartbeatMs: o.count('heartbeatMs', 1, 7 * DAY_MS),
    clock: o.time('clock'),
    freeBytes: o.orNull('freeBytes', () => o.count('freeBytes')),
    facts: o.mapping('facts', isFactKey, LENGTH_MAX.fact, FACTS_MAX),
    conflict: o.orNull('conflict', () => o.text('conflict', LENGTH_MAX.sentence)),
  };
}

function toRepo(o: Fields): PresenceRepo {
  return {
    name: o.match('name', NAME, 'a name'),
    wanted: o.orNull('wanted', () => o.commit('wanted')),
    applied: o.orNull('applied', () => o.commit('applied')),
    trouble: o.orNull('trouble', () => toTrouble(o.fields('trouble'))),
  };
}

function toTrouble(o: Fields): PresenceTrouble {
  return {
    code: o.match('code', CODE, 'the code of a trouble') as TroubleCode,
    message: o.text('message', LENGTH_MAX.sentence),
    since: o.time('since'),
  };
}

function toAction(o: Fields): PresenceAction {
  return {
    repo: o.match('repo', NAME, 'a name'),
    name: o.match('name', NAME, 'a name'),
    outcome: o.orNull('outcome', () => o.oneOf('outcome', OUTCOMES)),
    commit: o.orNull('commit', () => o.commit('commit')),
    exitCode: o.orNull('exitCode', () => o.count('exitCode')),
    attempt: o.count('attempt'),
    endedAt: o.orNull('endedAt', () => o.time('endedAt')),
    parked: o.flag('parked'),
  };
}

class Refused extends Error {}

function wrong(place: string, expected: string): Refused {
  return new Refused(`${printable(place, 100)}: expected ${expected}, found something else`);
}

/** One object of the text; `place` is where it stands, for messages. Every method throws `Refused`. */
class Fields {
  private readonly values: Readonly<Record<string, unknown>>;
  private readonly place: string;

  constructor(value: unknown, place: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw wrong(place || 'presence', 'an object');
    this.values = value as Record<string, unknown>;
    this.place = place;
  }

  private at(key: string): string {
    return this.place === '' ? key : `${this.place}.${key}`;
  }

  /** Never what an object inherits. */
  private value(key: string): unknown {
    return Object.hasOwn(this.values, key) ? this.values[key] : undefined;
  }

  orNull<T>(key: string, read: () => T): T | null {
    return this.value(key) === null ? null : read();
  }

  text(key: string, maxLength: number): string {
    const value = this.value(key);
    if (typeof value !== 'string' || value.length > maxLength || !isHarmless(value))
      throw wrong(this.at(key), `a printable text of at most ${maxLength} characters`);
    return value;
  }

  match(key: string, pattern: RegExp, expected: string): string {
    const value = this.value(key);
    if (typeof value !== 'string' || !pattern.test(value)) throw wrong(this.at(key), expected);
    return value;
  }

  oneOf<T extends string>(key: string, known: readonly T[]): T {
    const value = this.value(key);
    const found = known.find((one) => one === value);
    if (found === undefined) throw wrong(this.at(key), `one of ${known.join(', ')}`);
    return found;
  }

  count(key: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.value(key);
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max)
      throw wrong(this.at(key), `a whole number from ${min} to ${max}`);
    return value as number;
  }

  flag(key: string): boolean {
    const value = this.value(key);
    if (typeof value !== 'boolean') throw wrong(this.at(key), 'true or false');
    return value;
  }

  commit(key: string): CommitId {
    const value = this.value(key);
    if (typeof value !== 'string' || !isCommitId(value)) throw wrong(this.at(key), 'a full commit id');
    return value;
  }

  /** @returns Milliseconds since 1970. */
  time(key: string): number {
    const value = this.value(key);
    const ms = typeof value === 'string' && TIME.test(value) ? Date.parse(value) : Number.NaN;
    // There is a 30 February for Date.parse, and a 24:00.
    if (!(ms >= 0) || new Date(ms).getUTCDate() !== Number((value as string).slice(8, 10)))
      throw wrong(this.at(key), 'a time such as 2026-01-31T12:00:00.000Z');
    return ms;
  }

  fields(key: string): Fields {
    return new Fields(this.value(key), this.at(key));
  }

  list<T>(key: string, max: number, read: (item: unknown, place: string) => T): T[] {
    const value = this.value(key);
    if (!Array.isArray(value)) throw wrong(this.at(key), 'a list');
    if (value.length > max) throw wrong(this.at(key), `at most ${max} items`);
    return value.map((item, index) => read(item, `${this.at(key)}[${index}]`));
  }

  /** Without a prototype: no key of it can mean anything else. */
  mapping(
    key: string,
    isKey: (key: string) => boolean,
    maxLength: number,
    max: number,
  ): Readonly<Record<string, string>> {
    const from = this.fields(key);
    const keys = Object.keys(from.values);
    if (keys.length > max) throw wrong(this.at(key), `at most ${max} keys`);
    const mapping: Record<string, string> = Object.create(null);
    for (const name of keys) {
      if (!isKey(name)) throw wrong(this.at(key), 'plain words as keys');
      mapping[name] = from.text(name, maxLength);
    }
    return mapping;
  }
}
