/**
 * When each repo is asked again. One whose remotes do not answer, or whose commit cannot be brought here, is left alone for a while, and
 * the longer the more often that happens; the others are asked as if there were none. A daemon has it in memory; one-shot looks hand it on in
 * state.json.
 */
import type { HostId } from '../model/ids.ts';
import { nextLookAt, RETRY_AFTER_MAX_MS } from '../plan/next-look.ts';

export interface BackOffQuestion {
  readonly intervalMs: number;
  readonly hostId: HostId;
  /** Looks in a row in which the repo was asked in vain; 0 in peace. */
  readonly failures: number;
  readonly retryAfterMs: number | null;
}

export interface BackOff {
  /** How asking this repo has just gone. */
  note(repo: string, question: BackOffQuestion): void;
  /** Is this repo to be left alone now? */
  isOn(repo: string): boolean;
  /** Milliseconds until the first of these repos is to be asked; null when one of them is well, or there is none. */
  askInMs(repos: Iterable<string>): number | null;
  /** Milliseconds until each repo that is to be left alone may be asked. */
  waits(): Record<string, number>;
  /** All are asked again: they may be asked elsewhere, or in another way. */
  clear(): void;
}

/**
 * @param monotonic Milliseconds: a clock that is set back must not make minutes days.
 * @param known Milliseconds that are left to each repo, from the look before.
 */
export function createBackOff(
  monotonic: () => number,
  known: Readonly<Record<string, number>> = {},
): BackOff {
  const askAt = new Map(Object.entries(known).map(([repo, waitMs]) => [repo, monotonic() + waitMs]));
  return {
    note(repo, question) {
      if (question.failures <= 0 && question.retryAfterMs === null) askAt.delete(repo);
      else askAt.set(repo, monotonic() + nextLookAt({ ...question, now: 0 }));
    },
    isOn: (repo) => monotonic() < (askAt.get(repo) ?? Number.NEGATIVE_INFINITY),
    askInMs(repos) {
      const times = [...repos].map((repo) => askAt.get(repo));
      if (times.length === 0) return null;
      let first = Number.POSITIVE_INFINITY;
      for (const at of times) {
        if (at === undefined) return null;
        first = Math.min(first, at);
      }
      return Math.max(0, Math.ceil(first - monotonic()));
    },
    waits: () =>
      Object.fromEntries(
        [...askAt].flatMap(([repo, at]) => (at > monotonic() ? [[repo, Math.ceil(at - monotonic())]] : [])),
      ),
    clear: () => askAt.clear(),
  };
}

/** What one look hands on to the next. */
export interface SavedBackOff {
  /** Of the configuration that it was found under: another one may ask elsewhere. */
  readonly stamp: string;
  /** Milliseconds since 1970. */
  readonly savedAt: number;
  /** When each repo in trouble is to be asked again; milliseconds since 1970. */
  readonly askAt: Readonly<Record<string, number>>;
}

/** Longer than any wait that is ever begun. */
const WAIT_MAX_MS = 2 * RETRY_AFTER_MAX_MS;

/** Milliseconds that are left to each repo; none when the clock was set back or the configuration is another one. */
export function readSavedBackOff(
  saved: SavedBackOff | undefined,
  stamp: string,
  now: number,
): Record<string, number> {
  if (saved === undefined || saved.stamp !== stamp || !(saved.savedAt <= now)) return {};
  return Object.fromEntries(
    Object.entries(saved.askAt).flatMap(([repo, at]) =>
      at > now && at - now <= WAIT_MAX_MS ? [[repo, at - now]] : [],
    ),
  );
}

export function formatSavedBackOff(
  waits: Readonly<Record<string, number>>,
  stamp: string,
  now: number,
): SavedBackOff {
  const askAt = Object.entries(waits).map(([repo, waitMs]) => [repo, now + waitMs] as const);
  return { stamp, savedAt: now, askAt: Object.fromEntries(askAt) };
}
