import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import { actionKey } from '../model/action.ts';
import { RUN_MARK } from './environment.ts';
import { type TidyOptions, tidyRuns } from './tidy.ts';

const limits = { runsKeptPerAction: 3, runsMaxBytes: 1_000_000, outputMaxBytes: 1_000 };
const options = (more: Partial<TidyOptions> = {}): TidyOptions => ({ limits, open: new Set(), ...more });

function makeRun(folder: string, name: string, action = 'shop', bytes = 10): void {
  mkdirSync(join(folder, name), { recursive: true });
  const spec = { version: 1, repo: 'it', action, startedMonotonicMs: 0 };
  writeFileSync(join(folder, name, 'spec.json'), JSON.stringify(spec));
  writeFileSync(join(folder, name, 'output.log'), 'x'.repeat(bytes));
}

test('the newest runs of each action are kept, and every open one', () => {
  using folder = tempFolder();
  for (let i = 0; i < 6; i++) makeRun(folder.path, `r${i}`);
  makeRun(folder.path, 'q0', 'java');
  expect(tidyRuns(folder.path, options({ open: new Set(['r0']) }))).toEqual(['r2', 'r1']);
  expect(readdirSync(folder.path)).toEqual(['q0', 'r0', 'r3', 'r4', 'r5']);
  expect(tidyRuns(join(folder.path, 'none'), options())).toEqual([]);
});

test('the oldest go until the sum is within its limit', () => {
  using folder = tempFolder();
  for (let i = 0; i < 3; i++) makeRun(folder.path, `r${i}`, `a${i}`, 900);
  expect(tidyRuns(folder.path, options({ limits: { ...limits, runsMaxBytes: 2_000 } }))).toEqual(['r0']);
});

test('a log that a left-behind daemon goes on filling is cut', () => {
  using folder = tempFolder();
  makeRun(folder.path, 'r0', 'shop', 50_000);
  tidyRuns(folder.path, options());
  expect(statSync(join(folder.path, 'r0', 'output.log')).size).toBeLessThan(1_100);
});

test('a folder that tells nothing goes, unless the caller knows its action', () => {
  using folder = tempFolder();
  for (let i = 0; i < 3; i++) mkdirSync(join(folder.path, `empty${i}`));
  const actionOf = (run: string) => (run === 'empty1' ? actionKey('it', 'shop') : null);
  expect(tidyRuns(folder.path, options({ actionOf, open: new Set(['empty0']) }))).toEqual(['empty2']);
});

test('a check whose agent died goes, with its processes', async () => {
  using folder = tempFolder();
  makeRun(folder.path, 'tidy-test.check');
  const left = spawn('sleep', ['300'], {
    env: { PATH: process.env.PATH, [RUN_MARK]: 'tidy-test.check' },
    stdio: 'ignore',
  });
  await once(left, 'spawn');
  expect(tidyRuns(folder.path, options())).toEqual(['tidy-test.check']);
  expect(await once(left, 'exit')).toEqual([null, 'SIGKILL']);
});
