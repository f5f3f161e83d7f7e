import { expect, test } from 'vitest';
import type { RunId } from '../model/ids.ts';
import type { RunResult } from '../model/run.ts';
import { noteOf, planLimits, refusalOf } from './keep-limits.ts';
import { decideRunLimits, NO_LIMITS, withLimitsHit } from './run-limits.ts';

const machine = { memoryBytes: 1000, processes: 200 };
const standard = { memory: '90%', processes: '15%', files: null } as const;
const GROUPS = { memory: true, processes: true, prlimit: '/usr/bin/prlimit', isRoot: true, filesMax: null };
const NO_GROUPS = { ...GROUPS, memory: false, processes: false };

test('the action wins over the host, the host over the default, and none ends the search', () => {
  expect(decideRunLimits({ default: standard }, machine)).toEqual({
    memory: { value: 900, askedBy: 'default' },
    processes: { value: 30, askedBy: 'default' },
    files: null,
  });
  expect(
    decideRunLimits(
      {
        action: { memory: 64, processes: null },
        host: { memory: '50%', processes: 7, files: 100 },
        default: standard,
      },
      machine,
    ),
  ).toEqual({
    memory: { value: 64, askedBy: 'action' },
    processes: null,
    files: { value: 100, askedBy: 'host' },
  });
});

test('without control groups the defaults are left out in silence, the limits of the host with a note, those of an action refuse the run', () => {
  const asked = (from: 'action' | 'host') =>
    decideRunLimits({ [from]: { memory: 64, processes: 5 }, default: standard }, machine);
  const plain = decideRunLimits({ default: standard }, machine);
  const { notKept } = planLimits(plain, NO_GROUPS);
  expect(notKept).toEqual(['memory', 'processes']);
  expect([noteOf(plain, notKept), refusalOf(plain, notKept)]).toEqual([null, null]);
  expect([noteOf(asked('host'), notKept), refusalOf(asked('host'), notKept)]).toEqual([
    'without the limits of memory and processes of host.yaml: no control groups that the agent can use',
    null,
  ]);
  expect(refusalOf(asked('action'), notKept)).toBe(
    'its limits of memory and processes cannot be kept here: no control groups that the agent can use; `none` in its limits would run it without',
  );
});

test('open files, and the processes of a user that is not root, need no control groups', () => {
  const limits = decideRunLimits({ action: { processes: 50, files: 4096 }, default: standard }, machine);
  expect(planLimits(limits, { ...NO_GROUPS, isRoot: false, filesMax: 1024 })).toEqual({
    memory: null,
    processes: null,
    rlimits: ['--nproc=50:50', '--nofile=1024:1024'],
    notKept: ['memory'],
  });
  expect(planLimits(limits, GROUPS)).toMatchObject({
    processes: 50,
    rlimits: ['--nofile=4096:4096'],
    notKept: [],
  });
  expect(planLimits(limits, { ...GROUPS, prlimit: null }).notKept).toEqual(['files']);
});

const result: RunResult = {
  id: 'r' as RunId,
  outcome: 'failed',
  exitCode: null,
  signal: 'SIGKILL',
  endedAt: 1,
  note: 'ended by SIGKILL',
};

test('the note names the limits that a run met', () => {
  const note = (outOfMemory: number, outOfProcesses: number, of: RunResult) =>
    withLimitsHit(of, { outOfMemory, outOfProcesses }, { ...NO_LIMITS, memory: 64 * 2 ** 20, processes: 50 })
      .note;
  expect(note(0, 0, result)).toBe('ended by SIGKILL');
  expect(note(1, 0, result)).toBe('killed by its memory limit of 64 MiB');
  expect(note(1, 0, { ...result, outcome: 'interrupted', interruption: 'killed', note: 'x' })).toBe(
    'killed by its memory limit of 64 MiB',
  );
  expect(note(2, 3, { ...result, signal: null, exitCode: 1, note: null })).toBe(
    'some of its processes were killed by its memory limit of 64 MiB; could start no more processes, by its limit of 50 processes',
  );
  expect(note(0, 3, { ...result, outcome: 'timed-out', note: 'not done after 1 s' })).toBe(
    'not done after 1 s; could start no more processes, by its limit of 50 processes',
  );
});
