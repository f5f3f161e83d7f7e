/** The fleet as JSON: docs/json.md. */

import { type FleetTotals, totalsOf } from '../fleet/picture-fleet.ts';
import type { ConcernedHost, Progress } from '../fleet/progress.ts';
import type { FleetHost } from '../model/fleet.ts';
import type { RosterMember } from '../model/presence.ts';

export interface FleetJson {
  readonly hosts: readonly FleetHostJson[];
  readonly totals: FleetTotals;
  /** Of --expect; null without. */
  readonly expect: ProgressJson | null;
}

export type FleetHostJson = ReturnType<typeof hostJson>;
export type ProgressJson = ReturnType<typeof progressJson>;

export function fleetJson(hosts: readonly FleetHost[], expect: ProgressJson | null): FleetJson {
  return { hosts: hosts.map(hostJson), totals: totalsOf(hosts), expect };
}

export function hostJson({
  name,
  id,
  labels,
  state,
  trust,
  repos,
  lastContactAt,
  reason,
  presence,
}: FleetHost) {
  return {
    name,
    id,
    labels,
    state,
    trust,
    repos: repos.map(({ trouble, ...repo }) => ({
      name: repo.name,
      wanted: repo.wanted,
      applied: repo.applied,
      trouble: trouble && { code: trouble.code, message: trouble.message, since: iso(trouble.since) },
    })),
    actions: (presence?.actions ?? []).map((action) => ({
      repo: action.repo,
      name: action.name,
      outcome: action.outcome,
      commit: action.commit,
      exitCode: action.exitCode,
      attempt: action.attempt,
      endedAt: isoOrNull(action.endedAt),
      parked: action.parked,
    })),
    lastContactAt: isoOrNull(lastContactAt),
    reason,
  };
}

export function progressJson(commit: string, repo: string, { concerned, totals }: Progress) {
  const names = (progress: ConcernedHost['progress']) =>
    concerned.filter((host) => host.progress === progress).map((host) => host.name);
  return {
    commit,
    repo,
    concerned: totals.concerned,
    there: names('there'),
    failed: names('failed'),
    waiting: names('waiting'),
    silent: names('silent'),
  };
}

export function memberJson({ name, id, labels, addresses, state, facts, lastContactAt }: RosterMember) {
  return { name, id, labels, addresses, state, facts, lastContactAt: iso(lastContactAt) };
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

export function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : iso(ms);
}
