/** The planner over what the journal really folds: small histories exhaustively, larger ones at random. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { emptyState, foldRecord, type JournalState } from '../src/journal/fold.ts';
import { type Action, type ActionKind, actionKey } from '../src/model/action.ts';
import type { RunId } from '../src/model/ids.ts';
import type { ActionMemory, Pause, Plan, Step } from '../src/model/plan.ts';
import type { RunResult } from '../src/model/run.ts';
import {
  DAY,
  exampleAction,
  exampleCommit,
  exampleInput,
  exampleRepo,
  HOUR,
  NOW,
} from '../src/plan/example-values.ts';
import { planLook } from '../src/plan/look.ts';

type End =
  | 'ok'
  | 'failed'
  | 'again'
  | 'human'
  | 'timed-out'
  | 'killed'
  | 'reboot'
  | 'never-began'
  | 'superseded'
  | 'refused';
const ENDS: readonly End[] = [
  'ok',
  'failed',
  'again',
  'human',
  'timed-out',
  'killed',
  'reboot',
  'never-began',
  'superseded',
  'refused',
];

function resultOf(id: RunId, end: End, endedAt: number): RunResult {
  const base = { id, exitCode: null, signal: null, note: null, endedAt };
  switch (end) {
    case 'ok':
      return { ...base, outcome: 'ok', exitCode: 0 };
    case 'failed':
      return { ...base, outcome: 'failed', exitCode: 1 };
    case 'again':
      return { ...base, outcome: 'failed', exitCode: 75 };
    case 'human':
      return { ...base, outcome: 'failed', exitCode: 78 };
    case 'timed-out':
    case 'superseded':
    case 'refused':
      return { ...base, outcome: end };
    default:
      return { ...base, outcome: 'interrupted', interruption: end };
  }
}

/** A host with a journal in memory, whose scripts end as the test says. */
class ExampleHost {
  state: JournalState = emptyState();
  now = NOW;
  boot = 1;
  commits = 1;
  content = 'a';
  part = 'app';
  pause: Pause | null = null;
  actions: readonly Action[];
  /** Commits that touched the paths of every action, oldest first. */
  touching = [exampleCommit(1)];
  starts: Step[] = [];

  constructor(actions: readonly Action[]) {
    this.actions = actions;
    for (const { repo, name } of actions) this.fold({ type: 'seen', repo, action: name, at: NOW });
  }

  fold(record: Parameters<typeof foldRecord>[1]): void {
    this.state = foldRecord(this.state, record);
  }

  memory(action: Action): ActionMemory | undefined {
    return this.state.memory.get(actionKey(action.repo, action.name));
  }

  plan(now = this.now): Plan {
    const histories = Object.fromEntries(
      this.actions.map((action) => [
        action.name,
        this.after(this.memory(action)?.lastSuccess?.intent.commit),
      ]),
    );
    const repo = exampleRepo({
      actions: this.actions,
      target: exampleCommit(this.commits),
      content: this.content,
      histories,
    });
    const input = exampleInput({
      repos: [repo],
      now,
      bootId: `boot-${this.boot}`,
      bootedAt: NOW - DAY,
      pause: this.pause,
      labels: { part: this.part },
    });
    return planLook({ ...input, memory: this.state.memory });
  }

  private after(commit: string | undefined) {
    if (commit === undefined) return [];
    const known = Number.parseInt(commit, 16);
    return this.touching.filter((one) => Number.parseInt(one, 16) > known);
  }

  push(content: string): void {
    this.commits += 1;
    if (content !== this.content) this.touching.push(exampleCommit(this.commits));
    this.content = content;
  }

  /** Carries out one step, as the agent would. */
  run(step: Step, end: End): void {
    const id = `run-${this.starts.length}` as RunId;
    const { repo, action, purpose, commit, fingerprint, parts, reason, attempt, undo } = step;
    if (end !== 'never-began') this.starts.push(step);
    this.fold({
      type: 'started',
      intent: {
        ...{ id, repo, action, purpose, commit, fingerprint, parts, attempt, undo },
        reason: reason as never,
        kind: step.definition?.kind ?? 'idempotent',
        timeoutMs: 1000,
        bootId: `boot-${this.boot}`,
        startedAt: this.now,
      },
    });
    this.now += 1000;
    if (end === 'reboot') this.boot += 1;
    this.fold({ type: 'finished', result: resultOf(id, end, this.now) });
  }
}

function* sequences(length: number): Generator<End[]> {
  if (length === 0) return yield [];
  for (const rest of sequences(length - 1)) for (const end of ENDS) yield [...rest, end];
}

const ATTEMPTS = 3;

/** What SAFETY.md 3.4 promises about one more start, after these ends of runs on one fingerprint and one commit. */
function promise(kind: ActionKind, ends: readonly End[]): 'done' | 'never' | 'at once' | 'later' {
  const begun = ends.filter((end) => end !== 'never-began');
  const last = begun.at(-1);
  if (last === undefined) return 'at once';
  if (last === 'ok') return 'done';
  if (kind === 'once') return 'never';
  if (ends.at(-1) === 'never-began') return 'at once';
  if (last === 'human') return 'never';
  if (last === 'superseded') return 'at once';
  if (last === 'reboot')
    return trailing(ends, ['reboot', 'never-began'], 'reboot') >= 3 ? 'never' : 'at once';
  if (last === 'killed') {
    const cannotStart = trailing(ends, ['reboot'], 'reboot');
    return cannotStart === 0 && begun.length === 1 ? 'at once' : 'later';
  }
  return 'later';
}

function trailing(ends: readonly End[], among: readonly End[], counted: End): number {
  let count = 0;
  for (const end of [...ends].reverse()) {
    if (!among.includes(end)) break;
    if (end === counted) count += 1;
  }
  return count;
}

test.each(['idempotent', 'check', 'once'] as const)(
  'every history of four runs keeps the promise of kind %s',
  (kind) => {
    const action = exampleAction({ kind, retry: { delayMs: 60_000, delayMaxMs: HOUR, attempts: ATTEMPTS } });
    for (let length = 0; length <= 4; length++) {
      for (const ends of sequences(length)) check(action, ends);
    }
  },
);

function check(action: Action, ends: readonly End[]): void {
  const host = new ExampleHost([action]);
  const past: End[] = [];
  for (const end of [...ends, null]) {
    const plan = host.plan();
    const [step] = plan.steps;
    if (!step) throw new Error('expected a step');
    const history = past.join(', ');
    const promised = promise(action.kind, past);
    if (promised === 'done') expect([step.reason, plan.nextDueAt], history).toEqual(['current', null]);
    if (promised === 'never') {
      const reason =
        action.kind === 'once' && ['killed', 'reboot', 'superseded'].includes(past.at(-1) ?? '')
          ? 'unknown'
          : 'parked';
      // A run that never began says nothing about the one before it.
      if (past.at(-1) !== 'never-began')
        expect([step.reason, plan.nextDueAt], history).toEqual([reason, null]);
      else expect(step.due, history).toBe(false);
    }
    if (promised === 'at once') expect(step.due, history).toBe(true);
    if (promised === 'later') {
      expect(step.due, history).toBe(false);
      const failures = past.filter((one) => ['failed', 'timed-out', 'refused', 'human'].includes(one)).length;
      const killed = past.at(-1) === 'killed';
      expect(step.reason, history).toBe(!killed && failures >= ATTEMPTS ? 'parked' : 'backing-off');
      const wait = (plan.nextDueAt ?? 0) - host.now;
      expect(wait, history).toBeGreaterThanOrEqual(48_000);
      expect(wait, history).toBeLessThanOrEqual(step.reason === 'parked' ? DAY : HOUR);
      host.now = plan.nextDueAt ?? 0;
    }
    if (end === null || promised === 'done' || promised === 'never') return;
    const due = host.plan().steps[0];
    expect(due?.due, history).toBe(true);
    if (due) host.run(due, end);
    past.push(end);
  }
}
