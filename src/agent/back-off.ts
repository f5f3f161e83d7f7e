/**
 * When each repo is asked again. One whose remotes do not answer, or whose commit cannot be brought here, is left alone for a while, and
 * the longer the more often that happens; the others are asked as if there were none. In memory: a process that begins asks all.
 */
import type { HostId } from '../model/ids.ts';
import { nextLookAt } from '../plan/next-look.ts';

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
  /** All are asked again: they may be asked elsewhere, or in another way. */
  clear(): void;
}

/** @param monotonic Milliseconds: a clock that is set back must not make minutes days. */
export function createBackOff(monotonic: () => number): BackOff {
  const askAt = new Map<string, number>();
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
    clear: () => askAt.clear(),
  };
}
