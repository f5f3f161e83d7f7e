/** For what a person does by hand: the time in which nobody else runs an action of this host. */
import { join } from 'node:path';
import { PullyuError } from '../errors.ts';
import { readJournal } from '../journal/read.ts';
import { delay } from '../system/clock.ts';
import type { Lock, LockHolder } from '../system/lock.ts';
import type { Paths } from '../system/paths.ts';
import { takeLock } from './session.ts';
import { holdAgent } from './socket.ts';

/** A look by cron that has nothing to do is over by then. */
const LOOK_WAIT_MS = 5_000;
/** The daemon may be in the middle of a fetch. */
const HOLD_WAIT_MS = 60_000;

export type Taken =
  | { readonly kind: 'lock'; readonly lock: Lock }
  /** A daemon has it, for as long as it lives. */
  | { readonly kind: 'agent' };

/** The host's lock, or the news that a daemon holds it. @throws PullyuError `busy` when somebody else is at work. */
export async function takeLockOrAgent(paths: Paths, command: string, signal: AbortSignal): Promise<Taken> {
  const openRuns = () => readJournal(join(paths.state, 'journal.log')).openRuns();
  for (let waited = 0; ; waited += 50) {
    const taken = takeLock(paths, command);
    if ('lock' in taken) {
      const [open] = openRuns();
      if (open === undefined) return { kind: 'lock', lock: taken.lock };
      taken.lock.release();
      throw new PullyuError(
        'busy',
        `a run of ${open.action} that an agent left behind may still be at work`,
        {
          hint: '`pullyu look` finds out what became of it',
        },
      );
    }
    if (taken.holder?.command === 'agent') return { kind: 'agent' };
    const isLong = waited === 0 && openRuns().length > 0;
    if (isLong || waited >= LOOK_WAIT_MS || signal.aborted) throw busyHere(taken.holder);
    await delay(50, signal);
  }
}

/** @throws PullyuError `busy`; and what `work` throws. */
export async function withoutOthers<T>(
  paths: Paths,
  command: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const taken = await takeLockOrAgent(paths, command, signal);
  if (taken.kind === 'lock') {
    try {
      return await work();
    } finally {
      taken.lock.release();
    }
  }
  const hold = await holdAgent(paths.state, HOLD_WAIT_MS);
  if (hold === null || hold === 'busy') throw busyHere(null);
  try {
    return await work();
  } finally {
    hold.release();
  }
}

export function busyHere(holder: LockHolder | null): PullyuError {
  const who = holder === null ? 'the agent of this host' : `pullyu ${holder.command} (process ${holder.pid})`;
  return new PullyuError('busy', `${who} is at work`, {
    hint: 'try again when it is done; `pullyu status` shows what runs, `pullyu logs ACTION -f` follows it',
  });
}
