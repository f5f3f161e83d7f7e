import type { HostState } from './host.ts';
import type { CommitId, HostId } from './ids.ts';
import type { Labels } from './labels.ts';
import type { Outcome } from './run.ts';
import type { TroubleCode } from './trouble.ts';

/** Of a presence as it is written, in bytes. A reader refuses what is larger before it looks inside. */
export const PRESENCE_MAX_BYTES = 16 * 1024;

/** After so many of its heartbeats without a new presence a host is silent. */
export const SILENT_BEATS = 3;

/** The namespace of the signature (`ssh-keygen -Y sign -n`). */
export const PRESENCE_NAMESPACE = 'status@pullyu';

/** What a host publishes about itself. Times are milliseconds since 1970 by the host's own clock; ISO texts when written. */
export interface Presence {
  readonly version: 1;
  readonly host: string;
  readonly id: HostId;
  readonly labels: Labels;
  /** Of its interfaces that are up, without loopback and link-local ones; sorted. */
  readonly addresses: readonly string[];
  readonly state: HostState;
  /** One sentence that says why, for any state but `working`; null when there is nothing to say. */
  readonly reason: string | null;
  readonly repos: readonly PresenceRepo[];
  /** Those that are for this host: failing ones first, then by name. */
  readonly actions: readonly PresenceAction[];
  /** How many actions were left out, because all would have been more than a presence may hold. */
  readonly actionsOmitted: number;
  /** Of pullyu. */
  readonly agent: string;
  readonly git: string | null;
  readonly bootId: string;
  /** Grows by one with each presence that the host makes, over reboots: the higher one is the newer one. */
  readonly sequence: number;
  readonly intervalMs: number;
  /** Three of these without a new presence: the host is silent. */
  readonly heartbeatMs: number;
  /** When it was made. */
  readonly clock: number;
  /** Of the file system of the state folder. */
  readonly freeBytes: number | null;
  /** What the operator's script adds. */
  readonly facts: Readonly<Record<string, string>>;
  /** Another machine publishes under this name; null when none is known to. */
  readonly conflict: string | null;
}

export interface PresenceRepo {
  readonly name: string;
  /** The target; null before the first. */
  readonly wanted: CommitId | null;
  /** The last commit at which all work was done. */
  readonly applied: CommitId | null;
  readonly trouble: PresenceTrouble | null;
}

export interface PresenceTrouble {
  readonly code: TroubleCode;
  readonly message: string;
  readonly since: number;
}

export interface PresenceAction {
  readonly repo: string;
  readonly name: string;
  /** Of its last run; null while that is open, or before the first. */
  readonly outcome: Outcome | null;
  /** Of its last run. */
  readonly commit: CommitId | null;
  readonly exitCode: number | null;
  readonly attempt: number;
  readonly endedAt: number | null;
  /** Waits for a human. */
  readonly parked: boolean;
}

/** The bytes that were signed, with their signature: what stores carry and readers verify. */
export interface SignedPresence {
  /** `formatPresence`: JSON, indented for people, ended by a line feed. At most `PRESENCE_MAX_BYTES`. */
  readonly text: string;
  /** An armoured SSH signature (SSHSIG) over `text`. */
  readonly signature: string;
}

/** Something happened on a host that people want to read about later: one commit of its branch, one message of the stream. */
export interface Transition {
  /** That of its presence. */
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** `shop ok at 3f2a91c in 3.2 s`: one line of at most 200 characters, printable. */
  readonly subject: string;
  /** As the host was right after it. */
  readonly presence: SignedPresence;
  /** The end of the output of the run that failed, redacted, at most 64 KiB; null for any other transition. */
  readonly log: TransitionLog | null;
}

export interface TransitionLog {
  readonly repo: string;
  readonly action: string;
  readonly run: string;
  readonly text: string;
}

/** How far a reader believes a presence. */
export type Trust =
  | 'known' // signed by the key that hosts.yaml lists for this host
  | 'unlisted' // there is no hosts.yaml: signed by the key that was first seen for this host
  | 'stranger' // hosts.yaml does not list it
  | 'forged'; // the signature is not valid, or made by another key; or the text is no presence

/** A host of the roster as scripts get it (`PULLYU_ROSTER`, `pullyu roster`): verified and not silent. */
export interface RosterMember {
  readonly name: string;
  readonly id: HostId;
  readonly labels: Labels;
  readonly addresses: readonly string[];
  readonly state: HostState;
  readonly facts: Readonly<Record<string, string>>;
  /** Milliseconds since 1970 by the reader's clock. */
  readonly lastContactAt: number;
}

/** What the config repo's hosts.yaml says about a host that is expected. */
export interface ExpectedHost {
  readonly name: string;
  readonly labels: Labels;
  /** OpenSSH public keys (`ssh-ed25519 AAAA...`); empty: whichever is seen first. */
  readonly keys: readonly string[];
}
