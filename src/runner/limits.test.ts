/** Limits with real processes and, where this machine has them, real control groups. */
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { needs, needsProgram } from '../../tests/support/needs.ts';
import { exampleSpec, type SpecChanges } from '../../tests/support/run-spec.ts';
import { type TempFolder, tempFolder } from '../../tests/support/temp.ts';
import { until } from '../../tests/support/until.ts';
import type { RunLimits } from '../model/action.ts';
import { processesMarked, signalProcess } from '../system/processes.ts';
import { findGroupHome, homeFacts, pidsInGroups, readGroups } from './control-groups.ts';
import { RUN_MARK } from './environment.ts';
import { resumeRun } from './resume.ts';
import { readRunProcesses, runFiles } from './run-files.ts';
import { isStarted, type RunSpec, type StartedRun } from './spec.ts';
import { startRun } from './start.ts';
import { tidyRuns } from './tidy.ts';

const MiB = 2 ** 20;
const NONE = { memory: null, processes: null, files: null } as const;

const home = findGroupHome(homeFacts());
const isRoot = process.getuid?.() === 0;
/** Not in CI either: whether a container lets us have groups is not ours to decide, and then the other branch is tested. */
const withGroups = home.memory !== null && home.processes !== null ? test : test.skip;
const withoutGroups = home.memory === null ? test : test.skip;

let folder: TempFolder;
let specs: RunSpec[];
beforeEach(() => {
  folder = tempFolder();
  specs = [];
});
afterEach(() => {
  for (const { intent, runFolder } of specs) {
    for (const left of processesMarked(RUN_MARK, intent.id)) signalProcess(left, 'SIGKILL');
    expect(readGroups(runFiles(runFolder).groups, intent.id).filter((group) => existsSync(group))).toEqual(
      [],
    );
  }
  folder[Symbol.dispose]();
});

function start(
  script: string,
  limits: RunLimits,
  changes: SpecChanges = {},
): { run: StartedRun; spec: RunSpec } {
  const spec = exampleSpec(folder.path, script, { uses: { action: limits, default: NONE }, ...changes });
  specs.push(spec);
  const run = startRun(spec, { launcher: 'direct', graceMs: 200 });
  if (!isStarted(run)) throw new Error(`expected a started run, got: ${run.note}`);
  return { run, spec };
}

const groupsOf = ({ runFolder, intent }: RunSpec) => readGroups(runFiles(runFolder).groups, intent.id);
const open = new Set<string>();
const tidy = () =>
  tidyRuns(`${folder.path}/runs`, {
    limits: { runsKeptPerAction: 10, runsMaxBytes: 1e9, outputMaxBytes: 1e6 },
    open,
  });

/** 200 MiB that are really used. */
const HOG = `exec node -e 'Buffer.alloc(200 * 2 ** 20, 1); console.log("had it")'`;

withGroups('a run that takes more memory than it may is killed, and its note says by what', async () => {
  const { run, spec } = start(HOG, { memory: 120 * MiB }, { env: { PATH: process.env.PATH ?? '' } });
  expect(await run.done).toMatchObject({
    outcome: 'failed',
    signal: 'SIGKILL',
    note: 'killed by its memory limit of 120 MiB',
  });
  expect(readFileSync(run.outputFile, 'utf8')).not.toContain('had it');
  expect(groupsOf(spec)).toHaveLength(2);
});

withGroups('within its limit it is left alone', async () => {
  const { run } = start(HOG, { memory: 500 * MiB }, { env: { PATH: process.env.PATH ?? '' } });
  expect(await run.done).toMatchObject({ outcome: 'ok', note: null });
});

withGroups('a child that is killed for want of memory is named too, when the script goes on', async () => {
  const { run } = start(
    `(${HOG})\n[ $? = 137 ] || exit 3\nexit 4`,
    { memory: 120 * MiB },
    { env: { PATH: process.env.PATH ?? '' } },
  );
  expect(await run.done).toMatchObject({
    exitCode: 4,
    note: 'some of its processes were killed by its memory limit of 120 MiB',
  });
});

/** Each process makes two more, for ever; those that cannot go on trying. */
const BOMB = 'bomb() { while :; do bomb & sleep 0.01; done 2>/dev/null; }\nbomb';

withGroups('a fork bomb stays within its limit, and its end is exact', async () => {
  const { run, spec } = start(BOMB, { processes: 40 }, { intent: { timeoutMs: 1_500 } });
  let most = 0;
  const counting = setInterval(() => {
    most = Math.max(most, pidsInGroups(groupsOf(spec)).length);
  }, 5);
  await run.done;
  clearInterval(counting);
  expect(most).toBeLessThanOrEqual(40);
  expect(await run.done).toMatchObject({
    outcome: expect.stringMatching(/^(timed-out|failed)$/),
    note: expect.stringContaining('could start no more processes, by its limit of 40 processes'),
  });
  expect(processesMarked(RUN_MARK, spec.intent.id)).toEqual([]);
});

withGroups('a fork bomb that its script has left behind is ended too', async () => {
  const { run, spec } = start(
    `(${BOMB.replace('\nbomb', '\nsetsid sh -c : ; bomb')}) >/dev/null 2>&1 &\nsleep 1`,
    { processes: 40 },
  );
  expect((await run.done).note).toContain('limit of 40 processes');
  expect(processesMarked(RUN_MARK, spec.intent.id)).toEqual([]);
});

withGroups(
  'what takes off its mark, its session and its parents is ended with its run all the same',
  async () => {
    const hidden = 'setsid setsid env -i sh -c "(sleep 1000 & sleep 1000 &)"; echo ready; sleep 1000';
    const { run, spec } = start(hidden, {});
    await until(() => readFileSync(run.outputFile, 'utf8').includes('ready'));
    const all = pidsInGroups(groupsOf(spec));
    expect(all.length).toBeGreaterThanOrEqual(3);
    run.end('superseded');
    await run.done;
    expect(all.filter((pid) => existsSync(`/proc/${pid}/exe`))).toEqual([]);
  },
);

withGroups(
  'a daemon that was left goes on within the limits; its group is removed when it has ended',
  async () => {
    const { run, spec } = start('sleep 1000 >/dev/null 2>&1 &\necho $!', { processes: 40 });
    expect(await run.done).toMatchObject({ outcome: 'ok', note: null });
    const [group] = groupsOf(spec);
    const pid = Number(readFileSync(run.outputFile, 'utf8'));
    expect(pidsInGroups([group!])).toEqual([pid]);
    expect(tidy()).toEqual([]);
    process.kill(pid, 'SIGKILL');
    await until(() => pidsInGroups([group!]).length === 0);
    tidy();
    expect(existsSync(group!)).toBe(false);
  },
);

withGroups(
  'an agent that died meanwhile learns of the limit from the next one, and nothing is left',
  async () => {
    const { run, spec } = start(
      `sleep 0.3; ${HOG}`,
      { memory: 120 * MiB },
      { env: { PATH: process.env.PATH ?? '' } },
    );
    await until(() => readRunProcesses(runFiles(spec.runFolder).process)?.action != null);
    run.leave();
    const resumed = resumeRun(spec.intent, {
      runFolder: spec.runFolder,
      limits: spec.limits,
      bootId: spec.intent.bootId,
    });
    expect(await (isStarted(resumed) ? resumed.done : resumed)).toMatchObject({
      note: 'killed by its memory limit of 120 MiB',
    });
  },
);

withoutGroups('without control groups an action that asks for a limit of memory is refused', () => {
  const spec = exampleSpec(folder.path, 'echo hi', { uses: { action: { memory: MiB }, default: NONE } });
  expect(startRun(spec, { launcher: 'direct' })).toMatchObject({
    outcome: 'refused',
    note: expect.stringContaining('cannot be kept here: no control groups'),
  });
});

needsProgram('prlimit')('open files are limited in each process of the run', async () => {
  const { run } = start('ulimit -n; ulimit -Hn', { files: 77 });
  await run.done;
  expect(readFileSync(run.outputFile, 'utf8')).toBe('77\n77\n');
});

needs(isRoot ? [] : ['root rights'])('another user is limited as well', async () => {
  chmodSync(folder.path, 0o755);
  const { run } = start('id -un; ulimit -n; cat /proc/self/cgroup', { files: 78 }, { user: 'nobody' });
  expect((await run.done).outcome).toBe('ok');
  const output = readFileSync(run.outputFile, 'utf8');
  expect(output).toMatch(/^nobody\n78\n/);
  if (home.processes !== null) expect(output).toContain('/pullyu-run-');
});
