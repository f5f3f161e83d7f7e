/** The daemon where no systemd keeps it: started and ended by whoever has the duty to. */
import { join } from 'node:path';
import { delay } from '../system/clock.ts';
import { startDetached } from '../system/detached.ts';
import { type LockHolder, readLockHolder } from '../system/lock.ts';
import { isAlive, signalProcess } from '../system/processes.ts';
import type { Launcher } from './places.ts';

/** The agent that holds the lock of this state folder and is alive; null when there is none. */
export function findDaemon(state: string): LockHolder | null {
  const holder = readLockHolder(join(state, 'lock'));
  return holder !== null && holder.command === 'agent' && isAlive(holder) ? holder : null;
}

export interface StartOptions {
  readonly launcher: Launcher;
  readonly root: string | null;
  readonly log: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Starts `pullyu agent` outside of our own session. Two at once do no harm: the lock lets one of them live. */
export function startDaemon(options: StartOptions): Promise<number> {
  const { launcher, root } = options;
  const argv = [launcher.node, launcher.bin, ...(root === null ? [] : ['--root', root]), 'agent'];
  return startDetached(argv, { env: options.env, outputFile: options.log });
}

/** TERM, and KILL after `graceMs`. Resolves when that very process is gone: true, or false when it could not be ended. */
export async function endDaemon(daemon: LockHolder, graceMs: number): Promise<boolean> {
  signalProcess(daemon, 'SIGTERM');
  if (await isGoneWithin(daemon, graceMs)) return true;
  signalProcess(daemon, 'SIGKILL');
  return isGoneWithin(daemon, 5_000);
}

async function isGoneWithin(daemon: LockHolder, limitMs: number): Promise<boolean> {
  // The kernel tells only a parent about the end of a process; everybody else has to ask.
  for (let waited = 0; waited < limitMs; waited += 20) {
    if (!isAlive(daemon)) return true;
    await delay(20);
  }
  return !isAlive(daemon);
}
