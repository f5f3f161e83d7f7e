/**
 * Reading all presences of a status repository: one list of refs, then only the commits that changed. What was read is kept on disk, one
 * file for each host, so that a new process does not begin from nothing; all of it can be read again.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { GitObjects, ObjectFormat } from '../git/objects.ts';
import type { MovedRef } from '../git/ref-listing.ts';
import type { Talk } from '../git/talk.ts';
import type { SignedPresence } from '../model/presence.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { type Clock, readBootId } from '../system/clock.ts';
import { readFileOrNull, sweepTemporaries, writeFileAtomic } from '../system/files.ts';
import { contenderOf, machineOf, readPresence } from './git-commits.ts';
import { CONFLICTS, hostOfClaim, hostOfPresence, isRefName, PRESENCE, ROSTER } from './git-refs.ts';
import type { Contender, StoredPresence } from './store.ts';
import { clockJump, endOutage, extendOutage, type Instant, type Unseen } from './unseen-time.ts';

export interface ReaderOptions {
  readonly name: string;
  readonly talk: Talk;
  /** For the exact question alone: its connection is kept for small answers. */
  readonly quick: Talk;
  readonly folder: string;
  readonly clock: Clock;
  /** Milliseconds since boot, with the time asleep. */
  readonly uptime?: () => number;
}

export interface PresenceReader {
  hasNews(signal?: AbortSignal): Promise<Result<boolean>>;
  read(signal?: AbortSignal): Promise<Result<readonly StoredPresence[]>>;
}

/** Commits of one question. */
const CHUNK = 256;
/** A commit, a tree, a presence and a signature, hardly compressible. */
const PACK_BYTES_EACH = 48 * 1024;
const OBJECT_MAX_BYTES = 64 * 1024;
/** Questions that one read may ask because somebody published what cannot be read. */
const SPLITS_MAX = 64;
const CLAIMS_MAX = 1_000;
const CLAIMS_EACH = 8;

interface Kept {
  /** The commit. */
  readonly token: string;
  /** null: it holds no presence. */
  readonly signed: SignedPresence | null;
  readonly seen: StoredPresence['seen'];
}

interface State {
  readonly presences: Map<string, Kept>;
  /** By ref. */
  readonly claims: Map<string, { readonly commit: string; readonly contender: Contender | null }>;
  /** Of the last list, by the wall clock; null: there was none. */
  listedAt: number | null;
  roster: string | null;
  /** Of the last list of which everything was taken. */
  serial: number;
  /** Of the last answer. */
  instant: Instant | null;
  /** Times for which nobody could know what is there. */
  unseen: readonly Unseen[];
  /** It does not answer. */
  outage: Unseen | null;
}

export function createReader(o: ReaderOptions): PresenceReader {
  const { clock } = o;
  const uptimeMs = o.uptime ?? (() => uptime() * 1000);
  let state: State | null = null;
  /** What was handed out, as long as nothing changed. */
  let answer: readonly StoredPresence[] | null = null;

  function load(): State {
    state ??= loadState(o.folder);
    return state;
  }

  async function hasNews(signal?: AbortSignal): Promise<Result<boolean>> {
    const known = load();
    if (known.listedAt === null) return ok(true);
    const listed = await o.quick.list(ROSTER_ONLY, signal);
    keepTime(known, listed.ok, signal);
    if (!listed.ok) return listed;
    return ok((listed.value.refs[0]?.id ?? null) !== known.roster);
  }

  async function read(signal?: AbortSignal): Promise<Result<readonly StoredPresence[]>> {
    const known = load();
    const listed = await o.talk.list(PREFIXES, signal);
    keepTime(known, listed.ok, signal);
    if (!listed.ok) return listed;
    const { moved, serial } = listed.value;
    const isNext = moved !== null && answer !== null && serial === known.serial + 1;
    const there = sortRefs(isNext ? moved : listed.value.refs, (host) => known.presences.has(host));
    // Somebody emptied it, or it is another repository: no reason to believe that all hosts are gone.
    if (!isNext && there.presences.size === 0 && known.presences.size > 0) return fail(emptied(o.name));

    const now = clock.now();
    const wants = new Set<string>();
    for (const [host, id] of there.presences) if (known.presences.get(host)?.token !== id) wants.add(id);
    for (const [ref, id] of there.claims) if (known.claims.get(ref)?.commit !== id) wants.add(id);
    const fetched = await fetchAll([...wants], listed.value.format, signal);
    if (!fetched.ok) return fetched;
    if (!isNext) dropMissing(known, there);
    const isWhole = take(known, there, fetched.value, now);
    const isSame = isNext && there.claims.size === 0;
    answer = (isSame && answer !== null ? replaced(answer, known, there.presences) : null) ?? toAnswer(known);
    // What could not be fetched yet is news for the next look.
    if (isWhole && (!isNext || there.roster !== null)) known.roster = there.roster;
    known.serial = isWhole ? serial : Number.NaN;
    known.listedAt = now;
    saveListed(o.folder, known);
    return ok(answer);
  }

  /** What passes while nothing answers, and what a clock that was set adds, is the time of nobody. */
  function keepTime(known: State, answers: boolean, signal?: AbortSignal): void {
    const now = clock.now();
    if (!answers) {
      // Before the first list there is nothing to be kept.
      if (known.listedAt === null || signal?.aborted) return;
      known.outage = extendOutage(known.outage, now);
      // For the next process; this one knows it.
      cached(() => saveListed(o.folder, known));
      return;
    }
    const { unseen, instant } = known;
    known.unseen = endOutage(unseen, known.outage, now);
    known.outage = null;
    known.instant = { wall: now, up: uptimeMs(), bootId: readBootId() };
    const jump = clockJump(instant, known.instant);
    if (jump > 0) known.unseen = endOutage(known.unseen, { from: now - jump, to: now }, now);
    if (jump < 0) setBack(known, now);
    // Everybody's silence is another one.
    if (known.unseen !== unseen || jump !== 0) answer = null;
  }

  /** Hosts that are not there any more are forgotten. */
  function dropMissing(known: State, there: There): void {
    for (const host of known.presences.keys()) {
      if (there.presences.has(host)) continue;
      known.presences.delete(host);
      rmSync(fileOf(o.folder, host), { force: true });
    }
    for (const ref of known.claims.keys()) if (!there.claims.has(ref)) known.claims.delete(ref);
  }

  /** By commit. One that is not in the map went away while we looked. */
  async function fetchAll(
    wants: readonly string[],
    format: ObjectFormat,
    signal?: AbortSignal,
  ): Promise<Result<Map<string, SignedPresence | null>>> {
    const found = new Map<string, SignedPresence | null>();
    const waiting: (readonly string[])[] = [];
    for (let at = 0; at < wants.length; at += CHUNK) waiting.push(wants.slice(at, at + CHUNK));
    let splits = 0;
    for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift()) {
      const q = { wants: chunk, depth: 1, blobMaxBytes: OBJECT_MAX_BYTES };
      const limits = {
        packMaxBytes: PACK_BYTES_EACH * Math.max(8, chunk.length),
        objectMaxBytes: OBJECT_MAX_BYTES,
      };
      const fetched = await o.talk.fetch(q, limits, signal);
      if (fetched.ok) {
        for (const id of chunk) found.set(id, readPresence(fetched.value as GitObjects, id, format));
        continue;
      }
      const { code } = fetched.trouble;
      if (code !== 'limit' && code !== 'ref-missing') return fetched;
      // One of them is too large, or is gone: the others are wanted all the same.
      if (chunk.length === 1) {
        if (code === 'limit') found.set(chunk[0]!, null);
        continue;
      }
      splits += 1;
      if (splits > SPLITS_MAX) continue;
      const half = Math.ceil(chunk.length / 2);
      waiting.unshift(chunk.slice(0, half), chunk.slice(half));
    }
    return ok(found);
  }

  /** @returns false when something that is there could not be taken. */
  function take(
    known: State,
    there: There,
    found: ReadonlyMap<string, SignedPresence | null>,
    now: number,
  ): boolean {
    let isWhole = true;
    for (const [host, token] of there.presences) {
      if (known.presences.get(host)?.token === token) continue;
      const signed = found.get(token);
      if (signed === undefined) {
        isWhole = false;
        continue;
      }
      const kept = { token, signed, seen: { notBefore: known.listedAt, notAfter: now } };
      known.presences.set(host, kept);
      writeFileAtomic(fileOf(o.folder, host), `${JSON.stringify(kept)}\n`, { durable: false });
    }
    for (const [ref, commit] of there.claims) {
      if (known.claims.get(ref)?.commit === commit) continue;
      const machine = machineOf(found.get(commit) ?? null);
      known.claims.set(ref, { commit, contender: machine === null ? null : contenderOf(machine) });
    }
    return isWhole;
  }

  return { hasNews, read };
}

/** Refs by what they are for. */
interface There {
  readonly presences: ReadonlyMap<string, string>;
  readonly claims: ReadonlyMap<string, string>;
  readonly roster: string | null;
}

/** Claims to names that nobody has are no conflicts, and of those to one name a few tell enough. */
function sortRefs(refs: readonly MovedRef[], isKnown: (host: string) => boolean): There {
  const presences = new Map<string, string>();
  const claimed: [host: string, ref: string, id: string][] = [];
  let roster: string | null = null;
  for (const { name, id } of refs) {
    const host = hostOfPresence(name);
    if (host !== null) presences.set(host, id);
    else if (name === ROSTER) roster = id;
    else {
      const claim = hostOfClaim(name);
      if (claim !== null) claimed.push([claim, name, id]);
    }
  }
  const claims = new Map<string, string>();
  const counts = new Map<string, number>();
  for (const [host, ref, id] of claimed) {
    const count = counts.get(host) ?? 0;
    if (claims.size >= CLAIMS_MAX || count >= CLAIMS_EACH) continue;
    if (!presences.has(host) && !isKnown(host)) continue;
    counts.set(host, count + 1);
    claims.set(ref, id);
  }
  return { presences, claims, roster };
}

/** The answer with those that moved in their places; null when they have none there. */
function replaced(
  answer: readonly StoredPresence[],
  state: State,
  moved: ReadonlyMap<string, string>,
): StoredPresence[] | null {
  const next = answer.slice();
  let left = moved.size;
  for (let n = 0; n < next.length && left > 0; n += 1) {
    const before = next[n]!;
    if (!moved.has(before.host)) continue;
    const kept = state.presences.get(before.host);
    if (kept?.signed == null) return null;
    next[n] = { ...before, ...kept.signed, token: kept.token, seen: kept.seen };
    left -= 1;
  }
  return left === 0 ? next : null;
}

const ROSTER_ONLY: readonly string[] = [ROSTER];
const PREFIXES: readonly string[] = [PRESENCE, CONFLICTS, ROSTER];

function toAnswer(state: State): StoredPresence[] {
  const contenders = new Map<string, Contender[]>();
  for (const [ref, { contender }] of state.claims) {
    const host = hostOfClaim(ref);
    if (host !== null && contender !== null)
      contenders.set(host, [...(contenders.get(host) ?? []), contender]);
  }
  const { unseen } = state;
  const answer: StoredPresence[] = [];
  for (const [host, { token, signed, seen }] of state.presences) {
    if (signed !== null)
      answer.push({ host, ...signed, token, seen, unseen, contenders: contenders.get(host) ?? [] });
  }
  return answer;
}

/** @param folder Made when it is not there. */
function loadState(folder: string): State {
  const state: State = {
    presences: new Map(),
    claims: new Map(),
    listedAt: null,
    roster: null,
    serial: Number.NaN,
    instant: null,
    unseen: [],
    outage: null,
  };
  const cache = cacheOf(folder);
  mkdirSync(cache, { recursive: true, mode: 0o755 });
  // Commands of several people may read at the same time.
  sweepTemporaries(cache, isLeft);
  sweepTemporaries(folder, (name, ageMs) => name.startsWith(LISTED) && isLeft(name, ageMs));
  const listed = parse(readFileOrNull(join(folder, LISTED))) as Partial<State> | null;
  if (typeof listed?.listedAt !== 'number') return state;
  for (const name of readdirSync(cache)) {
    const host = name.slice(0, -'.json'.length);
    const kept = parse(readFileOrNull(join(cache, name))) as Kept | null;
    if (isRefName(host) && typeof kept?.token === 'string' && typeof kept.seen?.notAfter === 'number')
      state.presences.set(host, notAfter(kept, listed.listedAt));
    else rmSync(join(cache, name), { force: true, recursive: true });
  }
  state.listedAt = listed.listedAt;
  state.roster = typeof listed.roster === 'string' ? listed.roster : null;
  state.unseen = Array.isArray(listed.unseen) ? listed.unseen.filter(isUnseen) : [];
  state.outage = isUnseen(listed.outage) ? listed.outage : null;
  const { wall, up, bootId } = listed.instant ?? {};
  if (typeof wall === 'number' && typeof up === 'number' && typeof bootId === 'string')
    state.instant = { wall, up, bootId };
  return state;
}

/** Not synced: a crash costs reading again what is there. */
function saveListed(folder: string, { listedAt, roster, instant, unseen, outage }: State): void {
  const kept = { listedAt, roster, instant, unseen, outage };
  writeFileAtomic(join(folder, LISTED), `${JSON.stringify(kept)}\n`, { durable: false });
}

function isUnseen(value: Unseen | null | undefined): value is Unseen {
  return typeof value?.from === 'number' && typeof value.to === 'number';
}

/** By a clock that was set back, nothing was seen later than now. Otherwise who is gone would look alive until then. */
function setBack(state: State, now: number): void {
  for (const [host, kept] of state.presences) state.presences.set(host, notAfter(kept, now));
  state.unseen = [];
  state.listedAt = Math.min(state.listedAt ?? now, now);
}

function notAfter(kept: Kept, latest: number): Kept {
  const { seen } = kept;
  if (seen.notAfter <= latest) return kept;
  const notBefore = seen.notBefore === null ? null : Math.min(seen.notBefore, latest);
  return { ...kept, seen: { notBefore, notAfter: latest } };
}

function cached(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (errnoOf(error) === null) throw error;
  }
}

const LISTED = 'listed.json';
const LEFT_MS = 60_000;

function isLeft(_name: string, ageMs: number): boolean {
  return ageMs > LEFT_MS;
}

function cacheOf(folder: string): string {
  return join(folder, 'hosts');
}

function fileOf(folder: string, host: string): string {
  return join(cacheOf(folder), `${host}.json`);
}

function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return null;
  }
}

function emptied(name: string) {
  return trouble('empty-answer', `expected presences at ${name}, found none where some were before`, {
    hint: 'nothing is to be done when the status repository was made anew: hosts publish again by themselves',
    remote: name,
  });
}
