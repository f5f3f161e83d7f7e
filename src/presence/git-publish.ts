/**
 * Publishing into a status repository. Each push says what our refs must be before it, and the server compares: nobody is overwritten.
 *
 * Whoever finds a presence of another machine under our name does not touch it, and pushes a claim beside it instead. The holder sees
 * claims when it has published. A ref of another machine that has not moved for three of its heartbeats, by our own clock, belongs to one
 * that is gone (reinstalled, or set back to a snapshot): a presence is then taken over, a claim removed.
 */
import { randomUUID } from 'node:crypto';
import { createObjectSet, type ObjectSet } from '../git/objects.ts';
import type { RefCommand } from '../git/receive-pack.ts';
import type { PushReport, Talk } from '../git/talk.ts';
import { SILENT_BEATS } from '../model/presence.ts';
import { fail, ok, type Result, type Trouble, trouble } from '../model/trouble.ts';
import { type Clock, delay } from '../system/clock.ts';
import {
  addPresence,
  addRoster,
  addTransition,
  contenderOf,
  type Machine,
  machineOf,
  readPresence,
} from './git-commits.ts';
import {
  adopt,
  type BegunPush,
  begin,
  digestOf,
  emptyLedger,
  type FoundRefs,
  finish,
  forgetLedger,
  type Ledger,
  readLedger,
  watch,
  writeLedger,
} from './git-ledger.ts';
import { CONFLICTS, claimRef, HOSTS, isRefName, PRESENCE, ROSTER } from './git-refs.ts';
import type { Contender, Outgoing, PublishAnswer } from './store.ts';

export interface PublisherOptions {
  readonly name: string;
  readonly talk: Talk;
  readonly folder: string;
  readonly clock: Clock;
}

export interface Publisher {
  publish(out: Outgoing, signal?: AbortSignal): Promise<Result<PublishAnswer>>;
  leave(name: string, signal?: AbortSignal): Promise<void>;
}

/** Rejections in a row before we give up until the next publish. */
const TRIES = 4;
const JITTER_MS = 200;
/** What a machine that does not say so beats with. */
const HEARTBEAT_MS = 5 * 60_000;
const HEARTBEAT_MAX_MS = 24 * 60 * 60_000;
/** Claims on one name that are looked at. */
const CLAIMS_MAX = 8;
const ONE_PRESENCE = { packMaxBytes: 256 * 1024, objectMaxBytes: 64 * 1024 } as const;
/** Another push holds the ref at this moment. */
const LOCKED = /lock|File exists|unable to create/i;
/** The ref is not what we said that it is. */
const MOVED = /but expected|already exists|failed to update ref|atomic|reference|stale|fetch first/i;

const DAMAGED = /missing necessary objects|bad pack|bad object|internal/i;

/** How our refs, and those of others that concern us, are on the server. */
interface View extends FoundRefs {
  readonly roster: string | null;
}

export function createPublisher(o: PublisherOptions): Publisher {
  const { talk, folder, clock } = o;
  /** One machine of one agent: by the commit, what a presence of another said. */
  const machines = new Map<string, Machine | null>();

  async function look(host: string, signal?: AbortSignal): Promise<Result<View>> {
    const claims = `${CONFLICTS}${host}/`;
    const listed = await talk.list([HOSTS + host, PRESENCE + host, claims, ROSTER], signal);
    if (!listed.ok) return listed;
    const refs = new Map(listed.value.refs.map((ref) => [ref.name, ref.id]));
    return ok({
      format: listed.value.format,
      branch: refs.get(HOSTS + host) ?? null,
      presence: refs.get(PRESENCE + host) ?? null,
      claims: new Map([...refs].filter(([name]) => name.startsWith(claims)).slice(0, CLAIMS_MAX)),
      roster: refs.get(ROSTER) ?? null,
    });
  }

  /** Whose presence is it? null: it is none. */
  async function machineAt(
    commit: string,
    view: View,
    signal?: AbortSignal,
  ): Promise<Result<Machine | null>> {
    const known = machines.get(commit);
    if (known !== undefined) return ok(known);
    const q = { wants: [commit], depth: 1, blobMaxBytes: ONE_PRESENCE.objectMaxBytes };
    const fetched = await talk.fetch(q, ONE_PRESENCE, signal);
    // Too large for a presence: not one of ours, whoever made it.
    if (!fetched.ok && fetched.trouble.code !== 'limit') return fetched;
    const machine = fetched.ok ? machineOf(readPresence(fetched.value, commit, view.format)) : null;
    if (machines.size >= 2 * CLAIMS_MAX) machines.clear();
    machines.set(commit, machine);
    return ok(machine);
  }

  /** The ledger as it is to be gone on with, or the machine that holds our name. */
  async function settle(
    out: Outgoing,
    ledger: Ledger | null,
    view: View,
    signal?: AbortSignal,
  ): Promise<Result<{ ledger: Ledger; holder: Contender | null }>> {
    const known = ledger ?? emptyLedger;
    const { presence } = view;
    const isOurs =
      presence === null ||
      presence === known.presence ||
      known.begun.some((push) => push.presence === presence);
    if (isOurs) return ok({ ledger: adopt(known, view), holder: null });
    const found = await machineAt(presence, view, signal);
    // Not there any more: it moved while we looked, and is looked at again.
    if (!found.ok && found.trouble.code !== 'ref-missing') return found;
    const machine = found.ok ? found.value : null;
    // Everything that we know was lost, and this is what we pushed before.
    if (ledger === null && machine?.id === out.id && machine.bootId === out.bootId)
      return ok({ ledger: adopt(known, view), holder: null });
    const now = { monotonic: clock.monotonic(), bootId: out.bootId };
    const watched = watch(known, PRESENCE + out.host, presence, now);
    if (watched.unmovedMs >= silenceOf(machine))
      return ok({ ledger: adopt(watched.ledger, view), holder: null });
    const holder = machine === null ? unknownMachine : contenderOf(machine);
    return ok({ ledger: { ...watched.ledger, isUnsure: true }, holder });
  }

  function save(host: string, ledger: Ledger): Ledger {
    writeLedger(folder, host, ledger);
    return ledger;
  }

  async function publish(out: Outgoing, signal?: AbortSignal): Promise<Result<PublishAnswer>> {
    const { host } = out;
    if (!isRefName(host)) return fail(unfitName(host));
    let ledger = readLedger(folder, host);
    let refused: Trouble | null = null;
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      if (ledger === null || ledger.isUnsure || ledger.format === null) {
        const view = await look(host, signal);
        if (!view.ok) return view;
        const before = ledger;
        const settled = await settle(out, ledger, view.value, signal);
        if (!settled.ok) return settled;
        ledger = save(host, settled.value.ledger);
        const { holder } = settled.value;
        if (holder !== null) return claim(out, ledger, holder, view.value, signal);
        if (refused !== null) {
          const isSame =
            before !== null &&
            before.presence === view.value.presence &&
            (before.branch === view.value.branch || before.branch === null);
          // Nothing moved: the refusal was meant.
          if (isSame && refused.code !== 'slow-down') return fail(refused);
          await delay(clock.random() * JITTER_MS, signal);
        }
      }
      const format = ledger.format!;
      const set = createObjectSet(format);
      const push = build(set, out, ledger);
      const commands = commandsOf(host, ledger, push);
      // Also when all had landed before: whoever was cut off there has not said that there is news.
      const isNews =
        ledger.presence === null ||
        ledger.claim !== null ||
        out.transitions.length > 0 ||
        out.isNews === true;
      if (commands.length === 0) return conclude(out, ledger, isNews, signal);
      ledger = save(host, begin(ledger, push));
      const report = await talk.push(commands, set.objects, format, signal);
      if (!report.ok) return report;
      const problem = refusalOf(commands, report.value, o.name);
      if (problem === null) {
        ledger = save(host, finish(ledger, push));
        return conclude(out, ledger, isNews, signal);
      }
      refused = problem;
    }
    return fail(
      refused ??
        trouble('git-failed', `expected ${o.name} to take a push, found ${TRIES} refusals`, {
          remote: o.name,
        }),
    );
  }

  /** It is delivered. Whatever goes wrong from here on is no reason to deliver it again. */
  async function conclude(
    out: Outgoing,
    ledger: Ledger,
    isNews: boolean,
    signal?: AbortSignal,
  ): Promise<Result<PublishAnswer>> {
    const view = await look(out.host, signal);
    if (!view.ok) return ok({ kind: 'published', contender: null });
    if (isNews) await moveRoster(out.host, view.value, signal);
    return ok({ kind: 'published', contender: await contenderOfClaims(out, ledger, view.value, signal) });
  }

  /** Our presence under a name that is ours no more; the branch stays, as history. Not what another machine has there by now. */
  async function leave(name: string, signal?: AbortSignal): Promise<void> {
    const ledger = readLedger(folder, name);
    if (ledger === null) return;
    const view = await look(name, signal);
    if (!view.ok) return;
    const { presence: found, format } = view.value;
    const isOurs = found === ledger.presence || ledger.begun.some((push) => push.presence === found);
    if (found !== null && isOurs) {
      const gone = await talk.push(
        [{ ref: PRESENCE + name, old: found, new: null }],
        new Map(),
        format,
        signal,
      );
      if (!gone.ok) return;
      await moveRoster(name, view.value, signal);
    }
    // Where it may not be removed it is left as it is: readers call it silent.
    forgetLedger(folder, name);
  }

  /**
   * Everybody is to look. The roster was read after our presence had landed: whoever moves it before us does our work, because who sees
   * that move looks later than that. So a lost race is none; only a ref that is locked at this moment is tried again.
   */
  async function moveRoster(host: string, first: View, signal?: AbortSignal): Promise<void> {
    let view = first;
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      const set = createObjectSet(view.format);
      const commit = addRoster(set, host, randomUUID(), clock.now());
      const command = { ref: ROSTER, old: view.roster, new: commit };
      const report = await talk.push([command], set.objects, view.format, signal);
      const why = report.ok ? report.value.refs.get(ROSTER) : null;
      if (why == null || !LOCKED.test(why) || MOVED_MEANWHILE.test(why)) return;
      await delay(clock.random() * JITTER_MS, signal);
      const again = await look(host, signal);
      if (!again.ok || again.value.roster !== view.roster) return;
      view = again.value;
    }
  }

  async function contenderOfClaims(
    out: Outgoing,
    ledger: Ledger,
    view: View,
    signal?: AbortSignal,
  ): Promise<Contender | null> {
    let watching = ledger;
    let contender: Contender | null = null;
    const stale: RefCommand[] = [];
    const now = { monotonic: clock.monotonic(), bootId: out.bootId };
    for (const [ref, commit] of view.claims) {
      const found = await machineAt(commit, view, signal);
      const machine = found.ok ? found.value : null;
      const watched = watch(watching, ref, commit, now);
      watching = watched.ledger;
      // Our own of an earlier boot may lie there as well; it does not move, and goes like any other.
      if (watched.unmovedMs >= silenceOf(machine)) stale.push({ ref, old: commit, new: null });
      else contender ??= machine === null ? unknownMachine : contenderOf(machine);
    }
    if (watching !== ledger) save(out.host, watching);
    if (stale.length > 0) await talk.push(stale, new Map(), view.format, signal);
    return contender;
  }

  /** Another machine holds the name: we say beside it that we are here too. */
  async function claim(
    out: Outgoing,
    ledger: Ledger,
    holder: Contender,
    view: View,
    signal?: AbortSignal,
  ): Promise<Result<PublishAnswer>> {
    const set = createObjectSet(view.format);
    const commit = addPresence(set, out.host, out.presence);
    const ref = claimRef(out.host, out.id, out.bootId);
    const old = view.claims.get(ref) ?? null;
    if (old !== commit) {
      const command = { ref, old, new: commit };
      const report = await talk.push([command], set.objects, view.format, signal);
      if (!report.ok) return report;
      const problem = refusalOf([command], report.value, o.name);
      if (problem !== null) return fail(problem);
      save(out.host, { ...ledger, claim: { ref, commit } });
      const after = old === null ? await look(out.host, signal) : null;
      if (after?.ok) await moveRoster(out.host, after.value, signal);
    }
    return ok({ kind: 'conflict', contender: holder });
  }

  return { publish, leave };
}

/** Another one moved it: the words for that hold "lock" too. */
const MOVED_MEANWHILE = /but expected|already exists/i;

function build(set: ObjectSet, out: Outgoing, ledger: Ledger): BegunPush {
  const waiting = out.transitions
    .map((transition) => ({ transition, digest: digestOf(transition) }))
    .filter(({ digest }) => !ledger.landed.includes(digest));
  let branch = ledger.branch;
  for (const { transition } of waiting) branch = addTransition(set, branch, out.host, transition);
  const presence = addPresence(set, out.host, out.presence);
  return {
    branch: waiting.length === 0 ? null : branch,
    presence,
    transitions: waiting.map(({ digest }) => digest),
  };
}

function commandsOf(host: string, ledger: Ledger, push: BegunPush): RefCommand[] {
  const commands: RefCommand[] = [];
  if (push.branch !== null && push.branch !== ledger.branch)
    commands.push({ ref: HOSTS + host, old: ledger.branch, new: push.branch });
  if (push.presence !== ledger.presence)
    commands.push({ ref: PRESENCE + host, old: ledger.presence, new: push.presence });
  if (ledger.claim !== null) commands.push({ ref: ledger.claim.ref, old: ledger.claim.commit, new: null });
  return commands;
}

/** null: every command was done. */
function refusalOf(commands: readonly RefCommand[], report: PushReport, name: string): Trouble | null {
  const refused = commands
    .map(({ ref }) => ({ ref, why: report.refs.has(ref) ? report.refs.get(ref)! : 'it was not reported' }))
    .filter(({ why }) => why !== null);
  // Behind an atomic push's general word stands the one that says why.
  const first = refused.find(({ why }) => !/atomic/i.test(why)) ?? refused[0];
  if (first === undefined) return null;
  const said = report.said[0] === undefined ? '' : ` (${report.said[0]})`;
  const isRace = LOCKED.test(first.why) || MOVED.test(first.why);
  const message = `expected ${name} to take ${first.ref}, found "${first.why}"${said}`;
  if (isRace) return trouble('slow-down', message, { remote: name });
  if (DAMAGED.test(first.why))
    return trouble('server-error', message, {
      hint: 'the status repository on the server is damaged: run `git fsck` there, or make it anew',
      remote: name,
    });
  return trouble('forbidden', message, {
    hint: 'let this credential create, replace and remove branches below hosts/, presence/ and conflicts/, and move roster',
    remote: name,
  });
}

function silenceOf(machine: Machine | null): number {
  const heartbeatMs = Math.min(machine?.heartbeatMs ?? HEARTBEAT_MS, HEARTBEAT_MAX_MS);
  return SILENT_BEATS * heartbeatMs;
}

const unknownMachine: Contender = { id: 'unknown', bootId: 'unknown', addresses: [], clock: 0 };

function unfitName(host: string): Trouble {
  return trouble('config', `expected a host name that can be part of a branch name, found "${host}"`, {
    hint: 'set `name` in host.yaml to one without two dots in a row, and without a dot or .lock at its end',
  });
}
