import type { HostState } from './host.ts';
import type { HostId } from './ids.ts';
import type { Labels } from './labels.ts';
import type { Presence, PresenceRepo, Trust } from './presence.ts';

/** State of a host as a reader of presences sees it: what the host says, and what its absence and its work say. */
export type FleetState =
  | 'silent' // no new presence for three of its heartbeats
  | 'absent' // expected by hosts.yaml, and never came
  | 'conflicting' // two machines publish under its name
  | 'forged' // not signed by the key that it must be signed by: nothing of it is believed
  | 'stranger' // hosts.yaml does not list it
  | 'failed' // the last run of an action did not succeed, and is tried again
  | 'behind' // it does not have the commit that it wants, or has a trouble
  | HostState;

/** One host as the fleet's readers show it. */
export interface FleetHost {
  readonly name: string;
  /** null: `absent`, or nothing of what it says is believed. */
  readonly id: HostId | null;
  readonly labels: Labels;
  readonly state: FleetState;
  readonly trust: Trust | null;
  readonly repos: readonly PresenceRepo[];
  /** Milliseconds since 1970 by the reader's clock; null: never. */
  readonly lastContactAt: number | null;
  /** One line: why it is in this state; null for `working`. */
  readonly reason: string | null;
  /** Verified; null when there is none to be believed. */
  readonly presence: Presence | null;
}
