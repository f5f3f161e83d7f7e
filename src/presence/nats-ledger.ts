/**
 * What we know about our own entry, durable: `nats-HOST.json`. Written before anything is sent and after it, so that a crash, or a
 * connection that broke before the answer, leaves a record by which the next publish knows what it finds as ours. Lost, it costs one
 * question: our own entry is known by id and boot.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, readFileOrNull, writeFileAtomic } from '../system/files.ts';

export interface NatsLedger {
  /** Of our entry; null: not known. */
  readonly revision: number | null;
  /** Something was sent, and its answer did not come: what is there has to be asked. */
  readonly isUnsure: boolean;
  /** Digests of values that may be there, the newest last. */
  readonly begun: readonly string[];
  /** Another machine's entry under our name: since when we see it unmoved. */
  readonly watched: { readonly revision: number; readonly since: number; readonly bootId: string } | null;
  /** We have a claim beside another machine's entry. */
  readonly hasClaim: boolean;
}

export const emptyNatsLedger: NatsLedger = {
  revision: null,
  isUnsure: true,
  begun: [],
  watched: null,
  hasClaim: false,
};

const BEGUN_MAX = 8;

export function beginPut(ledger: NatsLedger, digest: string): NatsLedger {
  return { ...ledger, isUnsure: true, begun: [...ledger.begun, digest].slice(-BEGUN_MAX) };
}

/** The entry is ours, at this revision. */
export function holdAt(ledger: NatsLedger, revision: number): NatsLedger {
  return { ...ledger, revision, watched: null };
}

/** @returns for how long another machine's entry has not moved while we looked, and the ledger that remembers it. */
export function watchEntry(
  ledger: NatsLedger,
  revision: number,
  now: { monotonic: number; bootId: string },
): { ledger: NatsLedger; unmovedMs: number } {
  const known = ledger.watched;
  if (known?.revision === revision && known.bootId === now.bootId && known.since <= now.monotonic)
    return { ledger, unmovedMs: now.monotonic - known.since };
  return {
    ledger: { ...ledger, watched: { revision, since: now.monotonic, bootId: now.bootId } },
    unmovedMs: 0,
  };
}

/** null: there is none, or it cannot be understood. */
export function readNatsLedger(folder: string, host: string): NatsLedger | null {
  try {
    const found = JSON.parse(readFileOrNull(fileOf(folder, host)) ?? 'null') as NatsLedger | null;
    const isWhole = Array.isArray(found?.begun);
    return isWhole ? { ...emptyNatsLedger, ...found } : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Durable when it returns. */
export function writeNatsLedger(folder: string, host: string, ledger: NatsLedger): void {
  makeFolder(folder, 0o700);
  writeFileAtomic(fileOf(folder, host), JSON.stringify(ledger));
}

export function forgetNatsLedger(folder: string, host: string): void {
  rmSync(fileOf(folder, host), { force: true });
}

function fileOf(folder: string, host: string): string {
  return join(folder, `nats-${host}.json`);
}
