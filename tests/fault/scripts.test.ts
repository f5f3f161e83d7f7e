/** Scripts that behave as scripts do: PAINS section 4. None of them harms the next look. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GitServer, startGitServer } from '../../src/demo/git-server.ts';
import { isAlive, signalProcess } from '../../src/system/processes.ts';
import { startChild } from '../support/child.ts';
import { createHost, program, type Ran, type RunJson, type TestHost } from '../support/host.ts';
import { processesOf } from '../support/leaks.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { startSmartHttp } from '../support/smart-http.ts';
import { commitOfTree, currentTree } from '../support/tree.ts';
import { until } from '../support/until.ts';

let remote: Remote;
let server: GitServer;
let host: TestHost;

beforeAll(async () => {
  remote = await createRemote();
  server = await startGitServer({ folder: remote.folder });
  await remote.publish({ files: { readme: 'x\n' } });
  host = createHost({
    interval: '100ms',
    repos: { it: server.url(remote.path) },
    more: { limits: { outputMax: '64 KiB' } },
  });
  expect((await host.look()).code).toBe(0);
});

afterAll(async () => {
  await host?.close();
  await server?.close();
  remote?.[Symbol.dispose]();
});

interface Acted {
  readonly ran: Ran;
  readonly commit: string;
  readonly run: (RunJson & { note: string | null }) | undefined;
  output(): string;
}

let serial = 0;

interface ActOptions {
  /** More keys of the action in pullyu.yaml. */
  readonly action?: object;
  /** More actions. */
  readonly actions?: Record<string, object>;
  readonly files?: Record<string, string>;
  readonly scripts?: Record<string, string>;
  readonly at?: TestHost;
}

/** One commit with this script as the action `act`, and one look. */
async function act(script: string, o: ActOptions = {}): Promise<Acted> {
  const { at = host } = o;
  const commit = await publishAct(script, o);
  const ran = await at.look();
  const run = (await at.history()).find(
    (one) => one.commit === commit && one.action === 'act',
  ) as Acted['run'];
  return { ran, commit, run, output: () => readFileSync(run!.log, 'utf8') };
}

const QUICK = { delay: '100ms', max: '100ms', attempts: 3 };

function publishAct(script: string, o: ActOptions = {}): Promise<string> {
  const act = { run: 'act.sh', paths: ['act.sh', 'text'], retry: QUICK, ...o.action };
  return remote.publish({
    files: {
      // JSON is YAML.
      'pullyu.yaml': JSON.stringify({ actions: { act, ...o.actions } }),
      text: `${++serial}\n`,
      ...o.files,
    },
    scripts: { 'act.sh': `#!/bin/sh\n${script}\n`, ...o.scripts },
  });
}

/** The next commit, with a script that does its work, is applied as if nothing had been. */
async function expectNextGood(at: TestHost = host): Promise<void> {
  const { ran, commit, run } = await act('echo good', { at });
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
  expect(run).toMatchObject({ outcome: 'ok', attempt: 1 });
  expect((await at.status()).repos[0]).toMatchObject({ applied: commit, trouble: null });
  expect(await commitOfTree(at, remote.bare, [commit])).toBe(commit);
  await at.expectNoLeaks();
}

describe('a script that', () => {
  test('never ends is ended at its deadline, visibly, and the fix is run', async () => {
    const { ran, run } = await act('echo begun; sleep 600', { action: { timeout: '300ms' } });
    expect(ran.code).toBe(1);
    expect(run).toMatchObject({ outcome: 'timed-out', exitCode: null, note: 'not done after 0.3 s' });
    expect(await host.status()).toMatchObject({ actions: [{ name: 'act', state: 'failed' }] });
    await expectNextGood();
  });

  test('ignores TERM, forks twice and leaves its session is gone with all of it', async () => {
    // A host of its own: between TERM and KILL lie ten seconds.
    await using other = createHost({ repos: { it: server.url(remote.path) } });
    const script = [
      "trap '' TERM HUP INT",
      'setsid sh -c "trap \'\' TERM; while :; do sleep 1; done" &',
      '(setsid sh -c "sleep 601 & sleep 602" &)',
      'env -i sleep 603 &',
      'while :; do sleep 1; done',
    ].join('\n');
    const { run } = await act(script, { action: { timeout: '300ms' }, at: other });
    expect(run).toMatchObject({ outcome: 'timed-out' });
    expect(processesOf(other.root)).toEqual([]);
    await expectNextGood(other);
  });

  test('leaves a daemon that holds its output is not waited for, and the daemon lives on', async () => {
    const begun = Date.now();
    const { ran, run } = await act('(while :; do echo still here; sleep 0.05; done) &\necho left');
    expect(ran, ran.stdout).toMatchObject({ code: 0 });
    expect(run).toMatchObject({ outcome: 'ok' });
    expect(Date.now() - begun).toBeLessThan(20_000);
    const left = () => processesOf(host.root);
    const [daemon] = await until(() => left().length > 0 && left());
    const size = () => statSync(run!.log).size;
    const before = size();
    // It goes on, and what it says is bounded by housekeeping.
    await until(() => size() !== before);
    expect(isAlive(daemon!.identity)).toBe(true);
    for (const { identity } of left()) signalProcess(identity, 'SIGKILL');
    await expectNextGood();
  });

  test('prints without end, without lines, and in bytes, fills no disk', async () => {
    const { ran, run } = await act(
      'head -c 8000000 /dev/zero >&2; yes | head -c 8000000; head -c 3000000 /dev/urandom',
    );
    expect(ran, ran.stdout).toMatchObject({ code: 0 });
    expect(statSync(run!.log).size).toBeLessThan(70 * 1024);
    const { stdout } = await host.run(['logs', 'act']);
    expect(stdout).toMatch(/bytes of output are left out/);
    await expectNextGood();
  });

  test('waits for an answer gets none', async () => {
    const { ran, output } = await act(
      'read answer; echo "code $? answer <$answer>"; tty; echo "$DEBIAN_FRONTEND"',
    );
    expect(ran.code).toBe(0);
    expect(output()).toMatch(/code 1 answer <>\nnot a tty\nnoninteractive/);
  });

  test('says by its exit code what is to be done', async () => {
    const cases = [
      [3, { state: 'failed', reason: 'backing-off' }, 'working'],
      [75, { state: 'failed', reason: 'backing-off' }, 'working'],
      [78, { state: 'parked', reason: 'parked' }, 'wedged'],
    ] as const;
    for (const [code, expected, state] of cases) {
      const { ran, run } = await act(`exit ${code}`, { action: { retry: { delay: '1h', max: '1h' } } });
      expect(ran.code, String(code)).toBe(1);
      expect(run).toMatchObject({ outcome: 'failed', exitCode: code });
      const status = await host.status();
      expect(status.actions[0]).toMatchObject(expected);
      expect(status.host.state).toBe(state);
      expect(status.repos[0]?.applied).not.toBe(run?.commit);
    }
    await expectNextGood();
  });

  test('kills its parent, its group or the agent is waited for, and its end is known', async () => {
    const killers = {
      'its group': 'kill -9 0',
      'the group of its parent': 'kill -9 -- -$PPID; sleep 0.2; echo survived',
      'the agent':
        'kill -9 $(sed "s/.*\\"pid\\":\\([0-9]*\\).*/\\1/" $PULLYU_ROOT/var/lib/pullyu/lock); sleep 0.2; echo survived',
    };
    for (const [name, script] of Object.entries(killers)) {
      const commit = await publishAct(script, { action: { retry: { delay: '1h', max: '1h' } } });
      const ran = await host.look();
      if (name === 'the agent') {
        expect(ran.code).toBeNull();
        await host.look();
      }
      const runs = (await host.history()).filter((run) => run.commit === commit);
      expect(runs, name).toHaveLength(1);
      expect(runs[0]?.outcome, name).toBe(name === 'its group' ? 'failed' : 'ok');
    }
    await expectNextGood();
  });

  test('kills its parent alone is waited for, and run again', async () => {
    const { run } = await act(
      'test -e "$PULLYU_STATE_DIR/second" || { touch "$PULLYU_STATE_DIR/second"; kill -9 $PPID; sleep 0.3; }',
    );
    expect(run).toMatchObject({ outcome: 'interrupted' });
    await until(async () => (await host.look()).code === 0);
    expect((await host.history())[0]).toMatchObject({ outcome: 'ok', attempt: 2 });
    await expectNextGood();
  });

  test('removes its own folder, or edits it, is made good for, and told', async () => {
    const { ran } = await act('rm -rf "$PWD"/* "$PWD"/.git; echo gone');
    expect([0, 1]).toContain(ran.code);
    await expectNextGood();
    await act('echo edited >> text; echo new > untracked; chmod 600 act.sh');
    await host.run(['redo', 'act']);
    const again = await host.look();
    expect(again, again.stdout + again.stderr).toMatchObject({ code: 0 });
    expect(again.stdout).toMatch(/healed.*text/);
    await expectNextGood();
  });

  test('calls pullyu itself gets an answer at once', async () => {
    const { ran, output } = await act(
      `timeout 20 ${program} look; echo "look $?"; timeout 20 ${program} status --json | grep -c '"busy"'`,
    );
    expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
    expect(output()).toMatch(/look 5\n1\n/);
    await expectNextGood();
  });
});

describe('a script that fails always', () => {
  test('is tried less and less, then parked; the others go on, and a newer commit is tried at once', async () => {
    const more = {
      actions: { beside: { run: 'beside.sh' }, behind: { run: 'beside.sh', after: ['act'] } },
      scripts: { 'beside.sh': '#!/bin/sh\necho beside\n' },
    };
    const { ran, commit } = await act('exit 1', more);
    expect(ran.code).toBe(1);
    const state = async (name: string) => (await host.status()).actions.find((one) => one.name === name);
    expect(await state('beside')).toMatchObject({ state: 'ok' });
    expect(await state('behind')).toMatchObject({ lastRun: null });
    await until(async () => {
      await host.look();
      return (await state('act'))?.state === 'parked';
    });
    expect((await host.status()).host.state).toBe('wedged');
    const runs = (await host.history()).filter((run) => run.commit === commit && run.action === 'act');
    expect(runs.map(({ attempt }) => attempt)).toEqual([3, 2, 1]);
    await host.look();
    expect((await host.history())[0]?.id).toBe(runs[0]?.id);
    const fixed = await act('echo fixed', more);
    expect(fixed.ran, fixed.ran.stdout).toMatchObject({ code: 0 });
    expect(await state('behind')).toMatchObject({ state: 'ok' });
    expect((await host.status()).host.state).toBe('working');
    await host.expectNoLeaks();
  });

  test('does not hold back the commits that others need', async () => {
    const other = (version: number) => ({
      action: { retry: { delay: '1h', max: '1h' }, paths: ['act.sh'] },
      actions: { b: { run: 'b/b.sh' } },
      scripts: { 'b/b.sh': `#!/bin/sh\necho ${version}\n` },
    });
    for (const version of [1, 2, 3]) {
      const { commit } = await act('exit 1', other(version));
      const runs = (await host.history()).filter((run) => run.commit === commit);
      expect(runs.find(({ action }) => action === 'b')).toMatchObject({ outcome: 'ok' });
      // Each commit gives the one that fails another try.
      expect(runs.find(({ action }) => action === 'act')).toMatchObject({
        outcome: 'failed',
        attempt: version,
      });
    }
    await expectNextGood();
  });
});

test('a script finds the same world whoever calls the agent', async () => {
  const script =
    'set -u; echo "$HOME $PATH $LANG $USER $(umask) $PWD $(env | grep -E "^(TZ|NODE_OPTIONS|SSH_AUTH_SOCK|EDITOR)=")"; ulimit -c; ps -o nice= -p $$';
  const commit = await publishAct(script);
  const first = await host.look();
  expect(first.code).toBe(0);
  const wild = {
    TZ: 'Asia/Tokyo',
    LANG: 'de_DE.UTF-8',
    LC_ALL: 'tr_TR',
    SSH_AUTH_SOCK: '/x',
    EDITOR: 'vi',
    IFS: 'x',
  };
  for (const env of [wild, { HOME: '/nonexistent' }]) {
    expect((await host.run(['redo', 'act'])).code).toBe(0);
    // umask and priority come from a parent, so one is put in between.
    await using shell = startChild(
      ['sh', '-c', 'umask 077; exec "$@"', 'sh', program, '--root', host.root, 'look'],
      {
        env: { ...host.env, ...env },
      },
    );
    expect((await shell.ended).exitCode, shell.output()).toBe(0);
  }
  const outputs = (await host.history())
    .filter((run) => run.commit === commit)
    .map(({ log }) => readFileSync(log, 'utf8'));
  expect(outputs).toHaveLength(3);
  const [tree] = outputs.map((text) => text.replaceAll(host.root, 'ROOT'));
  expect(tree).toMatch(/^\/\S+ \/usr\/local\/sbin:\S+ C\.UTF-8 \w+ 0022 ROOT\/\S+ \n/);
  expect(new Set(outputs).size).toBe(1);
});

test('a secret is in no status, log, journal or process list, though scripts print what they can', async () => {
  const secret = 's3cr3t-in-a-file';
  await using web = await startSmartHttp(remote.folder);
  web.hook = (request, response) => {
    if (request.headers.authorization === `Basic ${Buffer.from(`agent:${secret}`).toString('base64')}`)
      return false;
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  };
  await using other = createHost();
  const file = join(other.root, 'credentials');
  writeFileSync(file, `username=agent\npassword=${secret}\n`, { mode: 0o600 });
  other.configure({ repos: { it: { remotes: [web.url(remote.path)], credentials: file } } });
  const nosy = [
    'env; set; git remote -v; git config --list; cat .git/config',
    'for f in /proc/[0-9]*; do tr "\\0" " " < $f/cmdline; done',
    'cat /proc/$PPID/environ; cat $PULLYU_ROOT/var/lib/pullyu/*.json $PULLYU_ROOT/var/lib/pullyu/journal.log',
    'exit 1',
  ].join('\n');
  const { ran } = await act(nosy, { at: other });
  expect(ran.code, ran.stdout + ran.stderr).toBe(1);
  const refused = join(other.root, 'other-credentials');
  writeFileSync(refused, `username=agent\npassword=${secret}-expired\n`);
  other.configure({ repos: { it: { remotes: [web.url(remote.path)], credentials: refused } } });
  await publishAct('exit 1');
  const shut = await other.look();
  expect(shut.stdout).toContain('auth-refused');
  const shown = await Promise.all(
    [
      ['status', '--json'],
      ['status'],
      ['history', '--json'],
      ['logs', 'act'],
      ['why', 'act'],
      ['doctor'],
    ].map((args) => other.run(args)),
  );
  const said = [ran, shut, ...shown].map(({ stdout, stderr }) => stdout + stderr).join('\n');
  for (const word of [secret, Buffer.from(`agent:${secret}`).toString('base64')]) {
    expect(said).not.toContain(word);
    expect(filesWith(other.state, word)).toEqual([]);
  }
});

function filesWith(folder: string, word: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const stats = statSync(join(folder, name), { throwIfNoEntry: false });
    return stats?.isFile() === true && readFileSync(join(folder, name), 'latin1').includes(word);
  });
}

test('the tree that a script works in is the commit that it was told', async () => {
  const { commit, output } = await act(
    'git rev-parse HEAD; git status --porcelain; git log -1 --format=%H; echo "$PULLYU_COMMIT"; pwd -P',
  );
  expect(output()).toBe(`${commit}\n${commit}\n${commit}\n${currentTree(host)}\n`);
});
