/** A way to tell people something. Nothing that a channel answers holds a secret. */
import type { NewsLevel } from '../model/news.ts';

/** What is sent. Texts are printable. */
export interface Message {
  readonly level: NewsLevel;
  /** One line. */
  readonly text: string;
  readonly lines: readonly string[];
  /** Who sends it. */
  readonly host: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export type SendAnswer =
  | { readonly ok: true }
  /** Why it did not arrive, as far as is known: one printable sentence. */
  | { readonly ok: false; readonly why: string; readonly retryAfterMs: number | null };

export interface Channel {
  /** Of its configuration: another one is another channel. */
  readonly key: string;
  /** For people: `slack at hooks.slack.com`. */
  readonly name: string;
  readonly level: NewsLevel;
  /** Ends within its own deadline. Never throws. */
  send(message: Message, signal?: AbortSignal): Promise<SendAnswer>;
}

/** What scripts and templates get. */
export function messageJson({ level, text, lines, host, at }: Message) {
  return { level, text, lines, host, at: new Date(at).toISOString() };
}

export function failed(why: string, retryAfterMs: number | null = null): SendAnswer {
  return { ok: false, why, retryAfterMs };
}
