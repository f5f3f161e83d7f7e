/** The fleet as people see it: hosts that need somebody first. */
import type { FleetHost, FleetState } from '../model/fleet.ts';
import type { Labels } from '../model/labels.ts';
import type { ExpectedHost } from '../model/presence.ts';
import { isBelieved, type Judged, newestOfEach } from './judged.ts';
import { decideState } from './states.ts';

/** Of display. */
export const FLEET_STATES: readonly FleetState[] = [
  'silent',
  'absent',
  'conflicting',
  'forged',
  'stranger',
  'wedged',
  'failed',
  'behind',
  'paused',
  'busy',
  'setup',
  'working',
];

export interface PictureOptions {
  /** null: there is no hosts.yaml. */
  readonly expected: readonly ExpectedHost[] | null;
  /** Milliseconds since 1970 by the reader's clock. */
  readonly now: number;
}

/** Every host that published or is expected, once: by state as in `FLEET_STATES`, within a state by name. */
export function pictureFleet(judged: readonly Judged[], o: PictureOptions): FleetHost[] {
  const expected = new Map((o.expected ?? []).map((host) => [host.name, host]));
  const found = newestOfEach(judged).map((one) => pictureHost(one, expected.get(one.host)?.labels, o.now));
  const names = new Set(found.map((host) => host.name));
  const missing = [...expected.values()].filter((host) => !names.has(host.name)).map(pictureAbsent);
  return [...found, ...missing].sort(compareHosts);
}

export function pictureHost(judged: Judged, listed: Labels | undefined, now: number): FleetHost {
  const presence = isBelieved(judged.trust) ? judged.presence : null;
  return {
    name: judged.host,
    id: presence?.id ?? null,
    // What the operator lists counts more than what a machine says about itself.
    labels: { ...presence?.labels, ...listed },
    trust: judged.trust,
    repos: presence?.repos ?? [],
    lastContactAt: judged.lastContactAt,
    presence,
    ...decideState(judged, now),
  };
}

function pictureAbsent({ name, labels }: ExpectedHost): FleetHost {
  return {
    name,
    id: null,
    labels,
    state: 'absent',
    trust: null,
    repos: [],
    lastContactAt: null,
    reason: 'expected by hosts.yaml, never came',
    presence: null,
  };
}

const RANK = new Map(FLEET_STATES.map((state, rank) => [state, rank]));

/** `web-2` before `web-10`. Made once: that costs more than thousands of comparisons. */
const { compare: compareNames } = new Intl.Collator('en', { numeric: true });

function compareHosts(a: FleetHost, b: FleetHost): number {
  return RANK.get(a.state)! - RANK.get(b.state)! || compareNames(a.name, b.name);
}

export type FleetTotals = Readonly<Record<FleetState | 'all', number>>;

export function totalsOf(hosts: readonly FleetHost[]): FleetTotals {
  const totals: Record<string, number> = { all: hosts.length };
  for (const state of FLEET_STATES) totals[state] = 0;
  for (const { state } of hosts) totals[state]! += 1;
  return totals as FleetTotals;
}
