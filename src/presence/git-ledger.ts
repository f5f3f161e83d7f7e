/**
 * What we know about our own refs of a status repository, durable: `own-HOST.json`. It is written before each push, with the commits that
 * are about to go out, and after it. So a crash, or a connection that broke before the answer, leaves a record by which the next publish
 * recognises what it finds on the server as ours. Lost, it costs one question: our own presence is recognised by id and boot.
 */
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ObjectFormat } from '../git/objects.ts';
import type { Transition } from '../model/presence.ts';
import { readFileOrNull, sweepTemporaries, writeFileAtomic } from '../system/files.ts';

export interface Ledger {
  /** Of the repository; null: not known yet. */
  readonly format: ObjectFormat | null;
  /** The refs as we know them; null: not there. */
  readonly branch: string | null;
  readonly presence: string | null;
  /** A push is out, or was refused: what the refs are now has to be asked. */
  readonly isUnsure: boolean;
  /** Pushes that were begun and may be found there, the newest last. */
  readonly begun: readonly BegunPush[];
  /** Digests of the newest transitions that are there: the outbox may hand them over once more. */
  readonly landed: readonly string[];
  /** Our claim beside a machine that holds our name. */
  readonly claim: { readonly ref: string; readonly commit: string } | null;
  /** Refs of other machines, by name: since when they have not moved. */
  readonly watched: Readonly<Record<string, Watched>>;
}

export interface BegunPush {
  readonly branch: string | null;
  readonly presence: string;
  readonly transitions: readonly string[];
}

export interface Watched {
  readonly commit: string;
  /** Of the monotonic clock, which begins anew with each boot. */
  readonly since: number;
  readonly bootId: string;
}

export const emptyLedger: Ledger = {
  format: null,
  branch: null,
  presence: null,
  isUnsure: true,
  begun: [],
  landed: [],
  claim: null,
  watched: {},
};

const BEGUN_MAX = 8;
const LANDED_MAX = 256;
const WATCHED_MAX = 16;

export function digestOf(transition: Transition): string {
  const { sequence, at, subject, presence } = transition;
  return createHash('sha256')
    .update(`${sequence}\n${at}\n${subject}\n${presence.text}`)
    .digest('hex')
    .slice(0, 32);
}

/** A push begins: durable before a byte of it is sent. */
export function begin(ledger: Ledger, push: BegunPush): Ledger {
  return { ...ledger, isUnsure: true, begun: [...ledger.begun, push].slice(-BEGUN_MAX) };
}

/** The refs as they are on the server. */
export interface FoundRefs {
  readonly format: ObjectFormat;
  readonly branch: string | null;
  readonly presence: string | null;
  /** By ref. */
  readonly claims: ReadonlyMap<string, string>;
}

/** The refs were found as they are, and they are ours: what had landed is known from them. */
export function adopt(ledger: Ledger, { format, branch, presence, claims }: FoundRefs): Ledger {
  const found = { format, branch, presence };
  const commit = ledger.claim === null ? undefined : claims.get(ledger.claim.ref);
  // The holder removes claims that do not move.
  const claim = ledger.claim === null || commit === undefined ? null : { ref: ledger.claim.ref, commit };
  const arrived = ledger.begun.filter(
    (push) => push.branch !== null && push.branch === found.branch && found.branch !== ledger.branch,
  );
  const landed = [...ledger.landed, ...arrived.flatMap((push) => push.transitions)].slice(-LANDED_MAX);
  return { ...ledger, ...found, landed, claim, isUnsure: false };
}

/** The push was done. */
export function finish(ledger: Ledger, push: BegunPush): Ledger {
  return {
    ...ledger,
    branch: push.branch ?? ledger.branch,
    presence: push.presence,
    isUnsure: false,
    begun: [],
    landed: [...ledger.landed, ...push.transitions].slice(-LANDED_MAX),
    claim: null,
  };
}

/** @returns for how long the ref has been at this commit while we looked, and the ledger that remembers it. */
export function watch(
  ledger: Ledger,
  ref: string,
  commit: string,
  now: { monotonic: number; bootId: string },
): { ledger: Ledger; unmovedMs: number } {
  const known = ledger.watched[ref];
  if (known?.commit === commit && known.bootId === now.bootId && known.since <= now.monotonic)
    return { ledger, unmovedMs: now.monotonic - known.since };
  const others = Object.entries(ledger.watched).filter(([name]) => name !== ref);
  const entry: Watched = { commit, since: now.monotonic, bootId: now.bootId };
  const watched = Object.fromEntries([...others.slice(1 - WATCHED_MAX), [ref, entry]]);
  return { ledger: { ...ledger, watched }, unmovedMs: 0 };
}

/** null: there is none, or it cannot be read. Then the refs themselves are asked. */
export function readLedger(folder: string, host: string): Ledger | null {
  try {
    const value = JSON.parse(readFileOrNull(fileOf(folder, host)) ?? 'null') as Ledger | null;
    return value !== null && Array.isArray(value.begun) && Array.isArray(value.landed)
      ? { ...emptyLedger, ...value }
      : null;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    rmSync(fileOf(folder, host), { force: true });
    return null;
  }
}

/** Only for the holder of the delivery's lock. */
export function writeLedger(folder: string, host: string, ledger: Ledger): void {
  sweepTemporaries(folder, (name) => name.startsWith(`own-${host}.json.`));
  writeFileAtomic(fileOf(folder, host), `${JSON.stringify(ledger)}\n`);
}

export function forgetLedger(folder: string, host: string): void {
  rmSync(fileOf(folder, host), { force: true });
}

function fileOf(folder: string, host: string): string {
  return join(folder, `own-${host}.json`);
}
