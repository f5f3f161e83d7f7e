import { type Action, actionKey } from '../model/action.ts';
import { formatSelector, type Labels, matchesSelector } from '../model/labels.ts';
import type { ActionMemory, Plan, PlanInput, RepoInput, Step } from '../model/plan.ts';
import { printable } from '../model/printable.ts';
import { fingerprintOf } from './fingerprint.ts';
import { gate } from './gate.ts';
import { orderActions } from './order.ts';
import { rosterOfAction, rosterPartOf, wokenByRoster } from './presence-triggers.ts';
import { decideRunning } from './running.ts';
import { type Moment, makeStep } from './step.ts';
import { planUndo } from './undo.ts';
import { rests } from './verdict.ts';
import { type Decided, decideWork } from './work.ts';

/**
 * What is to be done now, and for everything else why not: repos in the order of the configuration; in a repo first what is
 * undone (dependents before what they depend on), then the work in its order. The same input gives the same plan; to carry
 * it out and to record what came of it is somebody else's part.
 */
export function planLook(input: PlanInput): Plan {
  const { now, bootId, bootedAt, pause } = input;
  const moment: Moment = { now, bootId, bootedAt, pause: pause !== null && pause.until > now ? pause : null };
  const memories = groupByRepo(input.memory.values());
  const steps = input.repos.flatMap((repo) =>
    planRepo(repo, { labels: input.host.labels, memories: memories.get(repo.name) ?? [], input, moment }),
  );
  return { steps, nextDueAt: earliest(steps) };
}

interface RepoContext {
  readonly labels: Labels;
  /** Of every action of this repo that ever ran or was seen. */
  readonly memories: readonly ActionMemory[];
  readonly input: PlanInput;
  readonly moment: Moment;
}

function planRepo(repo: RepoInput, { labels, memories, input, moment }: RepoContext): Step[] {
  const undone: Step[] = [];
  const work: Step[] = [];
  const decided = new Map<string, readonly Decided[]>();
  for (const action of orderActions(repo.actions)) {
    const key = actionKey(repo.name, action.name);
    const memory = input.memory.get(key) ?? null;
    if (!matchesSelector(action.hosts, labels)) {
      const step = planUndo(memory, { action, target: repo.target }, moment);
      if (step) undone.unshift(step);
      else work.push(notSelected(action, repo, memory, labels, moment));
      continue;
    }
    const roster = rosterOfAction(action, input.roster);
    const print = fingerprintOf(action, labels, repo.contents, rosterPartOf(roster, memory));
    const history = repo.histories.get(key) ?? [];
    const entries = decideWork({ action, memory, target: repo.target, print, roster, history }, moment);
    const gated = gate(action, entries, decided);
    decided.set(action.name, gated);
    work.push(
      ...gated.map(({ body, verdict }) => makeStep(body, wokenByRoster(verdict, roster, moment.now), moment)),
    );
  }
  return [...planGone(repo, memories, moment), ...undone, ...work];
}

/** Actions that were applied and are in the repository no more, the newest first. */
function planGone(repo: RepoInput, memories: readonly ActionMemory[], moment: Moment): Step[] {
  const names = new Set(repo.actions.map((action) => action.name));
  return memories
    .filter((memory) => !names.has(memory.action))
    .sort((a, b) => startOfSuccess(b) - startOfSuccess(a) || (a.action < b.action ? -1 : 1))
    .flatMap((memory) => planUndo(memory, null, moment) ?? []);
}

function startOfSuccess(memory: ActionMemory): number {
  return memory.lastSuccess?.intent.startedAt ?? 0;
}

/** Nothing is computed for it: its fingerprint is empty. */
function notSelected(
  action: Action,
  repo: RepoInput,
  memory: ActionMemory | null,
  labels: Labels,
  moment: Moment,
): Step {
  const body = {
    repo: repo.name,
    action: action.name,
    purpose: 'work',
    commit: repo.target,
    fingerprint: '',
    parts: { content: '', definition: '', labels: '' },
    attempt: 1,
    definition: action,
    undo: null,
  } as const;
  const says = `is not for this host: it is for ${printable(formatSelector(action.hosts))}, this host has ${labelsFor(action, labels)}`;
  return makeStep(body, decideRunning(memory) ?? rests('not-selected', says), moment);
}

/** The labels that the action's hosts name, as this host has them: `part=db`, `no zone`. */
function labelsFor(action: Action, labels: Labels): string {
  const names = Object.keys(action.hosts ?? {});
  return printable(
    names.map((key) => (Object.hasOwn(labels, key) ? `${key}=${labels[key]}` : `no ${key}`)).join(', '),
  );
}

function groupByRepo(memories: Iterable<ActionMemory>): Map<string, ActionMemory[]> {
  const groups = new Map<string, ActionMemory[]>();
  for (const memory of memories) {
    const group = groups.get(memory.repo);
    if (group) group.push(memory);
    else groups.set(memory.repo, [memory]);
  }
  return groups;
}

function earliest(steps: readonly Step[]): number | null {
  let least: number | null = null;
  for (const { notBefore } of steps) {
    if (notBefore !== null && (least === null || notBefore < least)) least = notBefore;
  }
  return least;
}
