/**
 * PURE: which presences are believed. Nothing else may use what a store gives.
 *
 * A presence is believed when its size, signature and form are right, its name is that of its place, its key is the one that hosts.yaml
 * lists (or, where it lists none, the one that was seen first), and it is not older than what was believed before.
 */
import type { HostId } from '../model/ids.ts';
import type { ExpectedHost, Presence, Trust } from '../model/presence.ts';
import { SILENT_BEATS } from '../model/presence.ts';
import {
  createPresenceMemo,
  type ExaminedPresence,
  examinePresence,
  type PresenceMemo,
} from './examine-presence.ts';
import type { Contender, StoredPresence } from './store.ts';
import { unseenSince } from './unseen-time.ts';

/** What a reader remembers of a host from one reading to the next. */
export interface HostPin {
  readonly id: HostId;
  /** `ssh-ed25519 AAAA...`: of the last presence that was believed. */
  readonly key: string;
  /** The highest of its presences that were believed. */
  readonly sequence: number;
  /** The latest of them, by the host's own clock: milliseconds since 1970. */
  readonly clock: number;
  /** The one that was believed last, where that has not the highest of both: it lies there still at the next reading. */
  readonly last?: { readonly sequence: number; readonly clock: number };
  /** When the last of them was made, by the reader's clock, and how long after it the host counts as silent. */
  readonly seenAt: number;
  readonly silentMs: number;
}

export interface JudgedPresence {
  readonly host: string;
  /** null for `forged`. Of a `stranger` it is what a valid signature covers: for people to look at, never to be used. */
  readonly presence: Presence | null;
  readonly trust: Trust;
  /** One printable line: why it is not believed; null when it is. */
  readonly why: string | null;
  /** The key that signed it, for hosts.yaml; null when nothing was signed. */
  readonly key: string | null;
  /** Milliseconds since 1970 by the reader's clock: the host's own time, where that can be true. Of `forged`: when it was found. */
  readonly lastContactAt: number;
  /** Of the time since then, for how long the reader could not know. */
  readonly unseenMs: number;
  /** Hostile text. */
  readonly contenders: readonly Contender[];
  /** When the reader saw it first. */
  readonly observedAt: number;
}

export interface JudgeOptions {
  /** null: there is no hosts.yaml. */
  readonly expected: readonly ExpectedHost[] | null;
  /** Of the reading before. They belong to one store: another one may lag behind it, which is no replay. */
  readonly pins: ReadonlyMap<string, HostPin>;
  /** Milliseconds since 1970 by the reader's clock. */
  readonly now: number;
  /** Of a reader that stays: what did not change is not verified again. */
  readonly memo?: PresenceMemo;
}

export interface Judgement {
  /** One for each host, in the order in which they were stored. */
  readonly presences: readonly JudgedPresence[];
  /** To be kept for the next reading; the same object when nothing changed. */
  readonly pins: ReadonlyMap<string, HostPin>;
}

export interface Judge {
  /** One reading after the other, of one store; as `judgePresences` with the pins of the reading before. */
  judge(stored: readonly StoredPresence[], o: Pick<JudgeOptions, 'expected' | 'now'>): JudgedAgain;
  /** As of now. */
  pins(): ReadonlyMap<string, HostPin>;
}

export interface JudgedAgain {
  readonly presences: readonly JudgedPresence[];
  /** Pins changed; `key`: of a host that was never seen, or that has another key now. */
  readonly changed: 'nothing' | 'times' | 'key';
}

interface Before {
  readonly stored: readonly StoredPresence[];
  readonly presences: readonly JudgedPresence[];
  readonly expected: JudgeOptions['expected'];
  readonly now: number;
}

/**
 * What a store hands out as the same object as before is what it was, so that of ten thousand presences only those that changed are
 * looked at.
 */
export function createJudge(first: ReadonlyMap<string, HostPin>): Judge {
  const memo = createPresenceMemo();
  let pins = new Map(first);
  let before: Before | null = null;

  function judge(
    stored: readonly StoredPresence[],
    { expected, now }: Pick<JudgeOptions, 'expected' | 'now'>,
  ): JudgedAgain {
    const isNext =
      before !== null &&
      expected === before.expected &&
      now >= before.now &&
      stored.length === before.stored.length &&
      // Each host has one.
      stored.length === before.presences.length;
    const next = isNext ? judgeChanged(before!, stored, { expected, now, pins, memo }) : null;
    if (next !== null) {
      before = { stored, presences: next.presences, expected, now };
      const changed = keysDiffer(next.changed, pins) ? 'key' : next.changed.size > 0 ? 'times' : 'nothing';
      for (const [host, pin] of next.changed) pins.set(host, pin);
      return { presences: next.presences, changed };
    }
    const all = judgePresences(stored, { expected, now, pins, memo });
    before = { stored, presences: all.presences, expected, now };
    const changed = all.pins === pins ? 'nothing' : keysDiffer(all.pins, pins) ? 'key' : 'times';
    pins = new Map(all.pins);
    return { presences: all.presences, changed };
  }

  return { judge, pins: () => pins };
}

function keysDiffer(after: ReadonlyMap<string, HostPin>, before: ReadonlyMap<string, HostPin>): boolean {
  for (const [host, pin] of after) if (before.get(host)?.key !== pin.key) return true;
  return false;
}

/** null: there are other hosts. */
function judgeChanged(
  before: Before,
  stored: readonly StoredPresence[],
  { expected, now, pins, memo }: JudgeOptions & { readonly memo: PresenceMemo },
): { presences: JudgedPresence[]; changed: Map<string, HostPin> } | null {
  const presences = before.presences.slice();
  const changed = new Map<string, HostPin>();
  let listed: ReadonlyMap<string, ExpectedHost> | null = null;
  for (let n = 0; n < stored.length; n += 1) {
    const one = stored[n]!;
    // What was not believed may be believed by now: a machine that came anew waits for the silence of the one before.
    const isSettled = presences[n]!.trust !== 'forged' && one.seen.notAfter <= before.now;
    if (one === before.stored[n] && isSettled) continue;
    const { host } = one;
    if (host !== before.stored[n]!.host) return null;
    if (expected !== null) listed ??= byName(expected);
    const pin = pins.get(host) ?? null;
    const found = judgeOne({ stored: one, examined: memo.examineAgain(one) }, { expected: listed, pin, now });
    presences[n] = found;
    const next = isBelieved(found) ? pinOf(pin, found, listed?.get(host)) : pin;
    if (next !== null && next !== pin) changed.set(host, next);
  }
  return { presences, changed };
}

function byName(expected: readonly ExpectedHost[]): ReadonlyMap<string, ExpectedHost> {
  return new Map(expected.map((host) => [host.name, host]));
}

export function judgePresences(stored: readonly StoredPresence[], o: JudgeOptions): Judgement {
  const expected = o.expected && byName(o.expected);
  const changed = new Map<string, HostPin>();
  const judged = new Map<string, JudgedPresence>();
  for (const one of newestFirst(stored, o.memo)) {
    const { host } = one.stored;
    const pin = changed.get(host) ?? o.pins.get(host) ?? null;
    const found = judgeOne(one, { expected, pin, now: o.now });
    const before = judged.get(host);
    judged.set(host, before === undefined ? found : joinJudged(before, found));
    const next = isBelieved(found) ? pinOf(pin, found, expected?.get(host)) : pin;
    if (next !== null && next !== pin) changed.set(host, next);
  }
  o.memo?.turn();
  return { presences: [...judged.values()], pins: withChanged(o.pins, changed, judged) };
}

const PINS_MAX = 100_000;

/** Whoever may write may come under ever new names: beyond `PINS_MAX`, nothing is remembered of hosts that are gone. */
function withChanged(
  pins: ReadonlyMap<string, HostPin>,
  changed: ReadonlyMap<string, HostPin>,
  stored: ReadonlyMap<string, unknown>,
): ReadonlyMap<string, HostPin> {
  if (changed.size === 0) return pins;
  const all = new Map(pins);
  for (const [host, pin] of changed) all.set(host, pin);
  if (all.size <= PINS_MAX) return all;
  return new Map([...all].filter(([host]) => stored.has(host)));
}

interface Examined {
  readonly stored: StoredPresence;
  readonly examined: ExaminedPresence;
}

/** Of several for one host the newest is judged first: its key is the one that is seen first. */
function newestFirst(stored: readonly StoredPresence[], memo: PresenceMemo | undefined): Examined[] {
  const all = stored.map((one): Examined => {
    return { stored: one, examined: memo === undefined ? examinePresence(one) : memo.examine(one) };
  });
  const hosts = new Set(stored.map((one) => one.host));
  if (hosts.size === stored.length) return all;
  const sequence = ({ examined }: Examined) => (examined.ok ? examined.presence.sequence : -1);
  return all.sort((a, b) => sequence(b) - sequence(a));
}

interface Knowledge {
  readonly expected: ReadonlyMap<string, ExpectedHost> | null;
  readonly pin: HostPin | null;
  readonly now: number;
}

function judgeOne({ stored, examined }: Examined, o: Knowledge): JudgedPresence {
  const { host, contenders } = stored;
  const { notBefore, notAfter } = stored.seen;
  const { trust, why } = examined.ok
    ? decideTrust(examined.presence, examined.key, { ...o, mayBeOld: stored.isLastWord === true })
    : forged(examined.why);
  const presence = examined.ok && trust !== 'forged' ? examined.presence : null;
  const told = presence === null ? notAfter : Math.max(presence.clock, notBefore ?? 0);
  const lastContactAt = Math.min(told, notAfter, o.now);
  return {
    host,
    presence,
    trust,
    why,
    key: examined.ok ? examined.key : null,
    lastContactAt,
    unseenMs: unseenSince(stored.unseen ?? [], lastContactAt),
    contenders,
    observedAt: notAfter,
  };
}

interface Decided {
  readonly trust: Trust;
  readonly why: string | null;
}

const KNOWN: Decided = { trust: 'known', why: null };
const UNLISTED: Decided = { trust: 'unlisted', why: null };
const STRANGER: Decided = { trust: 'stranger', why: 'hosts.yaml does not list it' };

function forged(why: string): Decided {
  return { trust: 'forged', why };
}

function decideTrust(
  presence: Presence,
  key: string,
  { expected, pin, now, mayBeOld }: Knowledge & { readonly mayBeOld: boolean },
): Decided {
  const listed = expected?.get(presence.host);
  if (expected !== null && listed === undefined) return STRANGER;
  const isListedKey = listed !== undefined && listed.keys.length > 0;
  if (isListedKey && !listed.keys.includes(key))
    return forged('it was signed by a key that hosts.yaml does not list for this host');
  if (!isListedKey && pin !== null && pin.key !== key && !isReplaced(presence, pin, now))
    return forged('it was signed by another key than the one that was seen first for this host');
  // By its own time it is of a host that is silent: so nothing is gained by playing it again.
  if (!mayBeOld && pin !== null && stillCounts(pin, key, listed) && isReplay(presence, pin))
    return forged(`it is older (${presence.sequence}) than what was seen before (${pin.sequence})`);
  return listed === undefined ? UNLISTED : KNOWN;
}

/**
 * A machine that was made anew under the name of one that is gone has another id and another key. Nobody vouches for it, as nobody vouched
 * for the first; that it waited until the first was silent is all that can be asked. Whoever wants more lists keys in hosts.yaml.
 */
function isReplaced(presence: Presence, pin: HostPin, now: number): boolean {
  return (
    presence.id !== pin.id && presence.clock - pin.clock > pin.silentMs && now - pin.seenAt > pin.silentMs
  );
}

/**
 * Whoever plays an old presence again plays its old time with it. A machine that was put back to an older state goes on with lower
 * numbers, but its clock tells that they are new.
 */
function isReplay(presence: Presence, pin: HostPin): boolean {
  const { last } = pin;
  if (last !== undefined && presence.sequence === last.sequence && presence.clock === last.clock)
    return false;
  return presence.sequence < pin.sequence && presence.clock <= pin.clock;
}

/** A host that got another key counts anew, as soon as hosts.yaml does not list the old one any more. */
function stillCounts(pin: HostPin, key: string, listed: ExpectedHost | undefined): boolean {
  return pin.key === key || listed?.keys.includes(pin.key) === true;
}

function pinOf(
  pin: HostPin | null,
  { presence, key, lastContactAt }: JudgedPresence,
  listed: ExpectedHost | undefined,
): HostPin | null {
  if (presence === null || key === null) return pin;
  const { id, sequence, clock } = presence;
  const seen = { seenAt: lastContactAt, silentMs: presence.heartbeatMs * SILENT_BEATS };
  if (pin === null || !stillCounts(pin, key, listed)) return { id, key, sequence, clock, ...seen };
  if (pin.key === key && pin.id === id && pin.sequence >= sequence && pin.clock >= clock) return pin;
  const isHighest = sequence >= pin.sequence && clock >= pin.clock;
  return {
    id,
    key,
    sequence: Math.max(pin.sequence, sequence),
    clock: Math.max(pin.clock, clock),
    ...(isHighest ? {} : { last: { sequence, clock } }),
    ...seen,
  };
}

function isBelieved({ trust }: JudgedPresence): boolean {
  return trust === 'known' || trust === 'unlisted';
}

/** Contact is contact, in whichever store; whoever claims the name anywhere claims it. */
function joinJudged(first: JudgedPresence, second: JudgedPresence): JudgedPresence {
  const [better, other] = isBelieved(first) || !isBelieved(second) ? [first, second] : [second, first];
  const isSame = isBelieved(other) && isBelieved(better);
  return {
    ...better,
    lastContactAt: isSame ? Math.max(better.lastContactAt, other.lastContactAt) : better.lastContactAt,
    unseenMs: isSame ? Math.min(better.unseenMs, other.unseenMs) : better.unseenMs,
    contenders: [...better.contenders, ...other.contenders],
  };
}
