/** Values for the tests of the planner: everything has a default, a test names only what it is about. */

import { type Action, type ActionKey, actionKey } from '../model/action.ts';
import { type CommitId, commitId, type HostId, type RunId } from '../model/ids.ts';
import type { Labels } from '../model/labels.ts';
import type { ActionMemory, PlanInput, RepoInput } from '../model/plan.ts';
import type { RosterMember } from '../model/presence.ts';
import type { Outcome, RosterPart, Run, RunIntent, RunResult } from '../model/run.ts';
import { fingerprintOf } from './fingerprint.ts';
import { contentGlobs } from './globs.ts';

/** 2026-11-25T11:00:00Z. */
export const NOW = Date.UTC(2026, 10, 25, 11);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** A commit id that begins with its number: `exampleCommit(3)` is shown as `3000000`. */
export function exampleCommit(n: number): CommitId {
  const hex = n.toString(16);
  return commitId(hex.padEnd(32, '0') + hex.padStart(8, '0'));
}

export function exampleAction(values: Partial<Action> = {}): Action {
  const name = values.name ?? 'shop';
  return {
    repo: 'it',
    name,
    origin: 'pullyu.yaml',
    run: [`apps/${name}/deploy.sh`],
    hosts: null,
    paths: [`apps/${name}/**`],
    on: [{ type: 'change' }],
    check: null,
    timeoutMs: 10 * MINUTE,
    user: null,
    env: {},
    after: [],
    kind: 'idempotent',
    catchUp: 'latest',
    undo: null,
    retry: { delayMs: MINUTE, delayMaxMs: HOUR, attempts: 3 },
    ...values,
  };
}

export interface RepoValues extends Partial<Omit<RepoInput, 'contents' | 'histories'>> {
  /** Of every glob that is not named in `contents`. */
  readonly content?: string;
  readonly contents?: Readonly<Record<string, string | null>>;
  /** By the name of the action. */
  readonly histories?: Readonly<Record<string, readonly CommitId[]>>;
}

export function exampleRepo(values: RepoValues = {}): RepoInput {
  const { content = 'content', contents = {}, histories = {}, ...rest } = values;
  const name = rest.name ?? 'it';
  const actions = rest.actions ?? [exampleAction()];
  const globs = actions.flatMap(contentGlobs);
  return {
    name,
    target: exampleCommit(1),
    ...rest,
    actions,
    contents: new Map(globs.map((glob) => [glob, contents[glob] === undefined ? content : contents[glob]])),
    histories: new Map(
      Object.entries(histories).map(([action, commits]) => [actionKey(name, action), commits]),
    ),
  };
}

export interface InputValues extends Partial<Omit<PlanInput, 'memory' | 'host'>> {
  readonly memory?: readonly ActionMemory[];
  readonly labels?: Labels;
}

export function exampleInput(values: InputValues = {}): PlanInput {
  const { memory = [], labels = { part: 'app' }, ...rest } = values;
  return {
    now: NOW,
    bootId: 'boot-1',
    bootedAt: NOW - DAY,
    repos: [exampleRepo()],
    pause: null,
    roster: null,
    ...rest,
    host: { name: 'web-17', id: 'a'.repeat(26) as HostId, labels },
    memory: new Map(memory.map((one): [ActionKey, ActionMemory] => [actionKey(one.repo, one.action), one])),
  };
}

/** A live host with `part: app`. */
export function exampleMember(name: string, values: Partial<RosterMember> = {}): RosterMember {
  return {
    name,
    id: `id-of-${name}` as HostId,
    labels: { part: 'app' },
    addresses: ['10.0.0.1', 'fd00::1'],
    state: 'working',
    facts: {},
    lastContactAt: NOW,
    ...values,
  };
}

interface RunValues extends Partial<Omit<RunIntent, 'id'>> {
  readonly id?: string;
  /** Null: the run is open. */
  readonly outcome?: Outcome | null;
  readonly exitCode?: number | null;
  readonly endedAt?: number;
  readonly result?: Partial<RunResult>;
  /** The live hosts that it declared. */
  readonly roster?: RosterPart | null;
}

/** A run of `action` at the first commit with the content `content`, which succeeded an hour ago. */
export function exampleRun(action: Action, values: RunValues = {}, content = 'content'): Run {
  const { outcome = 'ok', exitCode, endedAt = NOW - HOUR, result, roster = null, ...rest } = values;
  const id = (values.id ?? `run-${action.name}`) as RunId;
  const contents = new Map(contentGlobs(action).map((glob) => [glob, content]));
  return {
    intent: {
      repo: action.repo,
      action: action.name,
      purpose: 'work',
      commit: exampleCommit(1),
      ...fingerprintOf(action, { part: 'app' }, contents, roster),
      reason: 'first',
      attempt: 1,
      kind: action.kind,
      timeoutMs: action.timeoutMs,
      bootId: 'boot-1',
      startedAt: endedAt - MINUTE,
      undo: action.undo === null ? null : { run: action.undo, user: action.user },
      ...rest,
      id,
    },
    result:
      outcome === null
        ? null
        : {
            id,
            outcome,
            exitCode:
              exitCode === undefined ? (outcome === 'ok' ? 0 : outcome === 'failed' ? 1 : null) : exitCode,
            signal: null,
            endedAt,
            note: null,
            ...result,
          },
  };
}

/** What is remembered of an action that was seen a week ago and never run, but for `values`. */
export function exampleMemory(action: Action, values: Partial<ActionMemory> = {}): ActionMemory {
  return {
    repo: action.repo,
    action: action.name,
    lastSuccess: null,
    lastRun: null,
    attempts: 0,
    failures: 0,
    reboots: 0,
    seenAt: NOW - 7 * DAY,
    redo: false,
    applied: values.lastSuccess !== undefined && values.lastSuccess !== null,
    ...values,
  };
}

/** It succeeded, and nothing since. */
export function succeeded(action: Action, values: RunValues = {}, content = 'content'): ActionMemory {
  const run = exampleRun(action, values, content);
  return exampleMemory(action, { lastSuccess: run, lastRun: run });
}

/** Its newest run, attempt `attempts`, did not succeed. */
export function failing(
  action: Action,
  values: RunValues & {
    readonly attempts?: number;
    readonly failures?: number;
    readonly reboots?: number;
  } = {},
  content = 'content',
): ActionMemory {
  const { attempts = 1, failures, reboots = 0, ...rest } = values;
  const lastRun = exampleRun(action, { outcome: 'failed', attempt: attempts, ...rest }, content);
  const counts = lastRun.result?.outcome !== 'interrupted' && lastRun.result?.exitCode !== 75;
  return exampleMemory(action, { lastRun, attempts, failures: failures ?? (counts ? attempts : 0), reboots });
}
