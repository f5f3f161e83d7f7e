/** The planner over what the journal really folds: small histories exhaustively, larger ones at random. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { emptyState, foldRecord, type JournalState } from '../src/journal/fold.ts';
import { type Action, type ActionKind, actionKey } from '../src/model/action.ts';
import type { CommitId, RunId } from '../src/model/ids.ts';
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

function numberOf(commit: CommitId): number {
  return Number.parseInt(commit.slice(-8), 16);
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

  /** Memories and runs are never changed, only the maps that hold them. */
  copy(): ExampleHost {
    const copy = Object.assign(new ExampleHost([]), this, { starts: [...this.starts] });
    const { runs, open, memory } = this.state;
    copy.state = { ...this.state, runs: new Map(runs), open: new Map(open), memory: new Map(memory) };
    return copy;
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
      roster: null,
      labels: { part: this.part },
    });
    return planLook({ ...input, memory: this.state.memory });
  }

  private after(commit: CommitId | undefined) {
    if (commit === undefined) return [];
    return this.touching.filter((one) => numberOf(one) > numberOf(commit));
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
  'every history of up to four runs keeps the promise of kind %s',
  (kind) => {
    const retry = { delayMs: 60_000, delayMaxMs: HOUR, attempts: ATTEMPTS };
    const histories = explore(new ExampleHost([exampleAction({ kind, retry })]), []);
    expect(histories).toBeGreaterThan(kind === 'once' ? 30 : 1000);
  },
);

/** Every way to go on from here, depth first. @returns how many histories were looked at. */
function explore(host: ExampleHost, past: readonly End[]): number {
  const goesOn = checkPromise(host, past);
  if (!goesOn || past.length === 4) return 1;
  let count = 1;
  for (const end of ENDS) {
    const next = host.copy();
    const [step] = next.plan().steps;
    expect(step?.due, past.join()).toBe(true);
    if (step) next.run(step, end);
    count += explore(next, [...past, end]);
  }
  return count;
}

/** Leaves the host at the moment at which the next run is due. @returns whether there is one. */
function checkPromise(host: ExampleHost, past: readonly End[]): boolean {
  const { steps, nextDueAt } = host.plan();
  const [step] = steps;
  if (!step) throw new Error('expected a step');
  const kind = step.definition?.kind ?? 'idempotent';
  const promised = promise(kind, past);
  const found = [past.join(), step.due, step.reason, nextDueAt];
  switch (promised) {
    case 'done':
      expect(found).toEqual([past.join(), false, 'current', null]);
      return false;
    case 'never': {
      const nobodyKnows = ['killed', 'reboot', 'superseded'].includes(past.at(-1) ?? '');
      expect(found).toEqual([
        past.join(),
        false,
        kind === 'once' && nobodyKnows ? 'unknown' : 'parked',
        null,
      ]);
      return false;
    }
    case 'at once':
      expect(found.slice(0, 2)).toEqual([past.join(), true]);
      return true;
    case 'later': {
      const parks =
        past.at(-1) !== 'killed' && past.filter((end) => COUNTED.includes(end)).length >= ATTEMPTS;
      expect(found).toEqual([past.join(), false, parks ? 'parked' : 'backing-off', nextDueAt]);
      const wait = (nextDueAt ?? 0) - host.now;
      expect(wait).toBeGreaterThanOrEqual(parks ? DAY : 48_000);
      expect(wait).toBeLessThanOrEqual(parks ? DAY : HOUR);
      host.now += wait;
      return true;
    }
  }
}

const COUNTED: readonly End[] = ['failed', 'timed-out', 'refused', 'human'];

type Event =
  | { readonly type: 'look'; readonly ends: readonly End[] }
  | { readonly type: 'push'; readonly content: string }
  | { readonly type: 'wait'; readonly ms: number }
  | { readonly type: 'boot' | 'resume' }
  | { readonly type: 'pause' }
  | { readonly type: 'move'; readonly part: string }
  | { readonly type: 'gone'; readonly count: number }
  | { readonly type: 'redo'; readonly action: string };

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    type: fc.constant('look' as const),
    ends: fc.array(fc.constantFrom(...ENDS), { minLength: 8, maxLength: 8 }),
  }),
  fc.record({ type: fc.constant('look' as const), ends: fc.constant([]) }),
  fc.record({ type: fc.constant('push' as const), content: fc.constantFrom('a', 'b', 'c') }),
  fc.record({ type: fc.constant('wait' as const), ms: fc.oneof(fc.nat(HOUR), fc.nat(3 * DAY)) }),
  fc.record({ type: fc.constantFrom('boot' as const, 'pause' as const, 'resume' as const) }),
  fc.record({ type: fc.constant('move' as const), part: fc.constantFrom('app', 'db') }),
  fc.record({ type: fc.constant('gone' as const), count: fc.nat(6) }),
);
const redo: fc.Arbitrary<Event> = fc.record({
  type: fc.constant('redo' as const),
  action: fc.constantFrom('shop', 'db', 'migrate', 'disk'),
});

/** One of each sort. Names and reasons are as hostile as they can get through the configuration. */
const EVERYTHING: readonly Action[] = [
  exampleAction({ after: ['db', 'init\u001b[2J'], undo: ['undo.sh'] }),
  exampleAction({ name: 'db', catchUp: 'each' }),
  exampleAction({
    name: 'migrate',
    catchUp: 'each',
    kind: 'once',
    hosts: { part: ['app', 'x\n\u202e'] },
    undo: ['u'],
  }),
  exampleAction({
    name: 'unmigrate',
    kind: 'once',
    hosts: { part: 'app' },
    on: [{ type: 'change' }, { type: 'boot' }],
  }),
  exampleAction({
    name: 'backup',
    on: [{ type: 'schedule', cron: '17 3 * * *', tz: 'Europe/Berlin' }],
    kind: 'check',
  }),
  exampleAction({ name: 'init\u001b[2J', on: [{ type: 'bootstrap' }] }),
];
const LOOK = exampleAction({ name: 'disk', on: [{ type: 'look' }, { type: 'change' }], after: ['backup'] });

function happen(host: ExampleHost, one: Event): void {
  switch (one.type) {
    case 'look':
      look(host, one.ends);
      return;
    case 'push':
      host.push(one.content);
      return;
    case 'wait':
      host.now += one.ms;
      return;
    case 'boot':
      host.boot += 1;
      return;
    case 'pause':
      host.pause = { reason: 'a\u0007b', since: host.now, until: host.now + HOUR };
      return;
    case 'resume':
      host.pause = null;
      return;
    case 'move':
      host.part = one.part;
      return;
    case 'gone':
      host.actions = EVERYTHING.slice(0, one.count);
      return;
    case 'redo':
      host.fold({ type: 'redo', repo: 'it', action: one.action });
  }
}

/** One pass: what is due in its order; after a bad end neither the same action nor one that comes after it. */
function look(host: ExampleHost, ends: readonly End[] = []): void {
  const bad = new Set<string>();
  let count = 0;
  for (const step of host.plan().steps) {
    const held = bad.has(step.action) || step.definition?.after.some((name) => bad.has(name));
    if (!step.due || (held && step.purpose === 'work')) continue;
    const end = ends[count++] ?? 'ok';
    host.run(step, end);
    if (end !== 'ok') bad.add(step.action);
  }
}

const histories = fc.array(event, { maxLength: 25 });
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/;

test('over random histories a plan is the same twice, can be slept on, and is good to print', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(event, redo), { maxLength: 25 }), (events) => {
      const host = new ExampleHost([...EVERYTHING, LOOK]);
      for (const one of events) {
        happen(host, one);
        const plan = host.plan();
        expect(host.plan()).toEqual(plan);
        for (const step of plan.steps) {
          expect(step.sentence).not.toMatch(UNPRINTABLE);
          expect(step.sentence).toMatch(/^[^ ].*: .*[^.]\.$/);
        }
        checkSleep(host, plan);
      }
    }),
    { numRuns: 150 },
  );
});

/** Nothing is due before the time that the plan names; then something is. */
function checkSleep(host: ExampleHost, { steps, nextDueAt }: Plan): void {
  if (steps.some((step) => step.due)) {
    expect(nextDueAt).toBe(host.now);
    return;
  }
  if (nextDueAt === null) {
    expect(host.plan(host.now + 400 * DAY).steps.filter((step) => step.due)).toEqual([]);
    return;
  }
  expect(nextDueAt).toBeGreaterThan(host.now);
  expect(host.plan(nextDueAt - 1).steps.filter((step) => step.due)).toEqual([]);
  expect(host.plan(nextDueAt).steps.some((step) => step.due || step.reason === 'waiting')).toBe(true);
}

test('a once action is never started twice for one fingerprint, over any history without a redo', () => {
  fc.assert(
    fc.property(histories, (events) => {
      const host = new ExampleHost(EVERYTHING);
      for (const one of events) happen(host, one);
      const starts = host.starts
        .filter((step) => step.definition?.kind === 'once' && step.purpose === 'work')
        .map((step) => `${step.action} ${step.fingerprint}`);
      expect(starts).toEqual([...new Set(starts)]);
    }),
    { numRuns: 200 },
  );
});

test('after any history, looks in which everything succeeds come to rest', () => {
  fc.assert(
    fc.property(histories, (events) => {
      const host = new ExampleHost(EVERYTHING);
      for (const one of events) happen(host, one);
      host.pause = null;
      // Enough for what is parked: its slow retry is a day away.
      for (let i = 0; i < 3; i++) {
        host.now += 2 * DAY;
        look(host);
      }
      look(host);
      const reasons = host.plan().steps.map((step) => step.reason);
      for (const reason of reasons) {
        expect(reason).toBeOneOf(['current', 'not-selected', 'not-yet', 'parked', 'unknown', 'waiting']);
      }
      // Only what needs a human may hold anything back.
      if (!host.starts.some((step) => step.definition?.kind === 'once')) {
        const human = reasons.filter((reason) => reason === 'parked' || reason === 'unknown');
        if (human.length === 0) expect(reasons).not.toContain('waiting');
      }
    }),
    { numRuns: 150 },
  );
});

test('whatever is planned, an action comes after those that it names', () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  fc.assert(
    fc.property(fc.array(fc.subarray(names), { minLength: 5, maxLength: 5 }), (afters) => {
      const actions = names.map((name, i) =>
        exampleAction({ name, after: (afters[i] ?? []).filter((other) => other > name) }),
      );
      const order = new ExampleHost(actions).plan().steps.map((step) => step.action);
      for (const action of actions) {
        for (const name of action.after) expect(order.indexOf(name)).toBeLessThan(order.indexOf(action.name));
      }
    }),
  );
});
