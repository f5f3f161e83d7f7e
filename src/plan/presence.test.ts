import { expect, test } from 'vitest';
import type { Action, PresenceTrigger } from '../model/action.ts';
import type { ActionMemory, Plan, RosterView } from '../model/plan.ts';
import type { RosterPart } from '../model/run.ts';
import {
  exampleAction,
  exampleCommit,
  exampleInput,
  exampleMember,
  exampleRepo,
  failing,
  HOUR,
  NOW,
  succeeded,
} from './example-values.ts';
import { explainAction } from './explain.ts';
import { fingerprintOf } from './fingerprint.ts';
import { contentGlobs } from './globs.ts';
import { planLook } from './look.ts';
import { presenceKey, relevantRoster } from './relevant-roster.ts';

const apps: PresenceTrigger = { type: 'presence', of: { part: 'app' }, settleMs: 10_000, facts: [] };
const both = exampleAction({ name: 'lb', on: [{ type: 'change' }, apps] });
const only = exampleAction({ name: 'lb', on: [apps] });

function of(...names: readonly string[]): RosterPart {
  return relevantRoster(
    apps,
    names.map((name) => exampleMember(name)),
    null,
  ).part;
}

function view(settled: RosterPart, more: { pending?: RosterPart; wakeAt?: number } = {}): RosterView {
  const { pending = null, wakeAt = null } = more;
  return { isConfigured: true, triggers: new Map([[presenceKey(apps), { settled, pending, wakeAt }]]) };
}

const UNREAD: RosterView = { isConfigured: true, triggers: new Map() };
const NO_STATUS: RosterView = { isConfigured: false, triggers: new Map() };

function plan(
  action: Action,
  roster: RosterView | null,
  memory: ActionMemory | null = null,
  content = 'content',
): Plan {
  const repos = [exampleRepo({ actions: [action], content })];
  return planLook(exampleInput({ repos, roster, memory: memory ? [memory] : [] }));
}

function says(...question: Parameters<typeof plan>): string {
  return plan(...question)
    .steps.map(({ sentence }) => sentence)
    .join('\n');
}

test('an action without a presence trigger has the fingerprint that it always had', () => {
  const shop = exampleAction();
  const contents = new Map(contentGlobs(shop).map((glob) => [glob, 'content']));
  expect(fingerprintOf(shop, {}, contents)).toEqual({
    fingerprint: '8e2b9c83466b99af3cc599eeffd9905a',
    parts: {
      content: 'ccdca8e48fc535bf61a6a145227c0e56',
      definition: '10ed1b70ba5363398d1fd2bbca955512',
      labels: '4f53cda18c2baa0c0354bb5f9a3ecbe5',
    },
  });
  const step = plan(shop, view(of('web-1'))).steps[0]!;
  expect(Object.keys(step.parts)).toEqual(['content', 'definition', 'labels']);
});

test('it is due the first time, also with a presence trigger alone, as soon as the roster was read', () => {
  for (const action of [both, only]) {
    expect(says(action, view(of('web-1')))).toBe('lb: runs for the first time on this host.');
    expect(plan(action, view(of())).steps[0]).toMatchObject({ due: true, reason: 'first' });
  }
});

test('not to have read the roster is not to know that nobody lives', () => {
  for (const roster of [null, UNREAD]) {
    expect(says(only, roster)).toBe('lb: waits until the roster has been read.');
    expect(plan(both, roster).steps[0]).toMatchObject({ due: false, reason: 'waiting', notBefore: null });
    const rest = plan(only, roster, succeeded(only, { roster: of('web-1', 'web-2') }));
    expect(rest.steps[0]).toMatchObject({
      reason: 'current',
      sentence:
        'lb: rests, no change among the 2 live hosts with part=app since its last success at 1000000.',
    });
  }
});

test('a new commit runs also while the roster is not read, with the roster of the last run', () => {
  const memory = succeeded(both, { roster: of('web-1') });
  const step = plan(both, UNREAD, memory, 'new').steps[0]!;
  expect(step).toMatchObject({ due: true, reason: 'changed', parts: { roster: of('web-1') } });
});

test('without status in host.yaml it says what is missing', () => {
  expect(says(only, NO_STATUS)).toBe(
    'lb: waits for the live hosts with part=app, but this host finds no others: expected status in host.yaml, found none.',
  );
  expect(says(only, NO_STATUS, succeeded(only, { roster: of('web-1') }))).toBe(
    'lb: rests, no change among the one live host with part=app since its last success at 1000000; changes among the live hosts with part=app are not seen: expected status in host.yaml, found none.',
  );
});

test('nothing is due while nobody joins, leaves or changes', () => {
  const roster = of('web-1', 'web-2', 'web-3');
  expect(says(only, view(roster), succeeded(only, { roster }))).toBe(
    'lb: rests, no change among the 3 live hosts with part=app since its last success at 1000000.',
  );
  expect(says(both, view(roster), succeeded(both, { roster }))).toBe(
    'lb: rests, nothing that it depends on changed since its last success at 1000000, and no change among the 3 live hosts with part=app.',
  );
});

test('it runs when the live hosts changed, and says who joined and who left', () => {
  const memory = succeeded(only, { roster: of('web-1', 'web-2') });
  const step = plan(only, view(of('web-2', 'web-3')), memory).steps[0]!;
  expect(step).toMatchObject({ due: true, reason: 'presence', attempt: 1 });
  expect(step.sentence).toBe(
    'lb: runs, the live hosts with part=app changed since its last success (joined web-3, left web-1).',
  );
  const moved = relevantRoster(
    apps,
    [exampleMember('web-1', { addresses: ['10.0.0.9'] }), exampleMember('web-2')],
    null,
  ).part;
  expect(says(only, view(moved), memory)).toContain('(changed web-1)');
  const many = Array.from({ length: 9 }, (_, n) => `web-${n}`);
  expect(says(only, view(of(...many)), memory)).toContain(
    '(joined web-0, web-3, web-4, web-5, web-6 and 2 more)',
  );
  expect(says(only, view({ ...of(...many), members: null }), memory)).toContain('(9 now, 2 before)');
  expect(says(only, view(of()), memory)).toContain('(left web-1 and web-2)');
});

test('names of hosts are shown so that they do no harm', () => {
  const memory = succeeded(only, { roster: of('web-1') });
  expect(says(only, view(of('web-1', 'x\u001b[2J')), memory)).toContain('(joined x\\x1b[2J)');
});

test('other content is told first, and the hosts beside it', () => {
  const memory = succeeded(both, { roster: of('web-1') });
  expect(says(both, view(of('web-2')), memory, 'new')).toBe(
    'lb: runs, its content and the live hosts that it names differ from those of its last success (1000000).',
  );
  expect(plan(only, view(of('web-1')), succeeded(only, { roster: of('web-1') }), 'new').steps[0]?.due).toBe(
    false,
  );
});

test('a trigger that is added runs it once; one that is taken away runs nothing', () => {
  const plain = { ...both, on: [{ type: 'change' } as const] };
  expect(says(both, view(of('web-1')), succeeded(plain))).toBe(
    'lb: runs, it depends on the one live host with part=app now.',
  );
  expect(plan(both, UNREAD, succeeded(plain)).steps[0]?.reason).toBe('current');
  expect(plan(plain, view(of()), succeeded(both, { roster: of('web-1') })).steps[0]?.reason).toBe('current');
});

test('another settle alone runs nothing', () => {
  const roster = of('web-1');
  const slow: PresenceTrigger = { ...apps, settleMs: 60_000 };
  const other = { ...only, on: [slow] };
  const slowView: RosterView = {
    isConfigured: true,
    triggers: new Map([[presenceKey(slow), { settled: roster, pending: null, wakeAt: null }]]),
  };
  expect(plan(other, slowView, succeeded(only, { roster })).steps[0]?.reason).toBe('current');
});

test('a change that has not lasted yet is told, and wakes the look', () => {
  const roster = of('web-1');
  const waits = view(roster, { pending: of('web-1', 'web-2'), wakeAt: NOW + 5000 });
  const rest = plan(only, waits, succeeded(only, { roster }));
  expect(rest.nextDueAt).toBe(NOW + 5000);
  expect(rest.steps[0]?.sentence).toBe(
    'lb: rests, no change among the one live host with part=app since its last success at 1000000; they changed (joined web-2), which counts from 2026-11-25T11:00:05Z on if it lasts.',
  );
  // Its time has passed, and nobody has read the roster since: no reason to look at once, again and again.
  const late = view(roster, { pending: of(), wakeAt: NOW });
  expect(plan(only, late, succeeded(only, { roster })).nextDueAt).toBeNull();
});

test('also an action that waits after a failure is looked at when its hosts will have changed', () => {
  const roster = of('web-1');
  const failed = failing(only, { roster, endedAt: NOW - 1000, attempts: 3, failures: 3 });
  const waits = view(roster, { pending: of('web-1', 'web-2'), wakeAt: NOW + 5000 });
  expect(plan(only, waits, failed).nextDueAt).toBe(NOW + 5000);
  // Another roster is other work: tried at once, as a new commit is.
  expect(plan(only, view(of('web-1', 'web-2')), failed).steps[0]).toMatchObject({ due: true, attempt: 1 });
});

test('a failure is tried again with the same hosts while the roster is not read', () => {
  const failed = failing(only, { roster: of('web-1'), endedAt: NOW - HOUR });
  expect(plan(only, UNREAD, failed).steps[0]).toMatchObject({ due: true, reason: 'retry', attempt: 2 });
});

test('two triggers are one condition', () => {
  const dbs: PresenceTrigger = { ...apps, of: { part: 'db' } };
  const action = exampleAction({ name: 'lb', on: [apps, dbs] });
  const one = { settled: of('web-1'), pending: null, wakeAt: null };
  const half: RosterView = { isConfigured: true, triggers: new Map([[presenceKey(apps), one]]) };
  expect(says(action, half)).toBe('lb: waits until the roster has been read.');
  const whole: RosterView = {
    isConfigured: true,
    triggers: new Map([
      [presenceKey(apps), one],
      [presenceKey(dbs), { ...one, settled: of('db-1') }],
    ]),
  };
  const { parts } = plan(action, whole).steps[0]!;
  expect(parts.roster?.members?.map(([name]) => name)).toEqual(['db-1', 'web-1']);
  expect(says(action, whole, succeeded(action, { roster: parts.roster! }))).toContain(
    'the 2 live hosts with part=app or part=db',
  );
});

test('each commit to catch up with is run once, whatever the hosts do meanwhile', () => {
  const action = exampleAction({ name: 'lb', on: [{ type: 'change' }, apps], catchUp: 'each' });
  const memory = succeeded(action, { roster: of('web-1') });
  const repos = [
    exampleRepo({
      actions: [action],
      histories: { lb: [exampleCommit(2), exampleCommit(3)] },
      target: exampleCommit(3),
    }),
  ];
  const input = exampleInput({ repos, roster: view(of('web-2')), memory: [memory] });
  // The commits took back what they did: only the hosts are others.
  expect(planLook(input).steps).toMatchObject([{ due: true, reason: 'presence', commit: exampleCommit(3) }]);
});

test('why: the live hosts are told, before and now', () => {
  const memory = succeeded(only, { roster: of('web-1') });
  const lines = (roster: RosterView | null, known: ActionMemory | null = memory) =>
    explainAction(plan(only, roster, known).steps, known, NOW);
  expect(lines(view(of('web-1', 'web-2')))).toContainEqual(
    expect.stringMatching(/^live hosts: [0-9a-f]{7} \(web-1, web-2\), was [0-9a-f]{7} \(web-1\)$/),
  );
  expect(lines(view(of('web-1')))).toContainEqual(
    expect.stringMatching(/^live hosts: [0-9a-f]{7} \(web-1\), the same$/),
  );
  expect(lines(UNREAD, null)).toContain('live hosts: not read yet');
  expect(lines(UNREAD, null)).toContain('next: when the roster has been read');
});
