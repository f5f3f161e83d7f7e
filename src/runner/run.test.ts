import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { needsRoot } from '../../tests/support/needs.ts';
import { exampleSpec, type SpecChanges, writeScript } from '../../tests/support/run-spec.ts';
import { type TempFolder, tempFolder } from '../../tests/support/temp.ts';
import { until } from '../../tests/support/until.ts';
import type { RunResult } from '../model/run.ts';
import { processesMarked, signalProcess } from '../system/processes.ts';
import { runCheck } from './check.ts';
import { RUN_MARK } from './environment.ts';
import { outputTail } from './output.ts';
import { isStarted, type RunSpec, type StartedRun } from './spec.ts';
import { type RunnerOptions, startRun } from './start.ts';

let folder: TempFolder;
let specs: RunSpec[];
beforeEach(() => {
  folder = tempFolder();
  specs = [];
});
afterEach(() => {
  for (const spec of specs) for (const left of marked(spec)) signalProcess(left, 'SIGKILL');
  folder[Symbol.dispose]();
});

const marked = (spec: RunSpec) => processesMarked(RUN_MARK, spec.intent.id);

function prepare(script: string | null, changes: SpecChanges = {}): RunSpec {
  const spec = exampleSpec(folder.path, script, changes);
  specs.push(spec);
  return spec;
}

function start(spec: RunSpec, options: RunnerOptions = {}): StartedRun {
  const run = startRun(spec, { launcher: 'direct', ...options });
  if (!isStarted(run)) throw new Error(`expected a started run, got: ${run.note}`);
  return run;
}

async function run(
  script: string,
  changes: SpecChanges = {},
): Promise<RunResult & { output: string; spec: RunSpec }> {
  const spec = prepare(script, changes);
  const started = start(spec);
  const result = await started.done;
  return { ...result, output: readFileSync(started.outputFile, 'utf8'), spec };
}

test('a script that succeeds is ok, and both its outputs are in the log in the order of writing', async () => {
  expect(await run('echo one; echo two >&2; printf three')).toMatchObject({
    outcome: 'ok',
    exitCode: 0,
    signal: null,
    note: null,
    output: 'one\ntwo\nthree',
  });
});

test.each([
  [1, 1, null],
  [75, 75, null],
  [78, 78, null],
  [255, 255, null],
  [127, 127, null],
])('exit %i is a failure with that code', async (code, exitCode, signal) => {
  expect(await run(`exit ${code}`)).toMatchObject({ outcome: 'failed', exitCode, signal, note: null });
});

test('a script that is killed has failed by that signal', async () => {
  expect(await run('kill -SEGV $$')).toMatchObject({
    outcome: 'failed',
    exitCode: null,
    signal: 'SIGSEGV',
    note: 'ended by SIGSEGV',
  });
});

test('a run that is refused has executed nothing and left no folder', () => {
  const spec = prepare('#!/bin/sh\r\necho hi\r\n');
  const refused = startRun(spec);
  expect(refused).toMatchObject({
    outcome: 'refused',
    exitCode: null,
    note: expect.stringContaining('CRLF in the shebang line of run.sh'),
  });
  expect(existsSync(spec.runFolder)).toBe(false);
  expect(startRun(prepare('', { user: 'no-such-user' }))).toMatchObject({
    outcome: 'refused',
    note: 'expected the user no-such-user on this host, found none',
  });
});

test('an environment that is too large is refused', () => {
  expect(
    startRun(prepare('', { env: { BIG: 'x'.repeat(5_000_000) } }), { launcher: 'direct' }),
  ).toMatchObject({
    outcome: 'refused',
    note: expect.stringContaining('larger than this system allows'),
  });
});

test('standard input is empty, there is no terminal, no signal is ignored', async () => {
  const { output, outcome } = await run(
    'read x; echo "read: $?"; (: </dev/tty) 2>/dev/null; echo "tty: $?"; umask; grep SigIgn /proc/$$/status',
  );
  expect(outcome).toBe('ok');
  expect(output).toMatch(/^read: 1\ntty: [12]\n0022\nSigIgn:\t0{16}\n$/);
});

test('of the files of a run only the log is open in its script', async () => {
  const { output, spec } = await run('ls -l /proc/$$/fd');
  const open = Array.from(output.matchAll(/ (\d+) -> (.*)/g), ([, fd, target]) => [fd, target]);
  const log = join(spec.runFolder, 'output.log');
  expect(open.filter(([, target]) => target === '/dev/null' || target?.startsWith(spec.runFolder))).toEqual([
    ['0', '/dev/null'],
    ['1', log],
    ['2', log],
  ]);
});

test('a script finds itself in the tree and git works in it, whoever owns it', async () => {
  const spec = prepare('pwd; git log --format=%s');
  execFileSync('git', ['init', '-q', spec.tree]);
  const identity = ['-c', 'user.name=x', '-c', 'user.email=x@example.com'];
  execFileSync('git', ['-C', spec.tree, ...identity, 'commit', '-qm', 'first', '--allow-empty']);
  if (process.getuid?.() === 0) execFileSync('chown', ['-R', '12345', spec.tree]);
  const started = start(spec);
  expect((await started.done).outcome).toBe('ok');
  expect(readFileSync(started.outputFile, 'utf8')).toBe(`${spec.tree}\nfirst\n`);
});

test('a daemon that holds the output open does not keep the run open, and lives on', async () => {
  const { outcome, spec, output } = await run('(sleep 300 &) ; setsid sleep 300 & echo done');
  expect([outcome, output]).toEqual(['ok', 'done\n']);
  expect(marked(spec).length).toBeGreaterThanOrEqual(2);
});

test('a script may delete its tree and its run folder', async () => {
  expect(await run('rm -rf "$PWD"; echo still here')).toMatchObject({
    outcome: 'ok',
    output: 'still here\n',
  });
  const spec = prepare('rm -rf "$(dirname "$PULLYU_CHANGED_FILES")"; exit 3');
  expect(await start(spec).done).toMatchObject({ outcome: 'failed', exitCode: 3 });
});

test('a script that kills its group meets itself and not the shim', async () => {
  expect(await run('trap "" TERM; kill 0; exit 4')).toMatchObject({ outcome: 'failed', exitCode: 4 });
  expect(await run('kill -9 0')).toMatchObject({ outcome: 'failed', signal: 'SIGKILL' });
});

test('a script that kills its parent is waited for, and counts as cut off', async () => {
  const spec = prepare('kill -9 $PPID; sleep 0.3; echo late');
  const started = start(spec);
  expect(await started.done).toMatchObject({
    outcome: 'interrupted',
    interruption: 'killed',
    exitCode: null,
  });
  expect(readFileSync(started.outputFile, 'utf8')).toContain('late\n');
});

test('a script that kills everything of its run leaves an interrupted one', async () => {
  expect(await run('kill -9 $PPID $$')).toMatchObject({ outcome: 'interrupted', interruption: 'killed' });
});

test('signals to the shim do not end the run', async () => {
  expect(await run('for s in TERM INT HUP QUIT; do kill -$s $PPID; done; sleep 0.1; exit 5')).toMatchObject({
    outcome: 'failed',
    exitCode: 5,
  });
});

needsRoot('mount', 'umount')('a disk that the script has filled loses no result', async () => {
  const spec = prepare('cat /dev/zero > "$(dirname "$PULLYU_CHANGED_FILES")/../fill"; exit 6');
  const small = join(folder.path, 'runs');
  mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small]);
  try {
    const started = start(spec);
    expect(await started.done).toMatchObject({ outcome: 'failed', exitCode: 6 });
    expect(readFileSync(join(spec.runFolder, 'result'), 'utf8')).toMatch(/^exit 6\n {57}$/);
    // And on a disk that is full from the start nothing is begun.
    const next = startRun(prepare('exit 0'), { launcher: 'direct' });
    expect(next).toMatchObject({
      outcome: 'interrupted',
      interruption: 'never-began',
      note: expect.stringContaining('no space is left'),
    });
  } finally {
    execFileSync('umount', ['-l', small]);
  }
});

test('output of any size is bounded: its first and its last part are kept', async () => {
  const { outcome, output } = await run('echo first; yes | head -c 1G; echo last', {
    limits: { outputMaxBytes: 100_000 },
  });
  expect(outcome).toBe('ok');
  expect(output.length).toBeLessThan(100_200);
  expect(output.length).toBeGreaterThan(90_000);
  expect(output).toMatch(/^first\ny\n/);
  expect(output).toMatch(/y\nlast\n$/);
  const missing = /\n\[pullyu: about (\d+) bytes of output are left out here\]\n/.exec(output)!;
  expect(Number(missing[1]) / 2 ** 30).toBeCloseTo(1, 1);
});

test('binary output without a newline is kept as it is, and shown without its tricks', async () => {
  const { output, spec } = await run("printf '\\000\\033[2J\\377\\r\\nx\\rprogress'");
  expect(Buffer.from(output).subarray(0, 5).toString('latin1')).toBe('\0\x1b[2J');
  expect(outputTail(join(spec.runFolder, 'output.log'), 1_000)).toBe('\\x00\\x1b[2J\ufffd\nx\nprogress');
});

test('no variable of an action is in the process list', async () => {
  const spec = prepare('sleep 300', { env: { TOKEN: 's3cret-value' } });
  const started = start(spec);
  await until(() => marked(spec).length >= 3, { what: 'shim, script and sleep' });
  for (const { pid } of marked(spec))
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain('s3cret');
  expect(statSync(spec.runFolder).mode & 0o777).toBe(0o700);
  started.end('superseded');
  expect((await started.done).outcome).toBe('superseded');
});

test('the first line comes within a few milliseconds: nothing heavy stands between', async () => {
  const spec = prepare('sleep 300');
  const started = start(spec);
  await until(() => marked(spec).length >= 3, { what: 'shim, script and sleep' });
  const names = marked(spec).map(({ pid }) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
  expect(names.sort()).toEqual(['run.sh', 'sh', 'sleep']);
  started.end('superseded');
  await started.done;
});

needsRoot('setpriv')(
  "root runs an action as another user, with that user's home and state folder",
  async () => {
    const spec = prepare(
      'id -un; id -G; echo $HOME; touch "$PULLYU_STATE_DIR/mine" && cat "$PULLYU_CHANGED_FILES" "$PULLYU_ROSTER" >/dev/null && echo ok; echo x >> /proc/self/fd/1; ls "$(dirname "$PULLYU_CHANGED_FILES")" 2>&1',
      { user: 'nobody' },
    );
    for (const path of [folder.path, spec.tree]) chmodSync(path, 0o755);
    const started = start(spec);
    await started.done;
    const [name, groups, home, ok, , listing] = readFileSync(started.outputFile, 'utf8').split('\n');
    const passwd = execFileSync('getent', ['passwd', 'nobody'], { encoding: 'utf8' }).split(':');
    expect([name, groups, home, ok]).toEqual([
      'nobody',
      execFileSync('id', ['-G', 'nobody'], { encoding: 'utf8' }).trim(),
      passwd[5],
      'ok',
    ]);
    expect(listing).toContain('Permission denied');
    expect(statSync(join(spec.stateFolder, 'mine')).uid).toBe(Number(passwd[2]));
  },
);

needsRoot('setpriv')('an agent that is not root refuses to run as somebody else', () => {
  const spec = prepare('id -un', { user: 'root' });
  process.seteuid?.('nobody');
  try {
    expect(startRun(spec)).toMatchObject({
      outcome: 'refused',
      note: 'to run as root the agent must be root, it is nobody',
    });
  } finally {
    process.seteuid?.(0);
  }
});

test('the check answers by its exit code', async () => {
  const spec = prepare('exit 0');
  const check = async (script: string) => {
    writeFileSync(join(spec.tree, 'check.sh'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const answer = await runCheck(spec, ['check.sh'], { launcher: 'direct' });
    expect(existsSync(`${spec.runFolder}.check`)).toBe(false);
    return answer;
  };
  expect(await check('echo why; exit 0')).toEqual({ answer: 'needed', note: null, tail: 'why\n' });
  expect(await check('exit 1')).toMatchObject({ answer: 'not-needed', note: null });
  expect(await check('exit 2')).toMatchObject({ answer: 'failed', note: 'the check did not answer: exit 2' });
  expect(await check('kill -9 $$')).toMatchObject({
    answer: 'failed',
    note: 'the check did not answer: ended by SIGKILL',
  });
  writeScript(join(spec.tree, 'check.sh'), 'sleep 300');
  const aborted = await runCheck(spec, ['check.sh'], { launcher: 'direct', signal: AbortSignal.abort() });
  expect(aborted).toMatchObject({ answer: 'failed', note: 'the check did not answer: superseded' });
  rmSync(join(spec.tree, 'check.sh'));
  expect(await runCheck(spec, ['check.sh'])).toMatchObject({
    answer: 'failed',
    note: expect.stringContaining('check.sh'),
  });
});

/** A service manager of one line: what is behind `--` becomes nobody's child. `$$` is a dollar to it. */
function fakeServiceManager(script: string): void {
  writeScript(join(folder.path, 'bin', 'systemd-run'), script);
  process.env.PATH = `${join(folder.path, 'bin')}:${path}`;
}
const path = process.env.PATH;
afterEach(() => {
  process.env.PATH = path;
});

test('a run that the service manager starts is watched without being our child', async () => {
  fakeServiceManager('while [ "$1" != -- ]; do shift; done; shift; setsid "$@" >/dev/null 2>&1 & exit 0');
  const spec = prepare('echo "$TOKEN"; ps -o ppid= $PPID >/dev/null; exit 4', { env: { TOKEN: "a'b" } });
  const started = start(spec, { launcher: 'systemd' });
  expect(await started.done).toMatchObject({ outcome: 'failed', exitCode: 4 });
  expect(readFileSync(started.outputFile, 'utf8')).toBe("a'b\n");
  expect(existsSync(join(spec.runFolder, 'environment'))).toBe(false);
});

test('a service manager that refuses means that the run never began, and what it said is the note', async () => {
  fakeServiceManager('echo "Failed to connect to bus" >&2; exit 1');
  const started = start(prepare('exit 0'), { launcher: 'systemd' });
  expect(await started.done).toMatchObject({
    outcome: 'interrupted',
    interruption: 'never-began',
    note: 'it could not be begun: Failed to connect to bus',
  });
});
