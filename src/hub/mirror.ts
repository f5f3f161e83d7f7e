/**
 * A repository of a forge, kept beside it: fetched at its own interval and when a webhook says so, served as it was last seen when
 * the forge is away.
 */
import { troubleFromError } from '../git/stderr.ts';
import { printable } from '../model/printable.ts';
import { fail, type Result, type Trouble, trouble } from '../model/trouble.ts';
import { type Clock, delay } from '../system/clock.ts';
import type { Listing } from './listing.ts';
import { claimMirrorFolder, fetchMirror } from './mirror-fetch.ts';

export interface MirrorSettings {
  /** As of a repository. */
  readonly name: string;
  readonly url: string;
  readonly intervalMs: number;
  /** What the forge asks for; null: nothing. */
  readonly credentials: string | null;
}

export interface MirrorState {
  readonly name: string;
  readonly url: string;
  /** When the forge last answered, milliseconds since 1970; null: not yet since the hub was started. */
  readonly contactAt: number | null;
  /** When the refs here last changed since the hub was started. */
  readonly changedAt: number | null;
  readonly trouble: Trouble | null;
  /** Nothing was ever fetched: there is nothing to serve. */
  readonly isEmpty: boolean;
}

export interface Mirror {
  state(): MirrorState;
  /** Somebody says that there is news. However often that is said while a pass is running, one more follows it. */
  poke(): void;
  /** Ends the pass that is running; the next start goes on. */
  close(): Promise<void>;
}

export interface MirrorOptions {
  /** The bare repository. Made when it is not there. */
  readonly folder: string;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The refs were changed. */
  readonly onChanged: () => void;
  /** A trouble began, changed its kind, or ended (null). */
  readonly onTrouble: (trouble: Trouble | null) => void;
  /** From the end of one pass to the begin of the next, however fast hooks come; default 500 ms. */
  readonly gapMs?: number;
}

const GAP_MS = 500;

/** @throws PullyuError `refused` when the folder holds a repository that is not a mirror of this URL. */
export async function startMirror(s: MirrorSettings, o: MirrorOptions): Promise<Mirror> {
  const isEmpty = await claimMirrorFolder(s.url, o.folder);
  const ending = new AbortController();
  let state: MirrorState = {
    name: s.name,
    url: s.url,
    contactAt: null,
    changedAt: null,
    trouble: null,
    isEmpty,
  };
  let seen: Listing | null = null;
  let pokes = 0;
  let wake = new AbortController();

  async function pass(): Promise<void> {
    const result = await fetchMirror(s, { ...o, seen, signal: ending.signal }).catch(
      (error: unknown): Result<Listing | null> => {
        const problem = troubleFromError(error, { doing: 'mirror', remote: s.url });
        return fail(
          problem ?? trouble('git-failed', `the mirror failed: ${printable((error as Error).message)}`),
        );
      },
    );
    if (ending.signal.aborted) return;
    const now = o.clock.now();
    const before = state.trouble?.code ?? null;
    if (!result.ok) state = { ...state, trouble: result.trouble };
    else {
      const hasChanged = result.value !== null;
      const changedAt = hasChanged ? now : state.changedAt;
      seen = result.value ?? seen;
      state = { ...state, trouble: null, contactAt: now, changedAt, isEmpty: false };
      if (hasChanged) o.onChanged();
    }
    const after = state.trouble?.code ?? null;
    if (before !== after) o.onTrouble(state.trouble);
  }

  async function run(): Promise<void> {
    while (!ending.signal.aborted) {
      pokes = 0;
      await pass();
      await delay(o.gapMs ?? GAP_MS, ending.signal);
      // A poke that came during the pass may be about something newer than what the pass saw.
      if (pokes > 0 || ending.signal.aborted) continue;
      wake = new AbortController();
      await delay(s.intervalMs, wake.signal);
    }
  }
  const running = run();

  return {
    state: () => state,
    poke() {
      pokes += 1;
      wake.abort();
    },
    async close() {
      ending.abort();
      wake.abort();
      await running;
    },
  };
}
