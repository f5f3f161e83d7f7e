import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commitId } from '../model/ids.ts';
import { dropRequest, postRequest, readRequests, recordsOfRequest } from './requests.ts';
import { makeRunId } from './run-id.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pullyu-requests-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('requests are read in the order in which they were made, and dropped once carried out', () => {
  expect(readRequests(folder)).toEqual([]);
  const first = postRequest(folder, { type: 'redo', repo: 'it', action: 'shop' }, '001');
  postRequest(folder, { type: 'resume' }, '002');
  const pending = readRequests(folder);
  expect(pending.map(({ request }) => request?.type)).toEqual(['redo', 'resume']);
  dropRequest(pending[0]!);
  expect(existsSync(first)).toBe(false);
  expect(readRequests(folder)).toHaveLength(1);
});

test('a file that is no request is handed over as none, so that it does not stay for ever', () => {
  postRequest(folder, { type: 'resume' }, '001');
  writeFileSync(join(folder, 'inbox/002.json'), 'rubbish');
  writeFileSync(join(folder, 'inbox/003.json'), '{"type":"reformat"}');
  const partial = [
    { type: 'redo', repo: 'it' },
    { type: 'pause', reason: 'r', since: 1, until: 'tomorrow' },
    { type: 'done', intent: { id: 'one' }, result: { id: 'one' } },
    { type: 'done' },
  ];
  for (const [n, text] of partial.entries())
    writeFileSync(join(folder, `inbox/01${n}.json`), JSON.stringify(text));
  const [, rubbish, unknown, ...others] = readRequests(folder);
  expect(rubbish!.request).toBeNull();
  expect(recordsOfRequest(unknown!.request!)).toEqual([]);
  expect(others.flatMap(({ request }) => recordsOfRequest(request!))).toEqual([]);
  expect(others).toHaveLength(partial.length);
});

test('every request has its records', () => {
  const commit = commitId('c'.repeat(40));
  expect(recordsOfRequest({ type: 'redo', repo: 'it', action: 'shop' })).toEqual([
    { type: 'redo', repo: 'it', action: 'shop' },
  ]);
  expect(recordsOfRequest({ type: 'accept', repo: 'it', commit })).toEqual([
    { type: 'accepted', repo: 'it', commit },
  ]);
  expect(recordsOfRequest({ type: 'pause', reason: 'r', since: 1, until: 2 })).toEqual([
    { type: 'paused', reason: 'r', since: 1, until: 2 },
  ]);
  expect(recordsOfRequest({ type: 'resume' })).toEqual([{ type: 'resumed' }]);
});

test('run ids sort by start, also within one millisecond and over a clock that is set back', () => {
  const ids = [1_000, 1_000, 999, 2_000].map((now) => makeRunId(now, () => 0.5));
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(ids).size).toBe(4);
  expect(ids.every((id) => /^[\w.-]+$/.test(id))).toBe(true);
});
