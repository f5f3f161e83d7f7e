/**
 * Tells the fleet about this host: puts together its presence whenever something may have changed, and has it delivered. Looks call
 * `note`, which only writes small files; the delivery goes on by itself and holds nothing up, whatever the status repository does.
 */
import { join } from 'node:path';
import { actionKey } from '../model/action.ts';
import type { EventSink } from '../model/event.ts';
import type { Plan } from '../model/plan.ts';
import type { Presence, PresenceAction, SignedPresence, Transition } from '../model/presence.ts';
import { isResting } from '../presence/deliver.ts';
import { formatPresence } from '../presence/format-presence.ts';
import { ensureHostKey } from '../presence/host-key.ts';
import { type Own, openOutbox } from '../presence/outbox.ts';
import { redactLog, secretValues } from '../presence/redact.ts';
import { signPresence } from '../presence/sshsig.ts';
import {
  decideHappenings,
  type EndedRun,
  isSameContent,
  isSameMachine,
  type PresenceContent,
} from '../presence/transitions.ts';
import { outputTail } from '../runner/output.ts';
import type { Clock } from '../system/clock.ts';
import type { Paths } from '../system/paths.ts';
import { createDeliveryLoop, type StoreTarget } from './delivery-loop.ts';
import { composePresence, endedSince, type MachineFacts, type OwnKnowledge } from './own-presence.ts';
import { statusFolder } from './status-folder.ts';
import { isBeatDue, spreadMs } from './telling-times.ts';

export interface TellerOptions {
  readonly paths: Paths;
  readonly clock: Clock;
  readonly emit: EventSink;
  /** At least one. */
  readonly targets: readonly StoreTarget[];
  /** What the look knows at this moment. */
  readonly knowledge: () => Omit<OwnKnowledge, 'machine' | 'before' | 'now'>;
  readonly machine: () => MachineFacts;
  /** Where this host publishes: what is new there is told from the beginning. */
  readonly places: () => readonly string[];
  /** How many hosts are known: their pushes are spread so that a commit for all of them is no herd. */
  readonly fleetSize: () => number;
}

export interface Teller {
  /** After a look, a run, the begin or end of a trouble: writes what is new, and a heartbeat when one is due. */
  note(): void;
  /** After an idle look: a heartbeat, when one is due. Costs next to nothing when not. */
  beat(): void;
  /** The newest presence that was made; null before the first. */
  own(): Own | null;
  /** Delivers what waits; ends when all has arrived, after a failure, or at the signal. */
  flush(signal: AbortSignal): Promise<void>;
  /** No store is in trouble, or it is time to try again. */
  mayTry(): boolean;
  /** From now on what `note` writes is delivered. */
  start(): void;
  close(): Promise<void>;
}

const LOG_MAX_BYTES = 64 * 1024;

export function createTeller(o: TellerOptions): Teller {
  const folder = statusFolder(o.paths);
  const keys = o.targets.map(({ key }) => key);
  const outbox = openOutbox(folder, keys);
  const loops = o.targets.map((target) =>
    createDeliveryLoop({
      outbox,
      folder,
      target,
      clock: o.clock,
      emit: o.emit,
      onConflict: () => teller.note(),
    }),
  );
  const published = () => {
    const deliveries = keys.map((key) => outbox.delivery(key));
    return {
      conflict: deliveries.find((one) => one.conflict !== null)?.conflict ?? null,
      sequence: Math.max(...deliveries.map(({ sequence }) => sequence)),
    };
  };

  const teller: Teller = {
    note() {
      const before = outbox.own()?.content ?? null;
      const made = makeOwn(o, outbox.own(), published());
      if (made === null) return;
      outbox.put(made.transitions, made.own);
      for (const [n, loop] of loops.entries())
        loop.wake(spreadMs(keys[n]!, o.fleetSize(), before, made.own.content));
    },
    beat() {
      const own = outbox.own();
      const now = o.clock.now();
      // Nothing happens when the time of a pause is up, and yet the host is another one.
      const isResumed = own?.content.state === 'paused' && o.knowledge().journal.pause(now) === null;
      if (own === null || isResumed || isBeatDue(own, now)) teller.note();
    },
    own: outbox.own,
    async flush(signal) {
      await Promise.all(
        loops.map(async (loop) => {
          while (!signal.aborted && (await loop.deliver(signal)).kind === 'delivered');
        }),
      );
    },
    mayTry() {
      const heartbeatMs = outbox.own()?.content.heartbeatMs ?? 0;
      return keys.some((key) => !isResting(outbox.delivery(key), heartbeatMs, o.clock.now()));
    },
    start() {
      for (const loop of loops) loop.start();
    },
    async close() {
      await Promise.all(loops.map((loop) => loop.close()));
    },
  };
  return teller;
}

const FORMER_MAX = 8;

function formerNames(before: Own | null, host: string): string[] {
  const names = before === null ? [] : [...(before.formerly ?? []), before.content.host];
  return [...new Set(names)].filter((name) => name !== host).slice(-FORMER_MAX);
}

/** null: nothing is new, and no heartbeat is due. */
function makeOwn(
  o: TellerOptions,
  before: Own | null,
  { conflict, sequence: delivered }: { readonly conflict: string | null; readonly sequence: number },
): { transitions: Transition[]; own: Own } | null {
  const now = o.clock.now();
  const knowledge = o.knowledge();
  const content = composePresence({
    ...knowledge,
    machine: o.machine(),
    before: before?.content ?? null,
    now,
  });
  const ended = endedSince(knowledge.journal, before?.lastRun ?? null);
  const places = o.places();
  const isNewPlace = before?.places !== undefined && places.some((place) => !before.places!.includes(place));
  const happenings = decideHappenings(before?.content ?? null, content, ended.runs, isNewPlace);
  const isNews =
    before === null ||
    happenings.length > 0 ||
    before.conflict !== conflict ||
    !isSameContent(before.content, content);
  if (!isNews && !isBeatDue(before, now)) return null;

  const key = ensureHostKey(o.paths.state, content.host);
  // Never below the time either: what was published before a machine was put back to an older state stays the older one.
  // And never below what was delivered: own.json may be lost, after a time with a clock that was ahead.
  let sequence = Math.max(before?.sequence ?? delivered, Math.floor(now / 1000));
  const sign = (): SignedPresence => {
    sequence += 1;
    const presence: Presence = { ...content, sequence, clock: now, conflict };
    const text = formatPresence(presence);
    return { text, signature: signPresence(text, key) };
  };
  const transitions = happenings.map(({ subject, failed }): Transition => {
    const presence = sign();
    // Also of what comes after it: as long as an action fails, the newest commit of the branch shows why.
    const failing = failed ?? lastFailing(content, knowledge.journal);
    const at = failed?.result.endedAt ?? now;
    return { sequence, at, subject, presence, log: failing && logOf(o, failing, knowledge.plan) };
  });
  const signed = transitions.at(-1)?.presence ?? sign();
  const isMoved = before !== null && !isSameMachine(before.content, content);
  const movedAt = isMoved ? sequence : before?.movedAt;
  const last = ended.runs.at(-1);
  const lastRun = last && { id: last.intent.id, endedAt: last.result.endedAt };
  const leftOut = (before?.leftOut ?? 0) + (before === null ? 0 : ended.leftOut);
  return {
    transitions,
    own: {
      version: 1,
      sequence,
      ...(movedAt === undefined ? {} : { movedAt }),
      content,
      conflict,
      madeAt: now,
      places,
      formerly: formerNames(before, content.host),
      signed,
      leftOut,
      lastRun: lastRun ?? before?.lastRun ?? null,
    },
  };
}

/** The newest run that did not succeed, of an action that has not succeeded since; null when all is well. */
function lastFailing(
  { actions }: PresenceContent,
  journal: OwnKnowledge['journal'],
): Pick<EndedRun, 'intent'> | null {
  const bad = actions.filter(({ outcome }) => outcome !== null && outcome !== 'ok');
  const newest = bad.reduce<PresenceAction | null>(
    (last, one) => ((one.endedAt ?? 0) > (last?.endedAt ?? -1) ? one : last),
    null,
  );
  return newest && (journal.memory().get(actionKey(newest.repo, newest.name))?.lastRun ?? null);
}

function logOf(
  { paths }: TellerOptions,
  { intent }: Pick<EndedRun, 'intent'>,
  plan: Plan | null,
): Transition['log'] {
  const { id, repo, action } = intent;
  const text = outputTail(join(paths.state, 'runs', id, 'output.log'), LOG_MAX_BYTES);
  const step = plan?.steps.find((one) => one.repo === repo && one.action === action);
  return { repo, action, run: id, text: redactLog(text, secretValues(step?.definition?.env ?? {})) };
}
