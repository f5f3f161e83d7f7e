/**
 * Delivers what waits in the outbox to one store, by itself, for as long as the agent lives. Rests while nothing waits; else waits for
 * its moment (at once in a small fleet, spread in a large one, longer after a failure), pushes once, and asks again.
 */
import { join } from 'node:path';
import { PullyuError } from '../errors.ts';
import type { EventSink } from '../model/event.ts';
import { type Trouble, type TroubleCode, trouble } from '../model/trouble.ts';
import { RETRY_AFTER_MAX_MS } from '../plan/next-look.ts';
import { type DeliveryAnswer, deliverOnce } from '../presence/deliver.ts';
import type { Outbox, StoreKey } from '../presence/outbox.ts';
import type { StatusStore } from '../presence/store.ts';
import type { Clock } from '../system/clock.ts';
import { namedWriteError } from '../system/files.ts';
import { tryLock } from '../system/lock.ts';

export interface StoreTarget {
  readonly key: StoreKey;
  readonly store: StatusStore;
}

export interface DeliveryOptions {
  readonly outbox: Outbox;
  /** Holds the outbox and the lock of this delivery. */
  readonly folder: string;
  readonly target: StoreTarget;
  readonly clock: Clock;
  readonly emit: EventSink;
  /** Another machine's claim to our name appeared or went: the next presence says so. */
  readonly onConflict: () => void;
}

export interface DeliveryLoop {
  /** One push, now. For a process that ends. */
  deliver(signal: AbortSignal): Promise<DeliveryAnswer>;
  start(): void;
  /** Something new waits. @param withinMs It goes at a random moment of this window. */
  wake(withinMs: number): void;
  close(): Promise<void>;
}

const RETRY_FIRST_MS = 1_000;
/** And no longer than a heartbeat: after an outage nobody is to be missed for long. */
const RETRY_MAX_MS = 5 * 60_000;

export function createDeliveryLoop(o: DeliveryOptions): DeliveryLoop {
  const { outbox, target, clock } = o;
  const end = new AbortController();
  let failures = 0;
  let notBefore = 0;
  let wakeUp = () => {};
  let loop: Promise<void> | null = null;
  let told: Trouble['code'] | null = outbox.delivery(target.key).trouble?.code ?? null;
  const isWaiting = () => {
    try {
      return (outbox.own()?.sequence ?? 0) > outbox.delivery(target.key).sequence;
    } catch {
      // A disk that fails, no descriptor left: the delivery says so, as a trouble.
      return true;
    }
  };

  const tell = (answer: DeliveryAnswer) => {
    if (answer.kind === 'nothing') return;
    const now = answer.kind === 'failed' ? answer.trouble : null;
    if (now?.code === told) return;
    const status = target.store.name;
    if (told !== null) o.emit({ type: 'status-trouble-ended', code: told, status });
    if (now !== null) o.emit({ type: 'status-trouble-began', trouble: now, status });
    told = now?.code ?? null;
  };

  const deliver = async (signal: AbortSignal): Promise<DeliveryAnswer> => {
    try {
      const { conflict } = outbox.delivery(target.key);
      const lock = tryLock(join(o.folder, `lock-${target.key}`), 'deliver');
      // Another process of this host delivers just now.
      if (lock === null) return { kind: 'failed', trouble: trouble('silent', 'another process delivers') };
      try {
        const answer = await deliverOnce(outbox, target, { now: clock.now, signal });
        if (!signal.aborted) tell(answer);
        return answer;
      } finally {
        lock.release();
        if (outbox.delivery(target.key).conflict !== conflict) sayConflict();
      }
    } catch (error) {
      // Whatever it is: the next try may find it otherwise, and nobody would notice a delivery that gave up.
      const answer = { kind: 'failed', trouble: troubleOf(error, o.folder) } as const;
      tell(answer);
      return answer;
    }
  };

  /** What was delivered stays delivered, whatever comes of this. The next look says it again. */
  const sayConflict = () => {
    try {
      o.onConflict();
    } catch {}
  };

  const pauseAfter = (problem: Trouble): number => {
    const heartbeatMs = outbox.own()?.content.heartbeatMs ?? RETRY_MAX_MS;
    const most = Math.min(RETRY_MAX_MS, Math.max(RETRY_FIRST_MS, heartbeatMs));
    const backOff = Math.min(most, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 16));
    const asked = Math.min(problem.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
    return Math.max(asked, backOff * (0.75 + clock.random() / 2));
  };

  const run = async () => {
    while (!end.signal.aborted) {
      const waitMs = isWaiting() ? notBefore - clock.monotonic() : Number.POSITIVE_INFINITY;
      if (waitMs > 0) {
        await sleep(waitMs);
        continue;
      }
      const answer = await deliver(end.signal);
      failures = answer.kind === 'failed' ? failures + 1 : 0;
      notBefore = clock.monotonic() + (answer.kind === 'failed' ? pauseAfter(answer.trouble) : 0);
    }
  };

  const sleep = (ms: number) =>
    new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        wakeUp = () => {};
        resolve();
      };
      const timer = Number.isFinite(ms) ? setTimeout(done, Math.ceil(ms)) : undefined;
      wakeUp = done;
      if (end.signal.aborted) done();
    });

  return {
    deliver,
    start() {
      loop ??= run();
    },
    wake(withinMs) {
      const now = clock.monotonic();
      // What waits for its moment already is not put off by what came later.
      if (failures === 0 && notBefore <= now) notBefore = now + withinMs * clock.random();
      wakeUp();
    },
    async close() {
      end.abort();
      wakeUp();
      await loop;
      await target.store.close();
    },
  };
}

const NAMES: Partial<Record<string, TroubleCode>> = {
  'disk-full': 'disk-full',
  'read-only': 'read-only',
  'no-permission': 'no-permission',
};

function troubleOf(error: unknown, folder: string): Trouble {
  const known = error instanceof PullyuError ? error : namedWriteError(error, folder);
  if (known === null) return trouble('git-failed', `the delivery failed: ${String(error)}`);
  return trouble(NAMES[known.code] ?? 'git-failed', known.message, { hint: known.hint });
}
