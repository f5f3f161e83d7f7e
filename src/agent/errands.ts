/** What people ask of a daemon between two looks: to run one action now, or to run none for a while. */
import { PullyuError } from '../errors.ts';
import type { Looker } from './look.ts';
import type { RunAnswer, SocketHandlers } from './socket.ts';

export interface Errands extends Pick<SocketHandlers, 'run' | 'hold'> {
  /** Does what was asked, in its order. Only while no look is under way. */
  carryOut(): Promise<void>;
  /** A person is at work on this host. */
  isHeld(): boolean;
}

/** At once, so that the person knows; the errand of one is never kept waiting behind that of another. */
const BUSY: RunAnswer = {
  code: 'busy',
  message: 'the agent of this host is running an action, or waits for a person who does',
  hint: '`pullyu status` shows which, `pullyu logs ACTION -f` follows it',
};

/** @param wake Ends the wait for the next look, before which errands are carried out. */
export function createErrands(looker: Looker, wake: () => void, signal: AbortSignal): Errands {
  const waiting: (() => Promise<void>)[] = [];
  let held = false;
  const isBusy = () => held || waiting.length > 0 || looker.openRun() !== null;
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
          held = true;
          resolve(true);
          await endOf(released, signal);
          held = false;
        });
      }),

    async carryOut() {
      for (let errand = waiting.shift(); errand && !signal.aborted; errand = waiting.shift()) await errand();
    },

    isHeld: () => held,
  };
}

/** Or that the agent is told to end. */
function endOf(released: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
    void released.then(done);
  });
}
