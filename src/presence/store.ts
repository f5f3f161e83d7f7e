/** Where presences and transitions are kept: a git repository, a NATS bucket and stream. Same meaning, either way. */
import type { HostId } from '../model/ids.ts';
import type { SignedPresence, Transition } from '../model/presence.ts';
import type { Result } from '../model/trouble.ts';
import type { Unseen } from './unseen-time.ts';

/** What a host has to say: all of it is delivered by one `publish`, or none. */
export interface Outgoing {
  readonly host: string;
  readonly id: HostId;
  readonly bootId: string;
  /** Oldest first; empty for a heartbeat. */
  readonly transitions: readonly Transition[];
  /** The newest presence: that of the last transition, or a newer one. */
  readonly presence: SignedPresence;
  /** It says something of the machine that others react to, also without a transition: everybody is to look. */
  readonly isNews?: boolean;
}

export type PublishAnswer =
  | {
      readonly kind: 'published' /** Another machine contends for the name: it says so by a claim of its own. */;
      readonly contender: Contender | null;
    }
  /** Another machine holds the name. Nothing of it was overwritten; our claim beside it says so. */
  | { readonly kind: 'conflict'; readonly contender: Contender };

/** The other machine, as far as its presence tells; hostile text, escaped before print. */
export interface Contender {
  readonly id: string;
  readonly bootId: string;
  readonly addresses: readonly string[];
  readonly clock: number;
}

/** A presence as it was found: nothing of it is verified yet. */
export interface StoredPresence {
  /** Of which host it claims to be, by the place where it lies. */
  readonly host: string;
  readonly text: string;
  readonly signature: string;
  /** Changes whenever the presence does. */
  readonly token: string;
  /**
   * Milliseconds since 1970 by our own clock: between these two the host made contact. `notBefore` is the last time at which the
   * presence before was still there; null when we had not looked before.
   */
  readonly seen: { readonly notBefore: number | null; readonly notAfter: number };
  /** Times for which we could not know; missing: none. */
  readonly unseen?: readonly Unseen[];
  /** Its host is not heard any more, and this is what it said when something happened last: older than what a reader may know. */
  readonly isLastWord?: boolean;
  /** Claims of other machines to the same name. */
  readonly contenders: readonly Contender[];
}

export interface HistoryEntry {
  /** Milliseconds since 1970, as the host said. */
  readonly at: number;
  readonly subject: string;
  readonly presence: SignedPresence;
  readonly log: { readonly name: string; readonly text: string } | null;
}

export interface StatusStore {
  /** For messages: the URL without credentials. */
  readonly name: string;
  publish(out: Outgoing, signal?: AbortSignal): Promise<Result<PublishAnswer>>;
  /** After a delivery: takes the presence away that this host has under a name that it had before. What cannot be taken away stays. */
  leave?(name: string, signal?: AbortSignal): Promise<void>;
  /**
   * Has any host said something new since the last `read`? About the cost of an idle probe. A false "no" is possible for a
   * heartbeat: `read` with `whole` is to be called once in a while.
   */
  hasNews(signal?: AbortSignal): Promise<Result<boolean>>;
  /** Everything that is there; only what changed is transferred. Kept on disk when `o.cacheFolder` of the store is given. */
  read(signal?: AbortSignal): Promise<Result<readonly StoredPresence[]>>;
  /** The transitions of one host, newest first. */
  history(host: string, limit: number, signal?: AbortSignal): Promise<Result<readonly HistoryEntry[]>>;
  /** Calls when something new is there; null when the store cannot tell by itself. */
  watch: ((onNews: () => void) => { close(): void }) | null;
  close(): Promise<void>;
}
