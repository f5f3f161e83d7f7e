/** The daemon where no systemd keeps it: started and ended by whoever has the duty to. */
import { statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { PullyuError } from '../errors.ts';
import { delay } from '../system/clock.ts';
import { startDetached } from '../system/detached.ts';
import { type LockHolder, readLockHolder } from '../system/lock.ts';
import { isAlive, signalProcess } from '../system/processes.ts';
import type { Launcher } from './places.ts';
import type { StepReport } from './steps.ts';

export interface Daemon extends LockHolder {
  /** Its last sign of life besides its looks: when it took the lock, or last called `showLife`. Milliseconds since 1970. */
  readonly lifeAt: number;
}

/** The agent that holds the lock of this state folder and is alive; null when there is none. */
export function findDaemon(state: string): Daemon | null {
  const file = join(state, 'lock');
  const holder = readLockHolder(file);
  if (holder === null || holder.command !== 'agent' || !isAlive(holder)) return null;
  return { ...holder, lifeAt: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 };
}

/**
 * For the holder of the lock, while a look takes long but makes progress (a first clone): the time stamp of the lock is a
 * sign of life that costs no write of any file.
 */
export function showLife(state: string, now: number): void {
  try {
    utimesSync(join(state, 'lock'), now / 1000, now / 1000);
  } catch {
    // A read-only file system: the worst that follows is that we are replaced.
  }
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

const CRONS_GRACE_MS = 15_000;

/** Where cron's heartbeat goes away, the daemon that it keeps has to go too. @throws PullyuError `failed`. */
export async function endCronsDaemon(state: string): Promise<StepReport[]> {
  const daemon = findDaemon(state);
  if (daemon === null) return [];
  if (await endDaemon(daemon, CRONS_GRACE_MS))
    return [{ did: 'stopped', what: `the agent (process ${daemon.pid})` }];
  throw new PullyuError('failed', `expected the agent (process ${daemon.pid}) to end, it is still alive`, {
    hint: `kill -9 ${daemon.pid}`,
  });
}

async function isGoneWithin(daemon: LockHolder, limitMs: number): Promise<boolean> {
  // The kernel tells only a parent about the end of a process; everybody else has to ask.
  for (let waited = 0; waited < limitMs; waited += 20) {
    if (!isAlive(daemon)) return true;
    await delay(20);
  }
  return !isAlive(daemon);
}
