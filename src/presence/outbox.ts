/**
 * What a host has to tell and has not delivered yet, in files below state/status, so that neither a death nor days without a network
 * lose it. Two write here, and never the same file: the look (holder of the host's lock) puts presences and transitions in, the
 * delivery (holder of state/status/lock) takes them out.
 *
 *   own.json          the newest presence, the last run that was told of: written after the transitions that it counts
 *   outbox/N.json     one transition, N is its sequence number
 *   delivery-S.json   how far it was delivered to the store S
 *
 * A crash after outbox/N.json and before own.json: nobody delivers N, which own.json does not count; the next look finds the same
 * happenings, removes N and writes them anew.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { RunId } from '../model/ids.ts';
import type { SignedPresence, Transition } from '../model/presence.ts';
import type { LastingTrouble } from '../model/trouble.ts';
import { makeFolder, readFileOrNull, sweepTemporaries, writeFileAtomic } from '../system/files.ts';
import type { PresenceContent } from './transitions.ts';

/** So many transitions wait at most; beyond it the oldest give way, and the next line says how many. */
export const WAITING_MAX = 500;

export interface Own {
  readonly version: 1;
  readonly sequence: number;
  /** Of the newest presence with other labels, addresses or facts than the one before: what presence triggers see. */
  readonly movedAt?: number;
  readonly content: PresenceContent;
  readonly conflict: string | null;
  /** Of the presence, milliseconds since 1970. */
  readonly madeAt: number;
  /** Where it is published. Missing: written by a version that did not say so. */
  readonly places?: readonly string[];
  /** Names under which it was published before, the newest last. */
  readonly formerly?: readonly string[];
  readonly signed: SignedPresence;
  /** Transitions that gave way because too many waited, ever. */
  readonly leftOut: number;
  /** The newest run whose end was told of, and when it ended. */
  readonly lastRun: { readonly id: RunId; readonly endedAt: number } | null;
}

export interface Delivery {
  readonly version: 1;
  /** Everything up to here has arrived. */
  readonly sequence: number;
  readonly deliveredAt: number | null;
  /** `leftOut` of the own presence, as far as it was told. */
  readonly leftOut: number;
  /** Why what waits has not arrived; null in peace. */
  readonly trouble: LastingTrouble | null;
  /** When it was tried last, while it is in trouble. */
  readonly triedAt?: number;
  /** Another machine publishes under our name. */
  readonly conflict: string | null;
}

export interface Outbox {
  own(): Own | null;
  /** Durable when it returns; when it throws, nothing of it counts. */
  put(transitions: readonly Transition[], own: Own): void;
  /** Oldest first, as far as the own presence counts them. What cannot be read is left out. */
  waiting(): Transition[];
  delivery(store: StoreKey): Delivery;
  /** What has arrived in every store goes. */
  setDelivery(store: StoreKey, delivery: Delivery): void;
}

/** One status repository, or one of several shards, or one bus: a host writes to at most one of each kind. */
export type StoreKey = 'git' | 'nats';

const NAME = /^(\d{1,15})\.json$/;

/** @param stores Those to which everything is to be delivered. */
export function openOutbox(folder: string, stores: readonly StoreKey[]): Outbox {
  const box = join(folder, 'outbox');
  const ownFile = join(folder, 'own.json');
  let known: Own | null | undefined;

  const numbers = (): number[] => {
    try {
      return readdirSync(box)
        .flatMap((name) => NAME.exec(name)?.[1] ?? [])
        .map(Number)
        .sort((a, b) => a - b);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
  };
  const delivery = (store: StoreKey) =>
    readJson<Delivery>(deliveryFile(folder, store), isDelivery) ?? NOTHING_YET;
  const drop = (sequence: number) => rmSync(join(box, `${sequence}.json`), { force: true });
  const own = () => {
    known ??= readJson<Own>(ownFile, isOwn);
    return known;
  };

  return {
    own,

    put(transitions, next) {
      makeFolder(box, 0o700);
      sweepTemporaries(box);
      sweepTemporaries(folder, (name) => name.startsWith('own.json.'));
      const counted = own()?.sequence ?? 0;
      for (const sequence of numbers()) if (sequence > counted) drop(sequence);
      for (const transition of transitions)
        writeFileAtomic(join(box, `${transition.sequence}.json`), JSON.stringify(transition));
      const tooMany = transitions.length === 0 ? [] : numbers().slice(0, -WAITING_MAX);
      const put = { ...next, leftOut: next.leftOut + tooMany.length };
      writeFileAtomic(ownFile, JSON.stringify(put));
      known = put;
      for (const sequence of tooMany) drop(sequence);
    },

    waiting() {
      const counted = own()?.sequence ?? 0;
      return numbers().flatMap((sequence) =>
        sequence > counted ? [] : (readJson<Transition>(join(box, `${sequence}.json`), isTransition) ?? []),
      );
    },

    delivery,

    setDelivery(store, delivered) {
      makeFolder(box, 0o700);
      sweepTemporaries(folder, (name) => name.startsWith(`delivery-${store}.`));
      // First the mark: what it covers is not sent twice by the next.
      writeFileAtomic(deliveryFile(folder, store), JSON.stringify(delivered));
      const everywhere = Math.min(...stores.map((one) => delivery(one).sequence));
      for (const sequence of numbers()) {
        if (sequence > everywhere) break;
        drop(sequence);
      }
    },
  };
}

const NOTHING_YET: Delivery = {
  version: 1,
  sequence: 0,
  deliveredAt: null,
  leftOut: 0,
  trouble: null,
  conflict: null,
};

function deliveryFile(folder: string, store: StoreKey): string {
  return join(folder, `delivery-${store}.json`);
}

function readJson<T>(file: string, isWhole: (value: T) => boolean): T | null {
  try {
    const value = JSON.parse(readFileOrNull(file) ?? 'null') as T | null;
    return value !== null && isWhole(value) ? value : null;
  } catch (error) {
    // Of a crash of the machine. Anything else is the world's trouble.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function isOwn(own: Own): boolean {
  return own.version === 1 && typeof own.sequence === 'number' && typeof own.signed?.text === 'string';
}

function isTransition(one: Transition): boolean {
  return typeof one.sequence === 'number' && typeof one.presence?.text === 'string';
}

function isDelivery(delivery: Delivery): boolean {
  return delivery.version === 1 && typeof delivery.sequence === 'number';
}

/** For readers that hold no lock: how many transitions after that one wait, without reading them. */
export function waitingAfter(folder: string, sequence: number): number {
  try {
    const names = readdirSync(join(folder, 'outbox'));
    return names.filter((name) => Number(NAME.exec(name)?.[1] ?? 0) > sequence).length;
  } catch {
    return 0;
  }
}

/** For readers that hold no lock; null before the first delivery was tried. */
export function readDelivery(folder: string, store: StoreKey): Delivery | null {
  try {
    const delivery = JSON.parse(readFileSync(deliveryFile(folder, store), 'utf8')) as Delivery;
    return isDelivery(delivery) ? delivery : null;
  } catch {
    return null;
  }
}

/** The own presence as it was made last, for readers that hold no lock; null before the first. */
export function readOwn(folder: string): Own | null {
  try {
    const own = JSON.parse(readFileSync(join(folder, 'own.json'), 'utf8')) as Own;
    return isOwn(own) ? own : null;
  } catch {
    return null;
  }
}
