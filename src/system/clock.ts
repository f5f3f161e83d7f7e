/** Time and randomness come in as values; these are the real ones. */
import { readFileSync } from 'node:fs';

export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump. */
  now(): number;
  /** Milliseconds that only ever grow, also across processes of one boot. Never jumps. */
  monotonic(): number;
  /** In [0, 1). */
  random(): number;
}

/** The same, with fractions, for deadlines inside one process. `performance` would be loaded only for this. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  // process.hrtime is CLOCK_MONOTONIC on Linux: the same base for every process of one boot.
  monotonic: () => Number(process.hrtime.bigint() / 1_000_000n),
  random: () => Math.random(),
};

/** Resolves after `ms`, or at once (without error) when the signal is aborted. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/**
 * Aborted after `ms`. In place of AbortSignal.timeout, which node 20 forgets as soon as nothing but AbortSignal.any holds it: then it never
 * comes. Keeps no process alive.
 */
export function timeoutSignal(ms: number): AbortSignal {
  const over = new AbortController();
  setTimeout(() => over.abort(), ms).unref();
  return over.signal;
}

/** Identity of this boot; tells "the agent died" from "the machine died". `PULLYU_BOOT_ID` stands in for it in tests. */
export function readBootId(env: NodeJS.ProcessEnv = process.env): string {
  if (env.PULLYU_BOOT_ID) return env.PULLYU_BOOT_ID;
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
