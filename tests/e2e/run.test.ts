/** `pullyu run`: an action by hand, as the agent would run it or on a person's terminal. */
import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { holdAgent } from '../../src/agent/socket.ts';
import { startChild } from '../support/child.ts';
import { createHost, program, type TestHost } from '../support/host.ts';
import { needsRoot } from '../support/needs.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { sayRepository } from '../support/say.ts';
import { until } from '../support/until.ts';

const YAML = `actions:
  say: {run: say.sh, paths: [say.sh, text], retry: {delay: 1h, max: 1h}}
  other: {run: other.sh, paths: [other.sh], hosts: {part: db}}
  migrate: {run: migrate.sh, paths: [migrate.sh], kind: once}
`;
/** Says what it is told, what it reads and what it finds; ends as the file \`exit\` says. */
const SAY = `#!/bin/sh
echo "$PULLYU_REASON $PULLYU_ATTEMPT $(cat text)"
if read line; then echo "read $line"; else echo 'stdin is empty'; fi
echo "PATH=$PATH"
echo "tree=$(pwd)"
echo ran >> "$PULLYU_STATE_DIR/ran"
if [ -e "$PULLYU_STATE_DIR/wait" ]; then
  while [ -e "$PULLYU_STATE_DIR/wait" ]; do sleep 0.05; done
  echo 'waited'
fi
exit "$(cat "$PULLYU_STATE_DIR/exit" 2>/dev/null || echo 0)"
`;

async function publish(remote: Remote) {
  return remote.publish({
    files: { 'pullyu.yaml': YAML, text: 'one\n' },
    scripts: { 'say.sh': SAY, 'other.sh': '#!/bin/sh\n', 'migrate.sh': '#!/bin/sh\n' },
  });
}

const stateOf = (host: TestHost, name: string) => join(host.state, 'repos/it/state/say', name);
const reasons = async (host: TestHost) =>
  (await host.history()).filter(({ action }) => action === 'say').map(({ reason }) => reason);

test('--as-agent runs it as the agent does, shows its output, records it as manual and passes the outcome on', async () => {
  using remote = await createRemote();
  const commit = await publish(remote);
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  const ran = await host.run(['run', 'say', '--as-agent'], { input: 'typed\n' });
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stdout.split('\n')).toEqual([
    'manual 1 one',
    'stdin is empty',
    expect.stringMatching(
      /^PATH=\/usr\/local\/sbin:\/usr\/local\/bin:\/usr\/sbin:\/usr\/bin:\/sbin:\/bin(:\/|$)/,
    ),
    `tree=${join(host.state, 'repos/it/trees/a')}`,
    '',
  ]);
  expect(ran.stderr).toMatch(new RegExp(`^it/say at ${commit.slice(0, 7)}: ok in .*\\n$`));
  expect((await host.history())[0]).toMatchObject({ reason: 'manual', outcome: 'ok', exitCode: 0, commit });
  writeFileSync(stateOf(host, 'exit'), '3');
  const failed = await host.run(['run', 'it/say', '--as-agent']);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain('failed, exit code 3');
  expect((await host.history())[0]).toMatchObject({ reason: 'manual', outcome: 'failed', exitCode: 3 });
  // The history is the truth: what failed last is run again until it succeeds, by the agent too.
  writeFileSync(stateOf(host, 'exit'), '0');
  expect((await host.run(['why', 'say'])).stdout).toContain('failed with exit code 3');
  expect((await host.run(['run', 'say', '--as-agent'])).code).toBe(0);
  expect((await host.look()).code).toBe(0);
  expect(await reasons(host)).toEqual(['manual', 'manual', 'manual', 'first']);
  await host.expectNoLeaks();
});

test("on a terminal it has the person's input and PATH, and leaves the history alone", async () => {
  using remote = await createRemote();
  await publish(remote);
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  const runs = readdirSync(join(host.state, 'runs'));
  const ran = await host.run(['run', 'say'], {
    input: 'typed\n',
    env: { PATH: `${process.env.PATH}:/opt/mine` },
  });
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stdout).toContain('manual 1 one\nread typed\n');
  expect(ran.stdout).toContain(':/opt/mine\n');
  expect(ran.stderr).toContain('not recorded');
  expect(await reasons(host)).toEqual(['first']);
  expect(readdirSync(join(host.state, 'runs'))).toEqual(runs);
  const once = await host.run(['run', 'migrate']);
  expect(once).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('hint: pullyu run migrate --as-agent'),
  });
  expect((await host.run(['run', 'migrate', '--as-agent'])).code).toBe(0);
});

test('--tree runs what a directory holds, edits included, and records nothing', async () => {
  using remote = await createRemote();
  await publish(remote);
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  writeFileSync(join(remote.work, 'text'), 'edited\n');
  const more =
    'actions:\n  say: {run: say.sh}\n  fresh: {run: [sh, -c, "echo $PULLYU_ACTION; cat text; exit 9"]}\n';
  writeFileSync(join(remote.work, 'pullyu.yaml'), more);
  const ran = await host.run(['run', 'say', '--tree', '.', '--as-agent'], { cwd: remote.work });
  expect(ran.stdout).toContain('manual 1 edited\nstdin is empty\n');
  expect(ran.stdout).toContain(`tree=${remote.work}\n`);
  const fresh = await host.run(['run', 'fresh', '--tree', remote.work]);
  expect(fresh).toMatchObject({ code: 1, stdout: 'fresh\nedited\n' });
  expect(fresh.stderr).toContain('it/fresh: failed, exit code 9');
  expect(await reasons(host)).toEqual(['first']);
  const unknown = await host.run(['run', 'nope', '--tree', remote.work]);
  expect(unknown.stderr).toMatch(/expected an action of .*, found "nope"\nhint: there are say, fresh/);
  await host.expectNoLeaks();
});

test('a daemon runs it itself, and starts nothing while a person works on a terminal', async () => {
  using remote = await createRemote();
  await publish(remote);
  await using host = createHost({ interval: '100ms', repos: { it: remote.bare } });
  await host.start();
  await host.untilApplied(await remote.head());
  const ran = await host.run(['run', 'say', '--as-agent']);
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stdout).toContain('manual 1 one\nstdin is empty\n');
  expect(await reasons(host)).toEqual(['manual', 'first']);
  writeFileSync(stateOf(host, 'exit'), '3');
  expect((await host.run(['run', 'say', '--as-agent'])).stderr).toContain('failed, exit code 3');
  writeFileSync(stateOf(host, 'exit'), '0');
  await host.run(['redo', 'say']);
  await until(async () => (await reasons(host))[0] === 'redo', { what: 'the redo' });

  writeFileSync(stateOf(host, 'wait'), '');
  await using person = startChild([program, '--root', host.root, 'run', 'say'], { env: { ...host.env } });
  await until(() => person.output().includes('tree='), {
    what: 'the run on the terminal',
    found: person.output,
  });
  const next = await remote.publish({ files: { text: 'two\n' } });
  await until(async () => (await host.status()).repos[0]!.seen === next, {
    what: 'the daemon to see the commit',
  });
  expect(await host.run(['run', 'say', '--as-agent'])).toMatchObject({ code: 5 });
  expect(await host.look()).toMatchObject({ code: 5 });
  expect((await host.status()).repos[0]!.applied).not.toBe(next);
  writeFileSync(stateOf(host, 'exit'), '0');
  rmSync(stateOf(host, 'wait'));
  expect((await person.ended).exitCode).toBe(0);
  await host.untilApplied(next);
  await host.expectNoLeaks();
});

test('a person who is killed holds nobody up', async () => {
  using remote = await createRemote();
  await publish(remote);
  await using host = createHost({ interval: '100ms', repos: { it: remote.bare } });
  await host.start();
  await host.untilApplied(await remote.head());
  writeFileSync(stateOf(host, 'wait'), '');
  await using person = startChild([program, '--root', host.root, 'run', 'say'], { env: { ...host.env } });
  await until(() => person.output().includes('tree='), {
    what: 'the run on the terminal',
    found: person.output,
  });
  person.kill('SIGKILL');
  await person.close();
  rmSync(stateOf(host, 'wait'));
  await host.untilApplied(await remote.publish({ files: { text: 'two\n' } }));
});

test('Ctrl-C ends the run and its outcome is recorded, with and without a daemon', async () => {
  using remote = await createRemote();
  await publish(remote);
  await using host = createHost({ interval: '100ms', repos: { it: remote.bare } });
  await host.look();
  for (const daemon of [false, true]) {
    if (daemon) await host.start();
    writeFileSync(stateOf(host, 'wait'), '');
    await using person = startChild([program, '--root', host.root, 'run', 'say', '--as-agent'], {
      env: { ...host.env },
    });
    await until(() => person.output().includes('tree='), { what: 'the run', found: person.output });
    person.kill('SIGINT');
    expect((await person.ended).exitCode).toBe(1);
    expect(person.output()).toContain('ends the run');
    expect(person.output()).toContain('(ended by SIGTERM)');
    expect((await host.history())[0]).toMatchObject({ reason: 'manual', outcome: 'failed' });
    rmSync(stateOf(host, 'wait'));
  }
  await host.expectNoLeaks();
});

test('it is busy while a look runs an action, and says what does', async () => {
  using remote = await createRemote();
  await publish(remote);
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  writeFileSync(stateOf(host, 'wait'), '');
  await remote.publish({ files: { text: 'two\n' } });
  const looking = host.look();
  await until(
    () => existsSync(stateOf(host, 'ran')) && host.history().then((all) => all[0]!.outcome === null),
    {
      what: 'the look to run it',
    },
  );
  for (const args of [['--as-agent'], []]) {
    const ran = await host.run(['run', 'say', ...args]);
    expect(ran.code).toBe(5);
    expect(ran.stderr).toMatch(/error: pullyu look \(process \d+\) is at work\nhint: .*pullyu status/);
  }
  expect((await host.run(['status'])).stdout).toMatch(/ is busy with it\/say at [0-9a-f]{7} for \d+ s /);
  rmSync(stateOf(host, 'wait'));
  expect((await looking).code).toBe(0);
});

test('what cannot be run is refused with a reason', async () => {
  using remote = await createRemote();
  await publish(remote);
  await using host = createHost({ labels: { part: 'app' }, repos: { it: remote.bare } });
  expect((await host.run(['run', 'say'])).code).toBe(2);
  await host.look();
  const other = await host.run(['run', 'other', '--as-agent']);
  expect(other).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('is not for this host: it is for part=db'),
  });
  expect((await host.run(['run', 'other'])).code).toBe(4);
  expect((await host.run(['run', 'nope'])).stderr).toContain('there are say, other, migrate');
  expect((await host.run(['run', 'say', '--tree', '/nowhere'])).stderr).toContain(
    'expected a folder after --tree',
  );
  await host.run(['pause', '--for', '1h', '--reason', 'lunch']);
  const paused = await host.run(['run', 'say', '--as-agent']);
  expect(paused.code, paused.stderr).toBe(0);
  expect(paused.stderr).toContain('note: this host is paused');
});

needsRoot('setpriv')("another user's action runs as that user on a terminal too", async () => {
  using remote = await createRemote();
  await remote.publish({
    files: { 'pullyu.yaml': 'actions:\n  who: {run: who.sh, user: nobody}\n' },
    scripts: { 'who.sh': '#!/bin/sh\nid -un; echo "$HOME"; touch "$PULLYU_STATE_DIR/mine"; umask\n' },
  });
  await using host = createHost({ repos: { it: remote.bare } });
  chmodSync(host.root, 0o755);
  await host.look();
  const [agent, person] = [await host.run(['run', 'who', '--as-agent']), await host.run(['run', 'who'])];
  expect(person.code, person.stderr).toBe(0);
  expect(person.stdout).toBe(agent.stdout);
  expect(person.stdout).toMatch(/^nobody\n/);
});

test('status tells that a person keeps the agent from running anything', async () => {
  using remote = await createRemote();
  const first = await remote.publish(sayRepository('one'));
  await using host = createHost({ repos: { it: remote.bare } });
  await host.start();
  await host.untilApplied(first);
  const hold = await holdAgent(host.state, 10_000);
  if (hold === null || hold === 'busy') throw new Error(`expected a hold, found ${hold}`);
  expect((await host.run(['status'])).stdout).toMatch(/a person holds the runs since \d{4}-/);
  hold.release();
  await until(async () => !(await host.run(['status'])).stdout.includes('a person holds'));
});
