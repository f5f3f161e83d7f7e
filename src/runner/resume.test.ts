import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { exampleSpec, type SpecChanges } from '../../tests/support/run-spec.ts';
import { type TempFolder, tempFolder } from '../../tests/support/temp.ts';
import { until } from '../../tests/support/until.ts';
import { openJournal } from '../journal/open.ts';
import { readJournal } from '../journal/read.ts';
import type { RunResult } from '../model/run.ts';
import { systemClock } from '../system/clock.ts';
import { processesMarked, signalProcess } from '../system/processes.ts';
import { RUN_MARK } from './environment.ts';
import { shimArgv, startShim } from './launch.ts';
import { type ResumeOptions, resumeRun } from './resume.ts';
import { readRunProcesses, reserveRunFolder, runFiles } from './run-files.ts';
import { isStarted, type RunSpec, type StartedRun } from './spec.ts';
import { startRun } from './start.ts';

let program: TempFolder;
let folder: TempFolder;
let spec: RunSpec;
let journalFile: string;
beforeAll(() => {
  // As in dist: one bundle with the shim beside it.
  program = tempFolder('agent');
  const entry = new URL('../../tests/support/run-starter.ts', import.meta.url).pathname;
  buildSync({
    entryPoints: [entry],
    outfile: join(program.path, 'agent.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
  });
  copyFileSync(new URL('shim.sh', import.meta.url), join(program.path, 'shim.sh'));
});
afterAll(() => program[Symbol.dispose]());
beforeEach(() => {
  folder = tempFolder();
  journalFile = join(folder.path, 'journal.log');
});
afterEach(() => {
  for (const left of marked()) signalProcess(left, 'SIGKILL');
  folder[Symbol.dispose]();
});

const marked = () => processesMarked(RUN_MARK, spec.intent.id);
const file = (name: string) => join(folder.path, name);
const exists = (name: string) => until(() => existsSync(file(name)), { what: name });

function prepare(script: string, changes: SpecChanges = {}): RunSpec {
  spec = exampleSpec(folder.path, script, changes);
  return spec;
}

/** Another process starts the run and is killed, as by kill -9 or the OOM killer; its group with it. */
async function startAndKillAgent(script: string, changes: SpecChanges = {}, when = 'ready'): Promise<void> {
  prepare(script, changes);
  writeFileSync(file('spec'), JSON.stringify(spec));
  const agent = spawn(process.execPath, [join(program.path, 'agent.mjs'), file('spec'), journalFile], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await exists(when);
  await killGroup(agent);
}

async function killGroup(agent: ChildProcess): Promise<void> {
  const ended = once(agent, 'exit');
  process.kill(-agent.pid!, 'SIGKILL');
  await ended;
}

function resume(more: Partial<ResumeOptions> = {}): StartedRun | RunResult {
  return resumeRun(spec.intent, {
    runFolder: spec.runFolder,
    limits: spec.limits,
    bootId: spec.intent.bootId,
    graceMs: 200,
    ...more,
  });
}

function adopted(run: StartedRun | RunResult): StartedRun {
  if (!isStarted(run)) throw new Error(`expected an adopted run, got ${run.outcome}: ${run.note}`);
  return run;
}

test('a run whose agent was killed goes on, is adopted, and its result is in the journal once', async () => {
  await startAndKillAgent(
    'echo before; touch ../ready; while ! [ -e ../go ]; do sleep 0.02; done; echo after; exit 7',
  );
  const journal = openJournal(journalFile, { now: Date.now });
  expect(journal.openRuns().map((open) => open.id)).toEqual([spec.intent.id]);
  const run = adopted(resume());
  writeFileSync(file('go'), '');
  const result = await run.done;
  expect(result).toMatchObject({ outcome: 'failed', exitCode: 7 });
  expect(readFileSync(run.outputFile, 'utf8')).toBe('before\nafter\n');
  journal.append({ type: 'finished', result });
  journal.close();
  expect(readJournal(journalFile).openRuns()).toEqual([]);
  expect(readJournal(journalFile).runs()).toHaveLength(1);
});

test('a result that was written while no agent was there is collected, with the time of its end', async () => {
  await startAndKillAgent('touch ../ready; sleep 0.1');
  await exists(`runs/${spec.intent.id}/result`);
  const result = resume();
  expect(result).toMatchObject({ outcome: 'ok', exitCode: 0 });
  expect(resume()).toEqual(result);
  expect(Math.abs((result as RunResult).endedAt - Date.now())).toBeLessThan(60_000);
});

test('a result that was written before the machine went down is collected after it', async () => {
  await startAndKillAgent('touch ../ready; exit 0');
  await exists(`runs/${spec.intent.id}/result`);
  expect(resume({ bootId: 'another' })).toMatchObject({ outcome: 'ok' });
});

test('a run without result of another boot was interrupted by the reboot', async () => {
  await startAndKillAgent('touch ../ready; sleep 300');
  expect(resume({ bootId: 'another' })).toMatchObject({ outcome: 'interrupted', interruption: 'reboot' });
});

test('the deadline counts from the start, not from the adoption', async () => {
  await startAndKillAgent('touch ../ready; sleep 300', { intent: { timeoutMs: 60_000 } });
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + 60_000 };
  const run = adopted(resume({ clock }));
  expect(await run.done).toMatchObject({ outcome: 'timed-out' });
  expect(marked()).toEqual([]);
});

test('an agent that died while it was ending a run: the next one goes on and knows why', async () => {
  await startAndKillAgent('trap "" TERM; touch ../ready; while :; do sleep 0.05; done');
  writeFileSync(runFiles(spec.runFolder).ending, 'superseded\n');
  expect(await adopted(resume()).done).toMatchObject({ outcome: 'superseded' });
  expect(marked()).toEqual([]);
});

test('a run whose shim was killed too is waited for, then counts as cut off', async () => {
  await startAndKillAgent(
    'kill -9 $PPID; touch ../ready; while ! [ -e ../go ]; do sleep 0.02; done; echo after',
  );
  const run = adopted(resume());
  writeFileSync(file('go'), '');
  expect(await run.done).toMatchObject({ outcome: 'interrupted', interruption: 'killed' });
  expect(readFileSync(run.outputFile, 'utf8')).toContain('after\n');
});

test('a run of which nothing is alive any more was killed', async () => {
  await startAndKillAgent('touch ../ready; sleep 300');
  for (const left of marked()) signalProcess(left, 'SIGKILL');
  await until(() => marked().length === 0);
  expect(await adopted(resume()).done).toMatchObject({ outcome: 'interrupted', interruption: 'killed' });
});

test('output that grew while no agent was there is bounded', async () => {
  await startAndKillAgent('head -c 1M /dev/zero | tr "\\0" "x"; touch ../ready; sleep 0.1', {
    limits: { outputMaxBytes: 10_000 },
  });
  await exists(`runs/${spec.intent.id}/result`);
  expect(resume()).toMatchObject({ outcome: 'ok' });
  expect(readFileSync(runFiles(spec.runFolder).output).length).toBeLessThan(10_200);
});

test('a durable intent with an empty folder never began', () => {
  prepare('exit 0');
  reserveRunFolder(spec.runFolder);
  expect(resume()).toMatchObject({
    outcome: 'interrupted',
    interruption: 'never-began',
    note: 'the agent was stopped before the run began',
  });
});

test('once it is said that a run never began, a shim that comes late does not begin', async () => {
  prepare('touch ../ran');
  reserveRunFolder(spec.runFolder);
  expect(resume()).toMatchObject({ interruption: 'never-began' });
  const call = {
    id: spec.intent.id,
    runFolder: spec.runFolder,
    tree: spec.tree,
    command: [join(spec.tree, 'run.sh')],
  };
  const late = startShim(shimArgv(call, 'given'), { [RUN_MARK]: spec.intent.id });
  expect((await once(late, 'exit'))[0]).not.toBe(0);
  expect(existsSync(file('ran'))).toBe(false);
  expect(resume()).toMatchObject({ interruption: 'never-began' });
});

test('a shim that died between making its file and the command never began', async () => {
  prepare('exit 0');
  reserveRunFolder(spec.runFolder);
  writeFileSync(runFiles(spec.runFolder).spec, '{}');
  for (const text of ['', 'shim 12', 'shim 4194304 1\n']) {
    writeFileSync(runFiles(spec.runFolder).process, text);
    expect(await adopted(resume()).done).toMatchObject({
      outcome: 'interrupted',
      interruption: 'never-began',
    });
  }
});

test('a torn result is none', async () => {
  prepare('exit 0');
  reserveRunFolder(spec.runFolder);
  writeFileSync(runFiles(spec.runFolder).result, '\0'.repeat(64));
  expect(resume({ bootId: 'another' })).toMatchObject({ outcome: 'interrupted', interruption: 'reboot' });
});

test('an agent that leaves a run does not end it, and another may adopt it', async () => {
  prepare('touch ../ready; while ! [ -e ../go ]; do sleep 0.02; done; exit 3');
  const first = adopted(startRun(spec, { launcher: 'direct' }));
  await exists('ready');
  first.leave();
  const second = adopted(resume());
  expect(readRunProcesses(runFiles(spec.runFolder).process)?.action).not.toBeNull();
  writeFileSync(file('go'), '');
  expect(await second.done).toMatchObject({ outcome: 'failed', exitCode: 3 });
});

test('a run whose folder was removed may have begun, so it is not said that it did not', async () => {
  await startAndKillAgent('rm -rf "$(dirname "$PULLYU_ROSTER")/runs"; touch ../ready; sleep 0.1');
  expect(await adopted(resume()).done).toMatchObject({ outcome: 'interrupted', interruption: 'killed' });
});
