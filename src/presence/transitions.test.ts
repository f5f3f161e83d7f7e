import { expect, test } from 'vitest';
import { commitId, type HostId, type RunId } from '../model/ids.ts';
import type { PresenceAction, PresenceRepo } from '../model/presence.ts';
import type { RunIntent, RunResult } from '../model/run.ts';
import {
  decideHappenings,
  type EndedRun,
  isSameContent,
  isSameMachine,
  type PresenceContent,
  SUBJECT_MAX,
} from './transitions.ts';

const COMMIT = commitId('3f2a91c'.padEnd(40, '0'));

function content(change: Partial<PresenceContent> = {}): PresenceContent {
  return {
    version: 1,
    host: 'web-1',
    id: 'a'.repeat(26) as HostId,
    labels: { part: 'app' },
    addresses: ['10.0.0.1'],
    state: 'working',
    reason: null,
    repos: [repo()],
    actions: [],
    actionsOmitted: 0,
    agent: '1.0.0',
    git: '2.39',
    bootId: 'boot',
    intervalMs: 1_000,
    heartbeatMs: 300_000,
    freeBytes: 1,
    facts: {},
    ...change,
  };
}

function repo(change: Partial<PresenceRepo> = {}): PresenceRepo {
  return { name: 'it', wanted: COMMIT, applied: COMMIT, trouble: null, ...change };
}

function ended(intent: Partial<RunIntent>, result: Partial<RunResult>): EndedRun {
  const id = 'run' as RunId;
  return {
    intent: {
      id,
      repo: 'it',
      action: 'shop',
      purpose: 'work',
      commit: COMMIT,
      fingerprint: 'f',
      parts: { content: '', definition: '', labels: '' },
      reason: 'changed',
      attempt: 1,
      kind: 'idempotent',
      timeoutMs: 1,
      bootId: 'boot',
      startedAt: 1_000,
      undo: null,
      ...intent,
    },
    result: { id, outcome: 'ok', exitCode: 0, signal: null, endedAt: 4_200, note: null, ...result },
  };
}

function action(change: Partial<PresenceAction>): PresenceAction {
  return {
    repo: 'it',
    name: 'shop',
    outcome: 'ok',
    commit: COMMIT,
    exitCode: 0,
    attempt: 1,
    endedAt: 1,
    parked: false,
    ...change,
  };
}

const subjects = (
  before: PresenceContent | null,
  now: PresenceContent,
  runs: readonly EndedRun[] = [],
): string[] => decideHappenings(before, now, runs).map(({ subject }) => subject);

test('the first presence says that the host is here', () => {
  expect(subjects(null, content())).toEqual(['here, with pullyu 1.0.0']);
});

test('nothing happened, nothing is said', () => {
  expect(subjects(content(), content())).toEqual([]);
});

test('a run that ended says what, how, where and for how long', () => {
  expect(subjects(content(), content(), [ended({}, {})])).toEqual(['shop ok at 3f2a91c in 3.2 s']);
  const failed = ended({ attempt: 2 }, { outcome: 'failed', exitCode: 7, endedAt: 601_000 });
  expect(subjects(content(), content(), [failed])).toEqual([
    'shop failed (exit code 7) at 3f2a91c in 10 min, attempt 2',
  ]);
  expect(decideHappenings(content(), content(), [failed])[0]?.failed).toBe(failed);
});

test('with several repos an action is named with its repo', () => {
  const two = content({ repos: [repo(), repo({ name: 'db' })] });
  expect(subjects(two, two, [ended({}, {})])).toEqual(['it/shop ok at 3f2a91c in 3.2 s']);
});

test('what runs at every look is told only when its outcome changes', () => {
  const look = (outcome: RunResult['outcome']) => ended({ reason: 'look' }, { outcome, exitCode: 1 });
  expect(subjects(content(), content(), [look('ok'), look('ok')])).toEqual([]);
  expect(subjects(content(), content(), [look('failed'), look('failed'), look('ok')])).toEqual([
    'shop failed (exit code 1) at 3f2a91c in 3.2 s',
    'shop ok at 3f2a91c in 3.2 s',
  ]);
  const failing = content({ actions: [action({ outcome: 'failed' })] });
  expect(subjects(failing, failing, [look('failed')])).toEqual([]);
  expect(subjects(failing, content(), [look('ok')])).toEqual(['shop ok at 3f2a91c in 3.2 s']);
});

test('a trouble is told when it begins, when it becomes another one, and when it ends', () => {
  const silent = { code: 'silent', message: 'no answer', since: 1 } as const;
  const dns = { code: 'dns', message: 'no such name', since: 2 } as const;
  const well = content();
  const one = content({ repos: [repo({ trouble: silent })] });
  const other = content({ repos: [repo({ trouble: dns })] });
  expect(subjects(well, one)).toEqual(['it: silent: no answer']);
  expect(subjects(one, other)).toEqual(['it: over: silent', 'it: dns: no such name']);
  expect(subjects(other, well)).toEqual(['it: over: dns']);
  expect(subjects(other, content({ repos: [] }))).toEqual(['it: over: dns']);
});

test('entering a state and leaving it are told, the end of a run is told by the run', () => {
  const wedged = content({ state: 'wedged', reason: 'shop is parked' });
  expect(subjects(content(), wedged)).toEqual(['wedged: shop is parked']);
  expect(subjects(wedged, content())).toEqual(['working again, no longer wedged']);
  expect(subjects(content({ state: 'busy' }), content())).toEqual([]);
  expect(subjects(content(), content({ state: 'busy', reason: 'with shop at 3f2a91c' }))).toEqual([
    'busy: with shop at 3f2a91c',
  ]);
});

test('another version of pullyu and a start of the machine are told', () => {
  expect(subjects(content(), content({ agent: '1.1.0', bootId: 'other' }))).toEqual([
    'pullyu 1.1.0, before 1.0.0',
    'the machine was started',
  ]);
});

test('a subject is one printable line, whatever a repository puts into it', () => {
  const hostile = { code: 'config', message: `\u001b[2J\n${'x'.repeat(500)}`, since: 1 } as const;
  const [subject = ''] = subjects(content(), content({ repos: [repo({ trouble: hostile })] }));
  expect(subject.startsWith('it: config: \\x1b[2J\\x0axxx')).toBe(true);
  expect(subject.length).toBeLessThanOrEqual(SUBJECT_MAX + 10);
});

test('free space and the endings of what runs at every look are no new content, all else is', () => {
  const before = content({ actions: [action({})] });
  expect(isSameContent(before, content({ freeBytes: 2, actions: [action({ endedAt: 9 })] }))).toBe(true);
  expect(isSameContent(before, content({ actions: [action({ outcome: 'failed' })] }))).toBe(false);
  expect(isSameContent(before, content({ addresses: ['10.0.0.2'], actions: [action({})] }))).toBe(false);
});

test('a host that was renamed, or publishes elsewhere, begins its branch there', () => {
  const before = content({ agent: '1.0.0' });
  const subjects = (now: PresenceContent, isNewPlace = false) =>
    decideHappenings(before, now, [], isNewPlace).map(({ subject }) => subject);
  expect(subjects(content({ host: 'web-2' }))).toEqual(['here, with pullyu 1.0.0, before as web-1']);
  expect(subjects(before, true)).toEqual(['here, with pullyu 1.0.0']);
  expect(subjects(before)).toEqual([]);
});

test('triggers see another machine when its labels, addresses or facts are others', () => {
  expect(isSameMachine(content(), content({ state: 'busy', bootId: 'other' }))).toBe(true);
  expect(isSameMachine(content(), content({ labels: { part: 'lb' } }))).toBe(false);
  expect(isSameMachine(content(), content({ addresses: ['10.0.0.2'] }))).toBe(false);
  expect(isSameMachine(content(), content({ facts: { port: '1' } }))).toBe(false);
});
