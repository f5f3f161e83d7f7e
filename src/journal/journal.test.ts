import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PullyuError } from '../errors.ts';
import { actionKey } from '../model/action.ts';
import { commitId, type RunId } from '../model/ids.ts';
import type { Interruption, Outcome, RunIntent, RunResult } from '../model/run.ts';
import { compactRecords, formatJournal } from './compact.ts';
import { emptyState, foldRecord, type JournalState, RUNS_IN_MEMORY } from './fold.ts';
import { type Disk, openJournal, realDisk } from './open.ts';
import { parseJournal } from './parse.ts';
import { markerOf, readJournal, viewOf } from './read.ts';
import { formatRecord, type JournalRecord, type StoredRecord } from './record.ts';

let folder: string;
let file: string;
const now = () => 1_700_000_000_000;
const open = (more: Partial<Parameters<typeof openJournal>[1]> = {}) => openJournal(file, { now, ...more });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pullyu-'));
  file = join(folder, 'journal.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const COMMIT = commitId('a'.repeat(40));
const OTHER = commitId('b'.repeat(40));

function intent(id: string, more: Partial<RunIntent> = {}): RunIntent {
  return {
    id: id as RunId,
    repo: 'it',
    action: 'shop',
    purpose: 'work',
    commit: COMMIT,
    fingerprint: 'f1',
    parts: { content: 'c', definition: 'd', labels: 'l' },
    reason: 'first',
    attempt: 1,
    kind: 'idempotent',
    timeoutMs: 1_000,
    bootId: 'boot',
    startedAt: 1_000,
    undo: null,
    ...more,
  };
}

function result(id: string, outcome: Outcome, more: Partial<RunResult> = {}): RunResult {
  return { id: id as RunId, outcome, exitCode: null, signal: null, endedAt: 2_000, note: null, ...more };
}

const started = (id: string, more: Partial<RunIntent> = {}): JournalRecord => ({
  type: 'started',
  intent: intent(id, more),
});
const finished = (id: string, outcome: Outcome, more: Partial<RunResult> = {}): JournalRecord => ({
  type: 'finished',
  result: result(id, outcome, more),
});
const fold = (records: readonly StoredRecord[]): JournalState => records.reduce(foldRecord, emptyState());
const shop = (records: readonly StoredRecord[]) => fold(records).memory.get(actionKey('it', 'shop'));

function errorOf(act: () => unknown): PullyuError {
  try {
    act();
  } catch (error) {
    if (error instanceof PullyuError) return error;
    throw error;
  }
  throw new Error('expected a PullyuError, got none');
}

test('what was appended is read back, by the writer and by anybody else', () => {
  const journal = open();
  journal.append({ type: 'seen', repo: 'it', action: 'shop', at: 5 });
  journal.append({ type: 'target', repo: 'it', commit: COMMIT, remote: 'https://git.example.com/it.git' });
  journal.append(started('r1'));
  journal.append(finished('r1', 'ok', { exitCode: 0 }));
  journal.append(started('r2', { action: 'java' }));
  journal.append({ type: 'applied', repo: 'it', commit: COMMIT });
  journal.append({ type: 'paused', reason: 'maintenance', since: 10, until: 20 });
  for (const view of [journal, readJournal(file)]) {
    expect(view.runs().map((run) => [run.intent.id, run.result?.outcome ?? null])).toEqual([
      ['r2', null],
      ['r1', 'ok'],
    ]);
    expect(view.openRuns().map((open) => open.action)).toEqual(['java']);
    expect([view.target('it'), view.target('other'), view.applied('it'), view.accepted('it')]).toEqual([
      COMMIT,
      null,
      COMMIT,
      null,
    ]);
    expect(view.pause(19)).toEqual({ reason: 'maintenance', since: 10, until: 20 });
    expect(view.pause(20)).toBeNull();
    expect(view.memory().get(actionKey('it', 'shop'))?.seenAt).toBe(5);
  }
  journal.close();
});

test('each record is one line that a person can read', () => {
  const journal = open();
  journal.append({ type: 'paused', reason: 'two\nlines \u2028 and "quotes"', since: 1, until: 2 });
  const lines = readFileSync(file, 'utf8').split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^[0-9a-f]{8} \{"type":"journal","time":"2023-11-14T22:13:20.000Z","version":1,/);
  expect(lines[1]).toMatch(/^[0-9a-f]{8} \{"type":"paused","time":".*Z","reason":"two\\nlines/);
  journal.close();
});

test('attempts and failures count what was started on one fingerprint since the last success', () => {
  const records: JournalRecord[] = [];
  const counts = (...more: JournalRecord[]) => {
    records.push(...more);
    const memory = shop(records)!;
    return [memory.attempts, memory.failures, memory.reboots];
  };
  expect(counts(started('1'))).toEqual([1, 0, 0]);
  expect(counts(finished('1', 'failed', { exitCode: 1 }))).toEqual([1, 1, 0]);
  expect(counts(started('2'), finished('2', 'failed', { exitCode: 75 }))).toEqual([2, 1, 0]);
  expect(counts(started('3'), finished('3', 'interrupted', { interruption: 'reboot' }))).toEqual([3, 1, 1]);
  expect(counts(started('4'), finished('4', 'interrupted', { interruption: 'reboot' }))).toEqual([4, 1, 2]);
  expect(counts(started('5'), finished('5', 'superseded'))).toEqual([5, 1, 0]);
  expect(counts(started('6'), finished('6', 'timed-out'))).toEqual([6, 2, 0]);
  expect(counts(started('7'), finished('7', 'refused'))).toEqual([7, 3, 0]);
  expect(counts(started('8', { fingerprint: 'f2' }))).toEqual([1, 0, 0]);
  expect(counts(finished('8', 'failed', { exitCode: 78 }))).toEqual([1, 1, 0]);
  expect(counts(started('9', { fingerprint: 'f2' }), finished('9', 'ok'))).toEqual([0, 0, 0]);
  expect(counts(started('10', { fingerprint: 'f2' }))).toEqual([1, 0, 0]);
});

test('a run that never began is no attempt, no start of a once action, and leaves a redo to be done', () => {
  const before: JournalRecord[] = [{ type: 'redo', repo: 'it', action: 'shop' }];
  const open = [...before, started('1', { kind: 'once', reason: 'redo' })];
  expect(shop(open)).toMatchObject({ attempts: 1, redo: false, onceStarts: new Map([['f1', null]]) });
  const ended = [...open, finished('1', 'interrupted', { interruption: 'never-began' })];
  expect(shop(ended)).toMatchObject({ attempts: 0, failures: 0, redo: true, onceStarts: new Map() });
});

test('every start of a once action is remembered with its outcome', () => {
  const records = [
    started('1', { kind: 'once' }),
    finished('1', 'ok'),
    started('2', { kind: 'once', fingerprint: 'f2' }),
    finished('2', 'interrupted', { interruption: 'killed' }),
    started('3', { kind: 'once', fingerprint: 'f3' }),
  ];
  const starts = new Map([
    ['f1', 'ok'],
    ['f2', 'interrupted'],
    ['f3', null],
  ]);
  expect(shop(records)?.onceStarts).toEqual(starts);
  expect(fold(compactRecords(fold(records))).memory.get(actionKey('it', 'shop'))?.onceStarts).toEqual(starts);
});

test('applied is true from a success until the undo succeeded, and the last success is one of work', () => {
  const work = [started('1'), finished('1', 'ok')];
  const undo = [...work, started('2', { purpose: 'undo', reason: 'undo' })];
  expect(shop(work)).toMatchObject({ applied: true });
  expect(shop([...undo, finished('2', 'failed', { exitCode: 1 })])).toMatchObject({
    applied: true,
    attempts: 1,
  });
  const undone = shop([...undo, finished('2', 'ok')])!;
  expect(undone.applied).toBe(false);
  expect(undone.lastSuccess?.intent.id).toBe('1');
  expect(undone.lastRun?.intent.id).toBe('2');
});

test('an acceptance ends with the next target', () => {
  const accepted: JournalRecord = { type: 'accepted', repo: 'it', commit: OTHER };
  expect(fold([accepted]).accepted.get('it')).toBe(OTHER);
  expect(
    fold([accepted, { type: 'target', repo: 'it', commit: OTHER, remote: 'x' }]).accepted.has('it'),
  ).toBe(false);
});

test('the first result of a run counts, and a second one cannot be appended', () => {
  expect(
    shop([started('1'), finished('1', 'ok'), finished('1', 'failed', { exitCode: 1 })])?.lastRun?.result
      ?.outcome,
  ).toBe('ok');
  const journal = open();
  journal.append(started('1'));
  journal.append(finished('1', 'ok'));
  expect(() => journal.append(finished('1', 'ok'))).toThrow('expected an open run');
  journal.close();
});

test('history in memory is bounded; open runs and last successes stay', () => {
  const records: JournalRecord[] = [
    started('open', { action: 'slow' }),
    started('first'),
    finished('first', 'ok'),
  ];
  for (let i = 0; i < RUNS_IN_MEMORY * 2; i++)
    records.push(started(`r${i}`), finished(`r${i}`, 'failed', { exitCode: 1 }));
  const state = fold(records);
  expect(state.runs.size).toBeLessThan(RUNS_IN_MEMORY * 1.2);
  expect([...state.runs.keys()].at(-1)).toBe(`r${RUNS_IN_MEMORY * 2 - 1}`);
  expect(state.open.has('open' as RunId)).toBe(true);
  expect(shop(records)?.lastSuccess?.intent.id).toBe('first');
  const again = fold(compactRecords(state));
  expect(again.memory).toEqual(state.memory);
  expect([...again.open]).toEqual([...state.open]);
});

// --- what a crash leaves

test('a torn last record is cut away by the writer and ignored by readers', () => {
  const journal = open();
  journal.append(started('r1'));
  journal.close();
  const whole = statSync(file).size;
  for (const tail of [
    '1234',
    'deadbeef {"type":"resumed"}\n',
    formatRecord({ type: 'resumed' }, 0).slice(0, -1),
    '\0'.repeat(4096),
    `abc${'\0'.repeat(9)}\n\0\0`,
  ]) {
    appendFileSync(file, tail);
    expect(readJournal(file).openRuns()).toHaveLength(1);
    expect(statSync(file).size).toBeGreaterThan(whole);
    const again = open();
    expect(again.tornBytes).toBe(Buffer.byteLength(tail));
    expect(again.openRuns()).toHaveLength(1);
    expect(statSync(file).size).toBe(whole);
    again.close();
  }
});

test('damage before the end is refused with line and byte, and the file stays as it is', () => {
  const journal = open();
  journal.append(started('r1'));
  journal.append(started('r2'));
  journal.append(finished('r2', 'ok'));
  journal.close();
  const bytes = readFileSync(file);
  const second = bytes.indexOf(10) + 1;
  bytes[second + 40]! ^= 1;
  writeFileSync(file, bytes);
  for (const act of [() => open(), () => readJournal(file)]) {
    const error = errorOf(act);
    expect(error.code).toBe('journal-damaged');
    expect(error.message).toContain(`line 2, byte ${second} of ${file}`);
    expect(error.hint).toContain(`truncate -s ${second} ${file}`);
  }
  expect(readFileSync(file)).toEqual(bytes);
});

test('a journal of a newer version is refused', () => {
  writeFileSync(
    file,
    formatRecord({ type: 'journal', version: 2, baseBytes: 0 }, 0) + formatRecord({ type: 'resumed' }, 0),
  );
  expect(errorOf(open).code).toBe('journal-newer');
  expect(errorOf(() => readJournal(file)).message).toContain('found version 2');
});

test('an unknown type of record is an error, an unknown field is not', () => {
  const header = formatRecord({ type: 'journal', version: 1, baseBytes: 0 }, 0);
  writeFileSync(
    file,
    header + formatRecord({ ...started('r1'), colour: 'blue' } as unknown as JournalRecord, 0),
  );
  expect(readJournal(file).openRuns()).toHaveLength(1);
  writeFileSync(file, header + formatRecord({ type: 'dance' } as unknown as JournalRecord, 0));
  expect(errorOf(open).message).toContain('found "dance" at line 2');
  writeFileSync(file, header + formatRecord({ type: 'applied', repo: 'it' } as unknown as JournalRecord, 0));
  expect(errorOf(open).message).toContain('a record "applied" with commit (string)');
});

test('an empty or missing journal is fine on a new host only', () => {
  expect(readJournal(file).runs()).toEqual([]);
  writeFileSync(file, ''); // a file system that kept the name and lost the content, at creation
  open().close();
  rmSync(markerOf(file)); // crash between the journal and its marker
  open().close();
  expect(statSync(markerOf(file)).isFile()).toBe(true);
  for (const [damage, found] of [
    [() => truncateSync(file, 0), 'an empty file'],
    [() => writeFileSync(file, Buffer.alloc(4096)), 'no whole record'],
    [() => rmSync(file), 'none'],
  ] as const) {
    damage();
    for (const act of [open, () => readJournal(file)]) {
      const error = errorOf(act);
      expect(error.code).toBe('journal-damaged');
      expect(error.message).toContain(`found ${found}`);
      expect(error.hint).toContain('restore it from a backup');
    }
  }
});

test('text of any language is read back, and damage to it is told by line and byte', () => {
  const reason = 'Wartung: K\u00fchlung \u7dad\u8b77 \u{1f999}';
  const journal = open();
  journal.append({ type: 'paused', reason, since: 10, until: 20 });
  journal.append(started('r1'));
  journal.close();
  expect(readJournal(file).pause(15)?.reason).toBe(reason);
  const whole = readFileSync(file);
  const second = whole.indexOf(10) + 1;
  const inside = whole.indexOf(0xc3);
  for (const byte of [whole[inside]! ^ 1, 0xff, 0x20]) {
    const bytes = Buffer.from(whole);
    bytes[inside] = byte;
    expect(errorOf(() => parseJournal(bytes, file)).message).toContain(`line 2, byte ${second} of ${file}`);
  }
  // In the last record of all, cut within a character.
  const cut = whole.subarray(0, inside + 1);
  expect(parseJournal(cut, file)).toMatchObject({ goodBytes: second, tornBytes: cut.length - second });
});

test('cut at any byte, it opens without an error and loses at most the record that is cut', () => {
  const journal = open();
  const sizes = [statSync(file).size];
  for (const record of [started('r1'), finished('r1', 'ok'), { type: 'resumed' } as const, started('r2')]) {
    journal.append(record);
    sizes.push(statSync(file).size);
  }
  journal.close();
  const bytes = readFileSync(file);
  for (let cut = sizes[0]!; cut <= bytes.length; cut++) {
    const whole = sizes.filter((size) => size <= cut).at(-1)!;
    expect(parseJournal(bytes.subarray(0, cut), file)).toMatchObject({
      goodBytes: whole,
      tornBytes: cut - whole,
    });
  }
  for (let cut = 0; cut < sizes[0]!; cut++)
    expect(parseJournal(bytes.subarray(0, cut), file).goodBytes).toBe(0);
});

// --- a disk that fails

/** A disk on which the operations that are named fail, in turn, as often as they are named. */
function failingDisk(failures: Array<keyof Disk>, code = 'ENOSPC'): { disk: Disk; done: string[] } {
  const done: string[] = [];
  const error = () => Object.assign(new Error(code), { code });
  const fails = (operation: keyof Disk) => {
    done.push(operation);
    if (failures[0] !== operation) return false;
    failures.shift();
    return true;
  };
  const disk: Disk = {
    write(fd, bytes, position) {
      if (!fails('write')) return real.write(fd, bytes, position);
      real.write(fd, bytes.subarray(0, 7), position);
      throw error();
    },
    sync(fd) {
      if (fails('sync')) throw error();
      real.sync(fd);
    },
    truncate(fd, length) {
      if (fails('truncate')) throw error();
      real.truncate(fd, length);
    },
    replace(path, content) {
      if (fails('replace')) throw error();
      real.replace(path, content);
    },
  };
  return { disk, done };
}
const real = realDisk;

test('a full disk leaves no torn middle: the record is taken back, and the next one is written', () => {
  open().close();
  const before = statSync(file).size;
  const journal = open({ disk: failingDisk(['write']).disk });
  expect(errorOf(() => journal.append(started('r1'))).code).toBe('disk-full');
  expect(statSync(file).size).toBe(before);
  expect(journal.openRuns()).toEqual([]);
  journal.append(started('r2'));
  journal.close();
  expect(
    readJournal(file)
      .openRuns()
      .map((run) => run.id),
  ).toEqual(['r2']);
});

test('when a failed write cannot be taken back, nothing more is appended until it is opened again', () => {
  open().close();
  const journal = open({ disk: failingDisk(['write', 'truncate']).disk });
  expect(errorOf(() => journal.append(started('r1'))).code).toBe('disk-full');
  expect(errorOf(() => journal.append(started('r2'))).code).toBe('journal-damaged');
  journal.close();
  const again = open();
  expect(again.tornBytes).toBe(7);
  again.append(started('r3'));
  again.close();
  expect(
    readJournal(file)
      .openRuns()
      .map((run) => run.id),
  ).toEqual(['r3']);
});

test('after a failed sync the descriptor is given up and all of it is written to a new file', () => {
  const first = open();
  first.append(started('r1'));
  first.close();
  const inode = statSync(file).ino;
  const { disk, done } = failingDisk(['sync'], 'EIO');
  const journal = open({ disk });
  journal.append(started('r2'));
  expect(done).toEqual(['write', 'sync', 'replace', 'write', 'sync']);
  expect(statSync(file).ino).not.toBe(inode);
  journal.append(started('r3'));
  journal.close();
  expect(
    readJournal(file)
      .openRuns()
      .map((run) => run.id),
  ).toEqual(['r1', 'r2', 'r3']);
});

test('when the disk goes on failing to sync, the record is not in the journal and nothing more is appended', () => {
  const first = open();
  first.append(started('r1'));
  first.close();
  const journal = open({ disk: failingDisk(['sync', 'sync'], 'EIO').disk });
  expect(() => journal.append(started('r2'))).toThrow('EIO');
  expect(errorOf(() => journal.append(started('r3'))).code).toBe('journal-damaged');
  journal.close();
  expect(
    readJournal(file)
      .openRuns()
      .map((run) => run.id),
  ).toEqual(['r1']);
});

test.skipIf(!canMount())('on a really full file system nothing is lost and nothing is torn', () => {
  const mounted = join(folder, 'small');
  mkdirSync(mounted);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mounted]);
  try {
    file = join(mounted, 'journal.log');
    const journal = open();
    let count = 0;
    const fill = () => {
      for (;;) journal.append(started(`r${count++}`));
    };
    expect(errorOf(fill).code).toBe('disk-full');
    expect(errorOf(fill).code).toBe('disk-full');
    expect(journal.openRuns()).toEqual(readJournal(file).openRuns());
    expect(open().tornBytes).toBe(0);
    journal.close();
  } finally {
    execFileSync('umount', ['-l', mounted]);
  }
});

function canMount(): boolean {
  const probe = mkdtempSync(join(tmpdir(), 'pullyu-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe], { stdio: 'ignore' });
    execFileSync('umount', [probe]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}

// --- compaction

test('a large journal is written anew with what is still needed, and goes on', () => {
  const journal = open({ compactAboveBytes: 20_000 });
  for (let i = 0; i < 100; i++) {
    journal.append(started(`r${i}`));
    journal.append(finished(`r${i}`, i === 3 ? 'ok' : 'failed', { exitCode: i === 3 ? 0 : 1 }));
  }
  journal.append(started('open', { action: 'slow' }));
  const before = new Map(journal.memory());
  const size = statSync(file).size;
  journal.compactIfLarge();
  expect(statSync(file).size).toBeLessThan(size / 3);
  expect(new Map(journal.memory())).toEqual(before);
  expect(journal.runs()).toHaveLength(22);
  journal.append(started('later'));
  journal.close();
  const again = readJournal(file);
  expect(again.memory().get(actionKey('it', 'shop'))).toMatchObject({
    attempts: 97,
    failures: 96,
    lastSuccess: { intent: { id: 'r3' } },
  });
  expect(again.openRuns().map((run) => run.id)).toEqual(['open', 'later']);
});

test('a journal that cannot be made smaller is not written anew again and again', () => {
  const journal = open({ compactAboveBytes: 1_000 });
  for (let i = 0; i < 10; i++) journal.append(started(`r${i}`));
  journal.compactIfLarge();
  const { ino } = statSync(file);
  journal.compactIfLarge();
  journal.append(started('more'));
  journal.compactIfLarge();
  journal.close();
  const again = open({ compactAboveBytes: 1_000 });
  again.compactIfLarge();
  expect(statSync(file).ino).toBe(ino);
  again.close();
});

test('a disk that is too full for compaction keeps the old journal, which goes on', () => {
  const first = open();
  for (let i = 0; i < 50; i++) {
    first.append(started(`r${i}`));
    first.append(finished(`r${i}`, 'ok'));
  }
  first.close();
  const journal = open({ compactAboveBytes: 1_000, disk: failingDisk(['replace']).disk });
  expect(errorOf(() => journal.compactIfLarge()).code).toBe('disk-full');
  journal.append(started('later'));
  journal.close();
  expect(readJournal(file).runs()).toHaveLength(51);
});

test('what a crash left of a compaction is swept', () => {
  open().close();
  writeFileSync(`${file}.0badf00d.tmp`, 'half');
  open().close();
  expect(statSync(`${file}.0badf00d.tmp`, { throwIfNoEntry: false })).toBeUndefined();
});

const INTERRUPTIONS: Array<Interruption> = ['never-began', 'reboot', 'killed'];
const anyRecord: fc.Arbitrary<JournalRecord> = fc.oneof(
  fc
    .record({
      id: fc.integer({ min: 0, max: 60 }).map((n) => `r${n}`),
      action: fc.constantFrom('shop', 'java', 'db'),
      fingerprint: fc.constantFrom('f1', 'f2', 'f3'),
      purpose: fc.constantFrom('work' as const, 'undo' as const),
      kind: fc.constantFrom('once' as const, 'idempotent' as const),
      reason: fc.constantFrom('redo' as const, 'changed' as const),
    })
    .map(({ id, ...more }) => started(id, more)),
  fc
    .record({
      id: fc.integer({ min: 0, max: 60 }).map((n) => `r${n}`),
      outcome: fc.constantFrom<Outcome>('ok', 'failed', 'timed-out', 'superseded', 'refused'),
      exitCode: fc.constantFrom(0, 1, 75, 78, null),
    })
    .map(({ id, outcome, exitCode }) => finished(id, outcome, { exitCode })),
  fc
    .record({
      id: fc.integer({ min: 0, max: 60 }).map((n) => `r${n}`),
      interruption: fc.constantFrom(...INTERRUPTIONS),
    })
    .map(({ id, interruption }) => finished(id, 'interrupted', { interruption })),
  fc.constantFrom<JournalRecord>(
    { type: 'redo', repo: 'it', action: 'shop' },
    { type: 'seen', repo: 'it', action: 'java', at: 77 },
    { type: 'target', repo: 'it', commit: COMMIT, remote: 'r' },
    { type: 'accepted', repo: 'it', commit: OTHER },
    { type: 'applied', repo: 'it', commit: COMMIT },
    { type: 'paused', reason: 'x', since: 1, until: 9 },
    { type: 'resumed' },
  ),
);
/** As a journal has them: a run is started once. */
const anyHistory = fc.array(anyRecord, { maxLength: 150 }).map((records) => {
  const begun = new Set<string>();
  return records.filter((record) => {
    if (record.type !== 'started') return true;
    if (begun.has(record.intent.id)) return false;
    begun.add(record.intent.id);
    return true;
  });
});

test('compaction keeps every memory, whatever happened before and whatever comes after', () => {
  fc.assert(
    fc.property(anyHistory, anyHistory, (before, after) => {
      const plain = fold(before);
      const compacted = parseJournal(Buffer.from(formatJournal(compactRecords(plain), 0)), 'x').state;
      expect(compacted).toEqual({ ...plain, runs: compacted.runs });
      const later = after.map((record): JournalRecord => {
        if (record.type === 'started')
          return { type: 'started', intent: { ...record.intent, id: `later-${record.intent.id}` as RunId } };
        return record.type === 'finished' && record.result.endedAt % 2 === 0
          ? { type: 'finished', result: { ...record.result, id: `later-${record.result.id}` as RunId } }
          : record;
      });
      const one = later.reduce(foldRecord, plain);
      const two = later.reduce(foldRecord, compacted);
      expect(two.memory).toEqual(one.memory);
      expect([...two.open]).toEqual([...one.open]);
    }),
    { numRuns: 150 },
  );
});

test('arbitrary bytes never crash a reader: they are a journal, torn, or a named error', () => {
  const whole = formatJournal([started('r1'), finished('r1', 'ok'), { type: 'resumed' }], 0);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(whole.length), fc.boolean(), (noise, at, insert) => {
      const bytes = Buffer.concat([
        Buffer.from(whole).subarray(0, at),
        Buffer.from(noise),
        Buffer.from(whole).subarray(insert ? at : at + noise.length),
      ]);
      try {
        parseJournal(bytes, 'x');
      } catch (error) {
        expect(error).toBeInstanceOf(PullyuError);
      }
    }),
    { numRuns: 300 },
  );
});

test('the tracking of a target is known until the next target, also after compaction; older records have none', () => {
  const moved: JournalRecord = { type: 'target', repo: 'it', commit: OTHER, remote: 'x', track: 'main' };
  const trackOf = (...records: JournalRecord[]) => viewOf(() => fold(records)).targetTrack('it');
  expect(trackOf(moved)).toBe('main');
  expect(compactRecords(fold([moved]))).toEqual([moved]);
  expect(trackOf({ type: 'target', repo: 'it', commit: OTHER, remote: 'x' })).toBeNull();
  const accepted: JournalRecord = { type: 'accepted', repo: 'it', commit: COMMIT };
  // No move: another tracking leads to the same commit.
  expect(fold([moved, accepted, { ...moved, track: 'release' }]).accepted.get('it')).toBe(COMMIT);
});
