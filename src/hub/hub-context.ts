/** What the handlers of a hub share. */
import type { Clock } from '../system/clock.ts';
import type { GitLimits } from './git-child.ts';
import type { Housekeeping } from './housekeeping.ts';
import type { HubEvent } from './hub-event.ts';
import type { Lane } from './lanes.ts';
import type { PackCache } from './pack-cache.ts';

export interface HubContext {
  readonly clock: Clock;
  readonly limits: HubLimits;
  readonly lanes: { readonly clone: Lane; readonly fetch: Lane; readonly push: Lane };
  readonly packs: PackCache;
  readonly housekeeping: Housekeeping;
  readonly tell: (event: HubEvent) => void;
}

export interface HubLimits {
  readonly git: GitLimits;
  /** Of a request to fetch, unpacked: wants and haves. */
  readonly questionMaxBytes: number;
  /** Between two pieces of a body. */
  readonly stallMs: number;
  /** For git to make a pack, and for a push from its first byte to its last. */
  readonly workMs: number;
}

export const HUB_LIMITS: HubLimits = {
  git: { memoryMaxBytes: 2 ** 30, pushMaxBytes: 2 * 2 ** 30 },
  questionMaxBytes: 16 * 2 ** 20,
  stallMs: 30_000,
  workMs: 30 * 60_000,
};
