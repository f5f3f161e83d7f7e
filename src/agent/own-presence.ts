/** What this host says about itself, put together from what a look knows. */

import type { JournalView } from '../journal/read.ts';
import { actionKey } from '../model/action.ts';
import type { HostState } from '../model/host.ts';
import { shortId } from '../model/ids.ts';
import type { Pause, Plan, Step } from '../model/plan.ts';
import type { PresenceAction, PresenceRepo } from '../model/presence.ts';
import type { RunIntent } from '../model/run.ts';
import { version } from '../model/version.ts';
import { type EndedRun, isEnded } from '../plan/situation.ts';
import type { PresenceContent } from '../presence/transitions.ts';
import type { HostView } from './context.ts';
import type { RepoState } from './state-file.ts';

export interface OwnKnowledge {
  readonly view: HostView;
  readonly journal: Pick<JournalView, 'runs' | 'memory' | 'target' | 'applied' | 'pause'>;
  /** Of the last look that planned; null: none since this process began, the actions of `before` still hold. */
  readonly plan: Plan | null;
  readonly repos: Readonly<Record<string, RepoState>>;
  readonly openRun: RunIntent | null;
  readonly bootId: string;
  readonly now: number;
  readonly machine: MachineFacts;
  readonly before: PresenceContent | null;
}

export interface MachineFacts {
  readonly addresses: readonly string[];
  /** null: not known yet, that of before holds. */
  readonly git: string | null;
  readonly freeBytes: number | null;
  /** null: not known yet, those of before hold. */
  readonly facts: Readonly<Record<string, string>> | null;
}

/** A run that is open for less is not worth telling: its end comes soon. */
export const BUSY_AFTER_MS = 10_000;

export function composePresence(k: OwnKnowledge): PresenceContent {
  const { view, journal, plan, before, machine } = k;
  const { config, host } = view;
  const pause = journal.pause(k.now);
  const state = decideState(k, pause);
  return {
    version: 1,
    host: host.name,
    id: host.id,
    labels: host.labels,
    addresses: machine.addresses,
    state: state.state,
    reason: state.reason,
    repos: config.repos.map(({ name }) => describeRepo(name, k)),
    actions: plan === null ? (before?.actions ?? []) : describeActions(plan, journal),
    actionsOmitted: 0,
    agent: version,
    git: machine.git ?? before?.git ?? null,
    bootId: k.bootId,
    intervalMs: config.intervalMs,
    // No host can promise to beat more often than it looks; below a minute cron's call starts a daemon.
    heartbeatMs: Math.max(config.status?.heartbeatMs ?? 0, config.intervalMs),
    freeBytes: machine.freeBytes,
    facts: machine.facts ?? before?.facts ?? {},
  };
}

function describeRepo(name: string, { journal, repos }: OwnKnowledge): PresenceRepo {
  const problem = repos[name]?.trouble ?? null;
  return {
    name,
    wanted: journal.target(name),
    applied: journal.applied(name),
    trouble: problem && { code: problem.code, message: problem.message, since: problem.since },
  };
}

/** Actions that are for this host, or were. */
function describeActions(plan: Plan, journal: OwnKnowledge['journal']): PresenceAction[] {
  const seen = new Set<string>();
  return plan.steps.flatMap((step): PresenceAction[] => {
    const key = actionKey(step.repo, step.action);
    const run = journal.memory().get(key)?.lastRun ?? null;
    if (seen.has(key) || (step.reason === 'not-selected' && run === null)) return [];
    seen.add(key);
    return [
      {
        repo: step.repo,
        name: step.action,
        outcome: run?.result?.outcome ?? null,
        commit: run?.intent.commit ?? null,
        exitCode: run?.result?.exitCode ?? null,
        attempt: run?.intent.attempt ?? 0,
        endedAt: run?.result?.endedAt ?? null,
        parked: isStuck(step),
      },
    ];
  });
}

/** Only a human, or another commit, makes it go on. */
export function isStuck(step: Step): boolean {
  return step.reason === 'parked' || step.reason === 'unknown';
}

/** What its state is made of. */
type StateKnowledge = Omit<OwnKnowledge, 'machine' | 'bootId' | 'before' | 'journal'> & {
  readonly journal: Pick<JournalView, 'target' | 'pause'>;
  readonly before: Pick<PresenceContent, 'state' | 'reason'> | null;
};

export function decideOwnState(k: StateKnowledge): { state: HostState; reason: string | null } {
  return decideState(k, k.journal.pause(k.now));
}

function decideState(k: StateKnowledge, pause: Pause | null): { state: HostState; reason: string | null } {
  const { plan, before, openRun, now } = k;
  if (pause !== null)
    return { state: 'paused', reason: `until ${new Date(pause.until).toISOString()}: ${pause.reason}` };
  const stuck = plan?.steps.find(isStuck);
  if (stuck !== undefined) return { state: 'wedged', reason: `${stuck.action} ${stuck.sentence}` };
  if (plan === null && before?.state === 'wedged') return { state: 'wedged', reason: before.reason };
  const lost = k.view.config.repos.find(({ name }) => CANNOT_WORK.has(k.repos[name]?.trouble?.code ?? ''));
  if (lost !== undefined) {
    const { code, message } = k.repos[lost.name]!.trouble!;
    return { state: 'wedged', reason: `${lost.name}: ${code}: ${message}` };
  }
  if (openRun !== null && now - openRun.startedAt >= BUSY_AFTER_MS)
    return { state: 'busy', reason: `with ${openRun.action} at ${shortId(openRun.commit)}` };
  const isNew = k.view.config.repos.some(({ name }) => k.journal.target(name) === null);
  const isFirst = plan?.steps.some(isUnfinishedInit) ?? before?.state === 'setup';
  return { state: isNew || isFirst ? 'setup' : 'working', reason: null };
}

/** The host's own side: whatever is pushed, it cannot do its work. */
const CANNOT_WORK: ReadonlySet<string> = new Set([
  'git-missing',
  'git-too-old',
  'disk-full',
  'read-only',
  'no-permission',
]);

export function isUnfinishedInit(step: Step): boolean {
  return (
    step.definition?.on.some((trigger) => trigger.type === 'bootstrap') === true && step.reason !== 'current'
  );
}

const ENDED_MAX = 100;

export interface EndedSince {
  /** Oldest first. */
  readonly runs: readonly EndedRun[];
  /** Older ones than those, for which there is no room. */
  readonly leftOut: number;
}

/** Runs that ended since the one that was told of last. By their places in the journal, because a clock may be set back. */
export function endedSince(
  journal: Pick<JournalView, 'runs'>,
  last: { readonly id: string; readonly endedAt: number } | null,
): EndedSince {
  const runs = journal.runs();
  const told = last === null ? -1 : runs.findIndex(({ intent }) => intent.id === last.id);
  const since = (told === -1 ? runs : runs.slice(0, told)).filter(isEnded);
  // The journal has forgotten the one that was told of last: only times are left to go by.
  const isForgotten = last !== null && told === -1;
  const found = isForgotten ? since.filter(({ result }) => result.endedAt >= last.endedAt) : since;
  return { runs: found.slice(0, ENDED_MAX).reverse(), leftOut: Math.max(0, found.length - ENDED_MAX) };
}
