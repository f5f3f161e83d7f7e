/** What the verification of presences hands over: one host's newest presence and how far it is believed. */
import type { Presence, Trust } from '../model/presence.ts';

export interface Judged {
  readonly host: string;
  /** null: it is no presence, or nothing of it is believed. */
  readonly presence: Presence | null;
  readonly trust: Trust;
  /** Why it is not believed; null when it is. */
  readonly why: string | null;
  /** Milliseconds since 1970 by the reader's clock. */
  readonly lastContactAt: number;
  /** Of the time since then, for how long the reader could not know: that makes nobody silent. Missing: not at all. */
  readonly unseenMs?: number;
  /** Other machines that claim the name. Hostile text. */
  readonly contenders: readonly { readonly id: string; readonly addresses: readonly string[] }[];
}

export function isBelieved(trust: Trust | null): boolean {
  return trust === 'known' || trust === 'unlisted';
}

/**
 * A host may be found in several stores: of its presences the newest that is believed counts. Contact is contact, wherever it was made,
 * and whoever claims the name anywhere claims it.
 */
export function newestOfEach(judged: readonly Judged[]): Judged[] {
  const newest = new Map<string, Judged>();
  for (const one of judged) {
    const known = newest.get(one.host);
    newest.set(one.host, known === undefined ? one : join(known, one));
  }
  return [...newest.values()];
}

function join(a: Judged, b: Judged): Judged {
  const [first, second] = isNewer(b, a) ? [b, a] : [a, b];
  const isSame = isBelieved(first.trust) === isBelieved(second.trust);
  return {
    ...first,
    lastContactAt: isSame ? Math.max(first.lastContactAt, second.lastContactAt) : first.lastContactAt,
    unseenMs: (isSame ? Math.min(first.unseenMs ?? 0, second.unseenMs ?? 0) : first.unseenMs) ?? 0,
    contenders: [...first.contenders, ...second.contenders],
  };
}

function isNewer(a: Judged, b: Judged): boolean {
  if (isBelieved(a.trust) !== isBelieved(b.trust)) return isBelieved(a.trust);
  return (a.presence?.sequence ?? -1) > (b.presence?.sequence ?? -1);
}
