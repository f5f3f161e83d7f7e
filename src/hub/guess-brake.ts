/**
 * Sends away whoever tries tokens: after some wrong ones, each further wrong one is told to wait, twice as long each time. By
 * address, and bounded: the oldest address is forgotten first. A right token is never held up, because a whole fleet may stand
 * behind one address, with one host in it whose token has been revoked.
 */
export interface GuessBrake {
  /** A wrong token came. @returns milliseconds that this address is told to wait; 0: it is only told that it was wrong. */
  wrong(address: string, now: number): number;
}

const FREE = 10;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 300_000;
const FORGOTTEN_AFTER_MS = 15 * 60_000;
const ADDRESSES_MAX = 10_000;

export function createGuessBrake(): GuessBrake {
  const known = new Map<string, { readonly count: number; readonly at: number }>();
  return {
    wrong(address, now) {
      const before = known.get(address);
      const isRecent = before !== undefined && now - before.at < FORGOTTEN_AFTER_MS;
      const count = isRecent ? before.count + 1 : 1;
      known.delete(address);
      if (known.size >= ADDRESSES_MAX) known.delete(known.keys().next().value!);
      known.set(address, { count, at: now });
      return count <= FREE ? 0 : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (count - FREE - 1));
    },
  };
}
