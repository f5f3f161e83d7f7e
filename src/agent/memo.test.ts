import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commitId } from '../model/ids.ts';
import { version } from '../model/version.ts';
import { type IdleMemo, isIdle, journalStamp, readMemo, writeMemo } from './memo.ts';

const A = commitId('a'.repeat(40));
const B = commitId('b'.repeat(40));
const memo: IdleMemo = {
  version,
  bootId: 'boot',
  stamp: 'stamp',
  journal: 'journal',
  answers: { it: A },
  links: { it: 'trees/a' },
  nextDueAt: 1_000,
  exitCode: 0,
  checkedAt: 0,
  tidied: null,
};
const question = {
  now: 999,
  bootId: 'boot',
  stamp: 'stamp',
  journal: 'journal',
  answers: { it: A },
  links: memo.links,
};

test('a look is idle while every input of its decision is the same', () => {
  expect(isIdle(memo, question)).toBe(true);
  expect(isIdle({ ...memo, nextDueAt: null }, { ...question, now: 1e15 })).toBe(true);
  const withDead = { it: A, dead: null };
  expect(isIdle({ ...memo, answers: withDead }, { ...question, answers: withDead })).toBe(true);
});

test.each([
  ['there is no memo', null, question],
  ['another version wrote it', { ...memo, version: '0' }, question],
  ['the machine was started since', memo, { ...question, bootId: 'other' }],
  ['configuration or labels changed', memo, { ...question, stamp: 'other' }],
  ['the journal has a new record', memo, { ...question, journal: 'other' }],
  ['a repo has another commit', memo, { ...question, answers: { it: B } }],
  ['a repo did not answer', memo, { ...question, answers: {} }],
  ['a repo that was dead answers', { ...memo, answers: { it: null } }, question],
  ['a repo was added', memo, { ...question, answers: { it: A, app: A } }],
  ['a repo was replaced', memo, { ...question, answers: { app: A } }],
  ['another tree is current', memo, { ...question, links: { it: 'trees/b' } }],
  ['no tree is current', memo, { ...question, links: { it: null } }],
  ['something is due', memo, { ...question, now: 1_000 }],
] as const)('a look is not idle when %s', (_, known, asked) => {
  expect(isIdle(known, asked)).toBe(false);
});

test('a memo survives the process, and a damaged one is none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pullyu-memo-'));
  try {
    expect(readMemo(folder)).toBeNull();
    writeMemo(folder, memo);
    expect(readMemo(folder)).toEqual(memo);
    writeFileSync(join(folder, 'idle.json'), '{"version":');
    expect(readMemo(folder)).toBeNull();
    const journal = join(folder, 'journal.log');
    const none = journalStamp(journal);
    writeFileSync(journal, 'one\n');
    const one = journalStamp(journal);
    writeFileSync(journal, 'two, longer\n');
    expect(new Set([none, one, journalStamp(journal)]).size).toBe(3);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
