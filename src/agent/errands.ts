/** What people ask of a daemon between two looks: to run one action now, or to run none for a while. */
import { PullyuError } from '../errors.ts';
import type { EventSink } from '../model/event.ts';
import type { Looker } from './look.ts';
import type { RunAnswer, SocketHandlers } from './socket.ts';

export interface Errands extends Pick<SocketHandlers, 'run' | 'hold'> {
  /** Does what was asked, in its order. Only while no look is under way. @param onWork Called when there is something. */
  carryOut(onWork?: () => void): Promise<void>;
  /** A person is at work on this host. */
  isHeld(): boolean;
  /** Milliseconds since 1970; null when nobody is. */
  heldSince(): number | null;
}

/** At once, so that the person knows; the errand of one is never kept waiting behind that of another. */
const BUSY: RunAnswer = {
  code: 'busy',
  message: 'the agent of this host is running an action, or waits for a person who does',
  hint: '`pullyu status` shows which, `pullyu logs ACTION -f` follows it',
};

/** A day's work. One who forgot a terminal must not keep the host from its work for ever. */
const HOLD_MAX_MS = 8 * 60 * 60_000;

interface ErrandOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly emit: EventSink;
  readonly holdMaxMs?: number;
}

/** @param wake Ends the wait for the next look, before which errands are carried out. */
export function createErrands(
  looker: Looker,
  wake: () => void,
  signal: AbortSignal,
  o: ErrandOptions,
): Errands {
  const waiting: (() => Promise<void>)[] = [];
  let heldSince: number | null = null;
  const isBusy = () => heldSince !== null || waiting.length > 0 || looker.openRun() !== null;
  const add = (errand: () => Promise<void>) => {
    waiting.push(errand);
    wake();
  };

  return {
    run: (repo, action) =>
      new Promise((resolve, reject) => {
        if (isBusy()) return resolve(BUSY);
        add(async () => {
          try {
            resolve({ run: await looker.runByHand(repo, action, {}) });
          } catch (error) {
            if (!(error instanceof PullyuError)) {
              reject(error);
              throw error;
            }
            resolve({ code: error.code, message: error.message, hint: error.hint });
          }
        });
      }),

    hold: (released) =>
      new Promise((resolve) => {
        if (isBusy()) return resolve(false);
        add(async () => {
          heldSince = o.now();
          resolve(true);
          const isReleased = await endOf(released, signal, o.holdMaxMs ?? HOLD_MAX_MS);
          heldSince = null;
          if (isReleased) return;
          o.emit({
            type: 'warning',
            text: 'a person held the runs of this host for longer than 8 hours; they go on now',
          });
        });
      }),

    async carryOut(onWork) {
      for (let errand = waiting.shift(); errand && !signal.aborted; errand = waiting.shift()) {
        onWork?.();
        await errand();
      }
    },

    isHeld: () => heldSince !== null,
    heldSince: () => heldSince,
  };
}

/** Or that the agent is told to end. @returns false when the time was over. */
function endOf(released: Promise<void>, signal: AbortSignal, maxMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isReleased: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve(isReleased);
    };
    const done = () => end(true);
    const timer = setTimeout(() => end(false), maxMs);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
    void released.then(done);
  });
}
