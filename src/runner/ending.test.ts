import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exampleSpec } from '../../tests/support/run-spec.ts';
import { type TempFolder, tempFolder } from '../../tests/support/temp.ts';
import { until } from '../../tests/support/until.ts';
import { type Clock, systemClock } from '../system/clock.ts';
import { processesMarked, signalProcess } from '../system/processes.ts';
import { RUN_MARK } from './environment.ts';
import { isStarted, type RunSpec, type StartedRun } from './spec.ts';
import { startRun } from './start.ts';

let folder: TempFolder;
let spec: RunSpec;
beforeEach(() => {
  folder = tempFolder();
});
afterEach(() => {
  for (const left of marked()) signalProcess(left, 'SIGKILL');
  folder[Symbol.dispose]();
});

const marked = () => processesMarked(RUN_MARK, spec.intent.id);

/** A clock whose deadline comes when the test says so. */
function movable(): Clock & { jump(ms: number): void } {
  let ahead = 0;
  return {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + ahead,
    jump(ms) {
      ahead += ms;
    },
  };
}

function start(script: string, clock: Clock, graceMs = 200): StartedRun {
  spec = exampleSpec(folder.path, script);
  const run = startRun(spec, { launcher: 'direct', clock, graceMs });
  if (!isStarted(run)) throw new Error(run.note ?? 'refused');
  return run;
}

const output = (run: StartedRun) => readFileSync(run.outputFile, 'utf8');
const says = (run: StartedRun, text: string) =>
  until(() => output(run).includes(text), { what: `the script to say ${text}` });

test('at its deadline a run gets a TERM, and may use it to clean up', async () => {
  const clock = movable();
  const run = start(
    'trap "echo cleaned; exit 0" TERM; echo ready; while :; do sleep 0.05; done',
    clock,
    60_000,
  );
  await says(run, 'ready');
  clock.jump(60_000);
  expect(await run.done).toMatchObject({ outcome: 'timed-out', exitCode: null, note: 'not done after 60 s' });
  expect(output(run)).toContain('cleaned');
  expect(marked()).toEqual([]);
});

test('what ignores TERM, left its session and its parent, is killed', async () => {
  const clock = movable();
  const run = start(
    `trap '' TERM
     setsid sh -c 'trap "" TERM; (sh -c "trap \\"\\" TERM; echo far; exec sleep 300" &) ; exec sleep 300' &
     nohup setsid sleep 300 >/dev/null 2>&1 &
     echo near; while :; do sleep 0.05; done`,
    clock,
  );
  await says(run, 'far');
  await says(run, 'near');
  await until(() => marked().length >= 5);
  clock.jump(60_000);
  expect(await run.done).toMatchObject({ outcome: 'timed-out', signal: 'SIGKILL' });
  expect(marked()).toEqual([]);
});

test('what emptied its environment is found by session and by descent', async () => {
  const clock = movable();
  const run = start('env -i sleep 311 & env -i setsid sleep 312 & echo ready; sleep 313', clock);
  await says(run, 'ready');
  const pids = () => processesNamed(['sleep\u0000311', 'sleep\u0000312', 'sleep\u0000313']);
  await until(() => pids().length === 3);
  clock.jump(60_000);
  expect((await run.done).outcome).toBe('timed-out');
  expect(pids()).toEqual([]);
});

test('something that forks without end is ended too', async () => {
  const clock = movable();
  const run = start(
    'f() { (trap "" TERM; sleep 0.02; f) & }; trap "" TERM; f; f; f; echo ready; while :; do sleep 0.05; done',
    clock,
  );
  await says(run, 'ready');
  clock.jump(60_000);
  expect((await run.done).outcome).toBe('timed-out');
  expect(marked()).toEqual([]);
});

test('the first reason counts, and a run that is over cannot be ended', async () => {
  const run = start('echo ready; sleep 300', systemClock);
  await says(run, 'ready');
  run.end('superseded');
  run.end('timed-out');
  expect(await run.done).toMatchObject({ outcome: 'superseded', note: null, signal: 'SIGTERM' });
  const quick = start('exit 3', systemClock);
  expect(await quick.done).toMatchObject({ outcome: 'failed', exitCode: 3 });
  quick.end('superseded');
  expect(await quick.done).toMatchObject({ outcome: 'failed' });
});

function processesNamed(commands: string[]): number[] {
  return processesMarkedOrNot().filter((pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return commands.some((command) => text.includes(command));
    } catch {
      return false;
    }
  });
}

function processesMarkedOrNot(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}
