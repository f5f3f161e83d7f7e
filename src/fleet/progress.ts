/** How far a commit has come over the fleet. */
import type { FleetHost } from '../model/fleet.ts';
import type { CommitId } from '../model/ids.ts';
import type { Labels } from '../model/labels.ts';
import type { PresenceAction, PresenceRepo } from '../model/presence.ts';
import { EXIT_TRY_AGAIN } from '../model/run.ts';
import type { TroubleCode } from '../model/trouble.ts';
import { describeFailure } from './failures.ts';

export interface ProgressOptions {
  readonly repo: string;
  /** Has the commit an action for a host with these labels? */
  readonly concerns: (labels: Labels) => boolean;
  /** The commit itself, and those of its descendants that are known. */
  readonly reached: ReadonlySet<CommitId>;
  /** When the commit was made, milliseconds since 1970; null: unknown. */
  readonly committedAt: number | null;
}

/** `silent`: nothing is heard of it (silent, absent, or not believed), and it was not there before. */
export type HostProgress = 'failed' | 'waiting' | 'silent' | 'there';

export interface ConcernedHost {
  readonly name: string;
  readonly labels: Labels;
  readonly progress: HostProgress;
  readonly host: FleetHost;
  /** One line, printable: why it failed, else why the host is in its state. */
  readonly reason: string | null;
}

export interface Progress {
  /** Hosts that follow the repo, whether the commit concerns them or not. */
  readonly followers: number;
  /** In the order of the fleet. */
  readonly concerned: readonly ConcernedHost[];
  readonly totals: Readonly<Record<HostProgress | 'concerned', number>>;
}

export function progressOf(hosts: readonly FleetHost[], o: ProgressOptions): Progress {
  const followers = hosts.filter((host) => follows(host, o.repo));
  // Its own labels choose its actions, whatever hosts.yaml says about it.
  const concerned = followers
    .filter((host) => o.concerns(host.presence?.labels ?? host.labels))
    .map((host) => ({ name: host.name, labels: host.labels, host, ...progressOfHost(host, o) }));
  const count = (progress: HostProgress) => concerned.filter((host) => host.progress === progress).length;
  return {
    followers: followers.length,
    concerned,
    totals: {
      concerned: concerned.length,
      there: count('there'),
      failed: count('failed'),
      waiting: count('waiting'),
      silent: count('silent'),
    },
  };
}

/** Of a host that is not believed nobody knows what it follows; of strangers nothing is expected. */
function follows({ state, presence }: FleetHost, repo: string): boolean {
  if (state === 'stranger') return false;
  return presence === null || presence.repos.some(({ name }) => name === repo);
}

function progressOfHost(host: FleetHost, o: ProgressOptions): Pick<ConcernedHost, 'progress' | 'reason'> {
  const { presence, reason } = host;
  if (presence === null) return { progress: 'silent', reason };
  const repo = presence.repos.find(({ name }) => name === o.repo)!;
  if (repo.applied !== null && o.reached.has(repo.applied)) return { progress: 'there', reason };
  const failed = presence.actions.find((action) => action.repo === o.repo && hasFailed(action, o.reached));
  if (failed !== undefined) return { progress: 'failed', reason: describeFailure(failed) };
  if (isHeld(repo, host, o)) return { progress: 'failed', reason };
  return { progress: host.state === 'silent' ? 'silent' : 'waiting', reason };
}

/** A run that was cut off or asked for another try goes on by itself; one at an older commit says nothing. */
function hasFailed(action: PresenceAction, reached: ProgressOptions['reached']): boolean {
  const { commit, outcome, parked, exitCode } = action;
  if (commit === null || !reached.has(commit)) return false;
  if (parked) return true;
  if (outcome === 'failed') return exitCode !== EXIT_TRY_AGAIN;
  return outcome === 'timed-out' || outcome === 'refused';
}

/** Troubles that last until somebody does something; the others are about the way to a remote, and pass. */
const HOLDING: ReadonlySet<TroubleCode> = new Set([
  'rewritten',
  'git-missing',
  'git-too-old',
  'disk-full',
  'read-only',
  'no-permission',
  'limit',
  'hostile-tree',
  'config',
]);

/**
 * A commit that a host refuses (a broken pullyu.yaml) never becomes what it wants: such a trouble is about this commit when it began
 * after the commit was made. Otherwise it is about one before, and this commit may well be its end.
 */
function isHeld({ wanted, trouble }: PresenceRepo, host: FleetHost, o: ProgressOptions): boolean {
  if (trouble === null || !HOLDING.has(trouble.code)) return false;
  if (wanted !== null && o.reached.has(wanted)) return true;
  if (o.committedAt === null || host.lastContactAt === null) return false;
  // A clock that is ahead of ours would make an old trouble look young.
  const ahead = Math.max(0, host.presence!.clock - host.lastContactAt);
  return trouble.since - ahead >= o.committedAt;
}

export type Verdict = 'done' | 'failed' | 'go on';

export interface VerdictOptions {
  /** The first failure ends it. */
  readonly failFast?: boolean;
  /** Silent hosts are not waited for. */
  readonly skipSilent?: boolean;
}

/**
 * Is there anything left to wait for? A failed host may yet succeed while others are on their way, so it counts when all others have come to
 * an end; for a silent one nobody waits once another has failed.
 */
export function decideVerdict({ totals }: Progress, o: VerdictOptions = {}): Verdict {
  if (totals.failed > 0 && (o.failFast === true || totals.waiting === 0)) return 'failed';
  const silent = o.skipSilent === true ? 0 : totals.silent;
  return totals.failed + totals.waiting + silent === 0 ? 'done' : 'go on';
}
