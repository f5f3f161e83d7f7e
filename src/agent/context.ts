import type { Prober } from '../git/probe.ts';
import type { Journal } from '../journal/open.ts';
import type { PresenceTrigger } from '../model/action.ts';
import type { EventSink } from '../model/event.ts';
import type { Host, HostConfig } from '../model/host.ts';
import type { RosterView } from '../model/plan.ts';
import type { Clock } from '../system/clock.ts';
import type { Paths } from '../system/paths.ts';

/** What the loop needs of the world, for as long as it holds the host's lock. */
export interface AgentContext {
  readonly paths: Paths;
  readonly journal: Journal;
  readonly prober: Prober;
  readonly clock: Clock;
  readonly bootId: string;
  /** Our own environment: PATH, proxies, SSH_AUTH_SOCK. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of kept ssh connections, shared by probe and fetch. */
  readonly sshFolder: string | null;
  readonly emit: EventSink;
  /** What is known of the other hosts. */
  readonly roster: RosterSource;
  /** Aborted: leave runs to themselves, end everything else. */
  readonly signal: AbortSignal;
}

/** Asked by the look; reads nothing from any network. */
export interface RosterSource {
  /** What these triggers see. They are watched from now on. */
  view(triggers: readonly PresenceTrigger[]): RosterView;
  /** Changes whenever what a trigger saw changes. */
  stamp(): string;
  /** Brings the file that scripts read up to date. */
  keepFile(): void;
}

/** The host as this look sees it: configuration and node facts, read anew when their files changed. */
export interface HostView {
  readonly config: HostConfig;
  readonly host: Host;
  /** Changes whenever configuration or labels do. */
  readonly stamp: string;
}
