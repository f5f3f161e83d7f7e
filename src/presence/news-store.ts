/** What was told about the fleet, where all hosts that may tell it find it. */
import type { Result } from '../model/trouble.ts';

export interface StoredNews {
  /** A stranger's text: everybody who may publish may write it. null: there is none yet. */
  readonly text: string | null;
  /** What is there now; null: nothing. */
  readonly token: string | null;
}

export interface NewsStore {
  /** For messages: without credentials. */
  readonly name: string;
  load(signal?: AbortSignal): Promise<Result<StoredNews>>;
  /**
   * Replaces what `token` names, and nothing else.
   * @returns its new token; null: another one was faster. A trouble leaves open whether it was done.
   */
  save(text: string, token: string | null, signal?: AbortSignal): Promise<Result<string | null>>;
  close(): void;
}

/** Nobody writes more. */
export const NEWS_MAX_BYTES = 8 * 1024 * 1024;
