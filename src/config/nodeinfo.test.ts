import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { factOfLabel, readNodeinfo } from './nodeinfo.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pullyu-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string | Uint8Array) => writeFileSync(join(folder, name), text);

test('the facts of the practice become labels, others keep their name', () => {
  write('nodepart.txt', 'app1\n');
  write('stacktype.txt', ' lad1 \r\n');
  write('stackkey.txt', 'fed');
  write('deployment.txt', 'prod\n');
  write('instance-id.txt', 'i-0abc\n');
  expect(readNodeinfo(folder)).toEqual({
    part: 'app1',
    stacktype: 'lad1',
    stack: 'fed',
    deployment: 'prod',
    'instance-id': 'i-0abc',
  });
});

test('notes of the life of a host are no labels', () => {
  for (const name of ['state', 'statetss', 'statelog', 'lastaction', 'currentaction'])
    write(`${name}.txt`, 'x');
  expect(readNodeinfo(folder)).toEqual({});
});

test('what holds no one-line value is left out', () => {
  write('empty.txt', '\n');
  write('lines.txt', 'a\nb\n');
  write('large.txt', 'x'.repeat(5000));
  write('nul.txt', 'a\0b');
  write('README', 'x');
  write('.hidden.txt', 'x');
  mkdirSync(join(folder, 'folder.txt'));
  symlinkSync('nowhere', join(folder, 'dangling.txt'));
  write('good.txt', 'yes');
  expect(readNodeinfo(folder)).toEqual({ good: 'yes' });
});

test('no folder, no labels', () => {
  expect(readNodeinfo(null)).toEqual({});
  expect(readNodeinfo(join(folder, 'none'))).toEqual({});
});

test('at most a hundred files are read', () => {
  for (let i = 0; i < 150; i += 1) write(`k${i}.txt`, 'x');
  expect(Object.keys(readNodeinfo(folder))).toHaveLength(100);
});

test('a label knows the file that gives it', () => {
  expect(['part', 'stack', 'stacktype', 'zone', 'state'].map(factOfLabel)).toEqual([
    'nodepart',
    'stackkey',
    'stacktype',
    'zone',
    null,
  ]);
});
