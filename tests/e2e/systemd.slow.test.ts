/** The heartbeat of systemd under a real systemd, in a container: what a unit file says is only proven by the manager that reads it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunJson, StatusJson } from '../support/host.ts';
import { needsRoot } from '../support/needs.ts';
import {
  bootContainer,
  CONTAINER_PROGRAMS,
  PULLYU,
  type SystemdContainer,
} from '../support/systemd-container.ts';
import { until } from '../support/until.ts';

const onMachine = needsRoot(...CONTAINER_PROGRAMS);
const unit = 'pullyu.service';
/** Standard error may hold progress, such as whom bootstrap waits for. */
const NO_ERROR = expect.not.stringMatching(/^(?:error|warning|hint):/m);
const HELD = `#!/bin/sh
echo "begin $PULLYU_INTERRUPTED" >>"$PULLYU_STATE_DIR/witness"
until [ -e /srv/release ]; do sleep 0.1; done
echo end >>"$PULLYU_STATE_DIR/witness"
`;

let machine: SystemdContainer;
const actions = new Map<string, string>();

/** Commits an action with that script, pushes, and returns the commit. */
async function publish(
  name: string,
  script: string,
  settings: Record<string, unknown> = {},
): Promise<string> {
  actions.set(name, JSON.stringify({ run: `${name}/run.sh`, ...settings }));
  machine.write(`/root/work/${name}/run.sh`, script, 0o755);
  machine.write(
    '/root/work/pullyu.yaml',
    `actions:\n${Array.from(actions, ([key, value]) => `  ${key}: ${value}\n`).join('')}`,
  );
  return machine.sh(
    `cd /root/work; git add .; git commit --quiet -m ${name}; git push --quiet origin main; git rev-parse HEAD`,
  );
}

async function history(action: string): Promise<RunJson[]> {
  return (await machine.pullyu(['history', action, '--json'])).json<RunJson[]>();
}

/** Waits until the newest run of the action is of that commit, and has a result. All its runs, newest first. */
function untilDone(action: string, commit: string): Promise<RunJson[]> {
  const done = async () => {
    const runs = await history(action);
    return runs[0]?.commit === commit && runs[0].outcome !== null && runs;
  };
  return until(done, {
    what: `${action} to be done at ${commit}`,
    found: story,
    everyMs: 100,
    timeoutMs: 40_000,
  });
}

/** For failures: what the agent and systemd said. */
async function story(): Promise<string> {
  const journal = await machine.run(['journalctl', '--no-pager', '-o', 'cat', '-n', '60']);
  return journal.stdout;
}

const log = async (run: RunJson | undefined) => machine.read(run?.log ?? '/no/run') ?? '';
const witness = (action: string, repo = 'it') =>
  machine.read(`/var/lib/pullyu/repos/${repo}/state/${action}/witness`) ?? '';
const untilWitness = (action: string, text: string) =>
  until(() => witness(action) === text, { what: `the witness of ${action}`, found: story });

async function show(name: string, ...args: string[]): Promise<Record<string, string>> {
  const { stdout } = await machine.run(['systemctl', ...args, 'show', name]);
  return Object.fromEntries(stdout.split('\n').map((line) => line.split(/=(.*)/s, 2) as [string, string]));
}

/** Waits until an agent is ready that is none of these, and returns its process id. */
function untilAgent(...others: string[]): Promise<string> {
  const ready = async () => {
    const { ActiveState, MainPID } = await show(unit);
    return ActiveState === 'active' && MainPID !== '0' && !others.includes(MainPID!) && MainPID;
  };
  return until(ready, { what: 'another agent', found: story, everyMs: 100, timeoutMs: 40_000 });
}

/** Settings of the unit for this test alone. */
async function dropIn(lines: string): Promise<void> {
  machine.write(`/etc/systemd/system/${unit}.d/test.conf`, `[Service]\nRestartSec=100ms\n${lines}\n`);
  await machine.sh(`systemctl daemon-reload; systemctl restart ${unit}`);
}

const release = () => machine.sh('touch /srv/release');
const again = () => machine.sh('rm -f /srv/release');

beforeAll(async () => {
  if (onMachine === test.skip) return;
  machine = await bootContainer();
  await machine.sh(`
    git config --system user.name Ada; git config --system user.email ada@example.com
    git init --quiet --bare --initial-branch=main /srv/it.git
    git init --quiet --initial-branch=main /root/work
    git -C /root/work remote add origin /srv/it.git
  `);
  machine.write(
    '/srv/git-server.mjs',
    "import { startGitServer } from '/opt/pullyu/dist/git-server.js'; await startGitServer({ folder: '/srv', port: 8080 });",
  );
}, 120_000);
afterAll(() => machine?.close());

describe('the heartbeat of systemd', () => {
  onMachine('bootstrap installs a unit that looks from then on', async () => {
    await publish('hello', '#!/bin/sh\necho hello >>"$PULLYU_STATE_DIR/witness"\n');
    const bootstrap = [
      'bootstrap',
      '/srv/it.git',
      '--heartbeat',
      'systemd',
      '--interval',
      '1s',
      '--label',
      'part=app',
    ];
    const ran = await machine.pullyu(bootstrap);
    expect(ran).toMatchObject({ code: 0, stderr: NO_ERROR });
    expect(ran.stdout).toContain(`started ${unit}`);
    expect(ran.stdout).toContain('well: all work is done');
    expect(witness('hello')).toBe('hello\n');

    expect(await show(unit)).toMatchObject({
      ActiveState: 'active',
      UnitFileState: 'enabled',
      Type: 'notify',
      WatchdogUSec: '3min',
      NRestarts: '0',
    });
    const doctor = await machine.pullyu(['doctor']);
    expect(doctor.stdout).toMatch(/^ok +heartbeat by systemd +pullyu\.service is active$/m);
    expect(doctor.stdout).toMatch(/^ok +looks /m);
    expect(doctor.code, doctor.stdout).toBe(0);
    const verify = await machine.run(['systemd-analyze', 'verify', unit]);
    expect(verify).toMatchObject({ code: 0, stderr: '' });

    const commit = await publish('hello', '#!/bin/sh\necho again >>"$PULLYU_STATE_DIR/witness"\n');
    await untilDone('hello', commit);
    expect(witness('hello')).toBe('hello\nagain\n');
    const status = (await machine.pullyu(['status', '--json'])).json<StatusJson>();
    expect(status.repos[0]).toMatchObject({ applied: commit, trouble: null });
    expect(String(status.agent.pid)).toBe(await untilAgent());
    expect((await show(unit)).StatusText).not.toBe('');
  });

  onMachine(
    'an action is not in the sandbox of the agent, but in a unit and an environment of its own',
    async () => {
      const commit = await publish(
        'free',
        `#!/bin/sh
      set -eu
      for folder in /etc /usr/local /srv /root /opt /var/lib /boot /home; do echo 1 >$folder/free; done
      echo 1 >/srv/of-nobody; chown nobody:nogroup /srv/of-nobody
      dpkg --configure -a; dpkg -l git >/dev/null; apt-get --simulate --quiet check >/dev/null
      cat /proc/self/cgroup
      for limit in NoNewPrivs Seccomp CapBnd CapEff; do
        [ "$(grep "^$limit:" /proc/self/status)" = "$(grep "^$limit:" /proc/1/status)" ] || echo "$limit is limited"
      done
      [ "$(readlink /proc/self/ns/mnt)" = "$(readlink /proc/1/ns/mnt)" ] || echo 'another mount namespace'
      grep SigIgn /proc/self/status; echo "umask $(umask)"; echo "read <$(cat)>"
      tty || true
      env | sed 's/^/env /'
      `,
      );
      const [run] = await untilDone('free', commit);
      const text = await log(run);
      expect(run, text).toMatchObject({ outcome: 'ok' });
      expect(text).toMatch(new RegExp(`:/.*/pullyu-run-${run!.id}\\.service$`, 'm'));
      expect(text).not.toContain('is limited');
      expect(text).not.toContain('another mount namespace');
      expect(text).toMatch(/^SigIgn:\t0+$/m);
      expect(text).toContain('umask 0022\nread <>\nnot a tty\n');
      expect(await machine.sh('stat -c %U /srv/of-nobody')).toBe('nobody');

      const page = readFileSync(join(import.meta.dirname, '../../docs/environment.md'), 'utf8');
      const documented = [...page.matchAll(/^\| `([A-Z_0-9<>]+)`/gm)].map(([, name]) =>
        name === 'PULLYU_LABEL_<KEY>' ? 'PULLYU_LABEL_PART' : name,
      );
      const found = [...text.matchAll(/^env (\w+)=/gm)].map(([, name]) => name);
      expect(found.sort()).toEqual(documented.filter((name) => name !== 'PULLYU_ROOT').sort());
      expect(text).toContain(`env PULLYU_COMMIT=${commit}\n`);
      expect(text).toContain('env HOME=/root\n');
      // The file that brought them is gone, and systemd cannot be asked for them.
      expect(await machine.sh(`ls "$(dirname ${run!.log})"`)).not.toContain('environment');
    },
  );

  onMachine('an action of another user runs as that user', async () => {
    const commit = await publish(
      'nobody',
      '#!/bin/sh\nid -un; echo "$HOME $USER"; touch /etc/forbidden; echo mine >"$PULLYU_STATE_DIR/witness"\n',
      { user: 'nobody' },
    );
    const [run] = await untilDone('nobody', commit);
    expect(run).toMatchObject({ outcome: 'ok' });
    expect(await log(run)).toMatch(/^nobody\n\/nonexistent nobody\ntouch: .*Permission denied\n$/);
    expect(await machine.sh('stat -c %U /var/lib/pullyu/repos/it/state/nobody/witness')).toBe('nobody');
  });

  onMachine('an action outlives a restart and a kill of the agent, and is recorded once', async () => {
    await dropIn('');
    await again();
    const commit = await publish('held', HELD);
    await untilWitness('held', 'begin 0\n');
    const first = await untilAgent();
    await machine.sh(`systemctl restart ${unit}`);
    const second = await untilAgent(first);
    await machine.sh(`kill -9 ${second}`);
    await untilAgent(first, second);
    expect((await history('held'))[0]).toMatchObject({ outcome: null });
    await release();
    const runs = await untilDone('held', commit);
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({ outcome: 'ok', attempt: 1 });
    expect(witness('held')).toBe('begin 0\nend\n');
  });

  onMachine(
    'words with new lines, quotes, dollars and percents reach a program as they are, also over a reload of systemd',
    async () => {
      const words = ['two\nlines', '$HOME', '%n %i', `"double" 'single'`, '\\', 'KillMode=control-group'];
      const commit = await publish(
        'words',
        '#!/bin/sh\nsystemctl daemon-reload\nprintf "<%s>\\n" "$@"\nsleep 8002 &\n',
        {
          run: ['words/run.sh', ...words],
        },
      );
      const [run] = await untilDone('words', commit);
      expect(run).toMatchObject({ outcome: 'ok' });
      expect(await log(run)).toBe(words.map((word) => `<${word}>\n`).join(''));
      expect(await machine.sh('pkill -f "[s]leep 8002"')).toBe('');
    },
  );

  onMachine('an action may restart the agent', async () => {
    const before = await untilAgent();
    const commit = await publish(
      'self',
      `#!/bin/sh\nset -e\necho begin >>"$PULLYU_STATE_DIR/witness"\nsystemctl restart ${unit}\necho end >>"$PULLYU_STATE_DIR/witness"\n`,
    );
    const runs = await untilDone('self', commit);
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({ outcome: 'ok' });
    expect(witness('self')).toBe('begin\nend\n');
    expect(await untilAgent()).not.toBe(before);
  });

  onMachine('the watchdog is fed by an agent that looks, and replaces one that does not', async () => {
    await dropIn('WatchdogSec=6s');
    const fed = async () => (await show(unit)).WatchdogTimestampMonotonic;
    const before = await fed();
    await until(async () => (await fed()) !== before, { what: 'the watchdog to be fed', found: story });
    const stopped = await untilAgent();
    await machine.sh(`kill -STOP ${stopped}`);
    await untilAgent(stopped);
    expect(await story()).toMatch(/Watchdog timeout/);
    const commit = await publish('after-watchdog', '#!/bin/sh\n');
    expect((await untilDone('after-watchdog', commit))[0]).toMatchObject({ outcome: 'ok' });
    await dropIn('');
  });

  onMachine('an action that takes too long leaves no process, whatever it did to hide one', async () => {
    const commit = await publish(
      'endless',
      `#!/bin/sh
      setsid sh -c 'trap "" TERM; while :; do sleep 7001; done' &
      env -i setsid sh -c '(sleep 7002 &); exec sleep 7003' &
      (env -i setsid sleep 7004 &)
      f() { (trap "" TERM; sleep 0.02; f) & }; f; f
      exec sleep 7005
      `,
      { timeout: '1s', retry: { delay: '1h', max: '1h' } },
    );
    const [run] = await untilDone('endless', commit);
    expect(run).toMatchObject({ outcome: 'timed-out' });
    expect(await machine.sh('pgrep -a -f "[s]leep 700" || true')).toBe('');
    expect(await machine.sh('pgrep -a -f "[e]ndless/run.sh" || true')).toBe('');
    expect(
      await machine.sh(`cat $(find /sys/fs/cgroup -path '*${run!.id}*' -name cgroup.procs) </dev/null`),
    ).toBe('');
    const { stdout } = await machine.run([
      'systemctl',
      'list-units',
      '--all',
      '--plain',
      '--no-legend',
      'pullyu-run-*',
    ]);
    expect(stdout.trim()).toBe('');
    // What failed keeps a host from being well.
    actions.delete('endless');
  });

  onMachine('a daemon that an action leaves behind lives on, also when the agent is restarted', async () => {
    const commit = await publish(
      'daemon',
      '#!/bin/sh\nsetsid sleep 8001 &\necho $! >"$PULLYU_STATE_DIR/witness"\n',
    );
    const [run] = await untilDone('daemon', commit);
    expect(run).toMatchObject({ outcome: 'ok' });
    const pid = witness('daemon').trim();
    const before = await untilAgent();
    await machine.sh(`systemctl daemon-reload; systemctl restart ${unit}`);
    await untilAgent(before);
    expect(await machine.sh(`tr '\\0' ' ' </proc/${pid}/cmdline`)).toBe('sleep 8001');
    expect(await machine.sh(`cat /proc/${pid}/cgroup`)).toContain(`/pullyu-run-${run!.id}.service`);
    await machine.sh(`kill ${pid}`);
  });

  onMachine('a unit that starts while somebody looks waits for them, and is ready', async () => {
    await again();
    await machine.sh(`systemctl stop ${unit}`);
    const commit = await publish('long', HELD);
    const look = machine.pullyu(['look']);
    await untilWitness('long', 'begin 0\n');
    await machine.sh(`systemctl start ${unit}`, { timeoutMs: 10_000 });
    expect((await show(unit)).StatusText).toContain('waits for pullyu look');
    await release();
    expect(await look).toMatchObject({ code: 0 });
    expect(await untilDone('long', commit)).toHaveLength(1);
    const after = await publish('after-long', '#!/bin/sh\n');
    expect((await untilDone('after-long', after))[0]).toMatchObject({ outcome: 'ok' });
  });

  onMachine(
    'an administrator limits all runs by one file; a run that a reboot cuts off is run again',
    async () => {
      const settings = '[Service]\nTimeoutStopSec=1s\nNice=7\n';
      machine.write('/etc/systemd/system/pullyu-run-.service.d/limits.conf', settings);
      await machine.sh('systemctl daemon-reload');
      await again();
      const commit = await publish('rebooted', HELD.replace('\n', '\nnice\n'));
      await untilWitness('rebooted', 'begin 0\n');
      await machine.reboot();
      await untilWitness('rebooted', 'begin 0\nbegin 1\n');
      await release();
      const runs = await untilDone('rebooted', commit);
      expect(runs.map(({ outcome, reason }) => ({ outcome, reason }))).toEqual([
        { outcome: 'ok', reason: 'interrupted' },
        { outcome: 'interrupted', reason: 'first' },
      ]);
      expect(await log(runs[0])).toBe('7\n');
    },
  );

  onMachine(
    'after a power cut the agent comes back by itself, and an action that was cut off is run again',
    async () => {
      await again();
      const commit = await publish('cut', HELD);
      await untilWitness('cut', 'begin 0\n');
      await machine.sh('sync');
      await machine.cutPower();
      await untilWitness('cut', 'begin 0\nbegin 1\n');
      await release();
      const runs = await untilDone('cut', commit);
      expect(runs.map(({ outcome, reason }) => ({ outcome, reason }))).toEqual([
        { outcome: 'ok', reason: 'interrupted' },
        { outcome: 'interrupted', reason: 'first' },
      ]);
    },
  );

  onMachine('a state folder that was removed does not keep the unit down', async () => {
    await machine.sh(`systemctl stop ${unit}; mv /var/lib/pullyu /var/lib/away`);
    await machine.sh(`systemctl start ${unit}`);
    await untilAgent();
    expect(await machine.sh('stat -c %a /var/lib/pullyu')).toBe('711');
    await machine.sh(
      `systemctl stop ${unit}; rm -rf /var/lib/pullyu; mv /var/lib/away /var/lib/pullyu; systemctl start ${unit}`,
    );
    await untilAgent();
  });

  onMachine('with both, cron replaces an agent that hangs when systemd does not', async () => {
    const ran = await machine.pullyu(['install', '--heartbeat', 'both', '--offset', '0']);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toContain('wrote /etc/cron.d/pullyu');
    expect((await machine.pullyu(['doctor'])).stdout).toMatch(/^ok +heartbeat by systemd /m);
    const hanging = await untilAgent();
    await machine.sh(`kill -STOP ${hanging}`);
    await machine.sh('/etc/pullyu/heartbeat.sh');
    expect((await show(unit)).MainPID).toBe(hanging);
    // An hour passes: its last signs of life are that old.
    await machine.sh(`cd /var/lib/pullyu; touch -d '1 hour ago' lock
      node -e 'const s = JSON.parse(fs.readFileSync("state.json")); s.lastLookAt -= 3600e3; fs.writeFileSync("state.json", JSON.stringify(s))'`);
    await machine.sh('/etc/pullyu/heartbeat.sh');
    await untilAgent(hanging);
  });

  onMachine('from systemd to cron and back, one agent is at work', async () => {
    const toCron = await machine.pullyu(['install', '--heartbeat', 'cron', '--offset', '0']);
    expect(toCron).toMatchObject({ code: 0, stderr: '' });
    expect((await machine.run(['systemctl', 'is-enabled', unit])).code).not.toBe(0);
    expect(await machine.sh('pgrep -f "[p]ullyu agent" || true')).toBe('');
    await machine.sh('/etc/pullyu/heartbeat.sh');
    const pid = () => machine.pullyu(['status', '--json']).then((ran) => ran.json<StatusJson>().agent.pid);
    const daemon = await until(pid, { what: 'the daemon of cron' });

    const toSystemd = await machine.pullyu(['install', '--heartbeat', 'systemd']);
    expect(toSystemd).toMatchObject({ code: 0, stderr: '' });
    expect(machine.read('/etc/cron.d/pullyu')).toBeNull();
    const agent = await untilAgent();
    expect(agent).not.toBe(String(daemon));
    expect(await machine.sh('pgrep -f "[p]ullyu agent"')).toBe(agent);
    const commit = await publish('after-cron', '#!/bin/sh\n');
    expect((await untilDone('after-cron', commit))[0]).toMatchObject({ outcome: 'ok' });

    await machine.sh(`systemctl stop ${unit}; setsid ${PULLYU} agent >/dev/null 2>&1 </dev/null &`);
    const byHand = await until(pid, { what: 'an agent that was started by hand' });
    const refused = await machine.pullyu(['install', '--heartbeat', 'systemd']);
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain(`neither systemd nor cron started is at work (process ${byHand})`);
    await machine.sh(`kill ${byHand}; while kill -0 ${byHand} 2>/dev/null; do sleep 0.1; done`);
    expect(await machine.pullyu(['install', '--heartbeat', 'systemd'])).toMatchObject({
      code: 0,
      stderr: '',
    });
    await untilAgent();
  });

  onMachine('a second host below a root of an odd name has a unit of its own', async () => {
    // The new hosts of this and the next tests need not do all of that again.
    actions.clear();
    await publish('hello', '#!/bin/sh\n');
    const root = '/srv/o "ne" %h $HOME';
    const two = (...args: string[]) => machine.pullyu(['--root', root, ...args]);
    expect(await two('bootstrap', '/srv/it.git', '--interval', '1s')).toMatchObject({
      code: 0,
      stderr: NO_ERROR,
    });
    const ran = await two('install', '--heartbeat', 'systemd', '--system');
    expect(ran).toMatchObject({ code: 0, stderr: NO_ERROR });
    const name = /started (pullyu-[0-9a-f]{8}\.service)/.exec(ran.stdout)?.[1] ?? 'none';
    expect(await show(name)).toMatchObject({ ActiveState: 'active', UnitFileState: 'enabled' });
    const commit = await publish('root', '#!/bin/sh\necho "$PULLYU_ROOT" >>"$PULLYU_STATE_DIR/witness"\n');
    const file = `${root}/var/lib/pullyu/repos/it/state/root/witness`;
    await until(() => machine.read(file) === `${root}\n`, { what: 'the second host', found: story });
    await untilDone('root', commit);
    const status = (await two('status', '--json')).json<StatusJson>();
    expect(String(status.agent.pid)).toBe((await show(name)).MainPID);
    expect(await two('uninstall', '--system')).toMatchObject({ code: 0, stderr: '' });
    expect(await show(name)).toMatchObject({ LoadState: 'not-found', ActiveState: 'inactive' });
    expect(await show(unit)).toMatchObject({ ActiveState: 'active' });
  });

  onMachine(
    'an action that upgrades pullyu to a version that does not start, or hangs, does not cut the host off',
    async () => {
      const bin = '/opt/pullyu/bin/pullyu';
      await until(() => machine.read('/var/lib/pullyu/proven/identity'), { what: 'a copy of what works' });
      await dropIn('TimeoutStartSec=2s');
      await machine.sh(`cp ${bin} /srv/good`);
      for (const broken of ['process.exit(1)', 'setInterval(() => {}, 1000)']) {
        const script = `#!/bin/sh\necho '${broken}' >${bin}\nsystemctl restart --no-block ${unit}\necho ok >"$PULLYU_STATE_DIR/witness"\n`;
        await publish('upgrade', script);
        await untilWitness('upgrade', 'ok\n');
        await publish('after', `#!/bin/sh\necho '${broken}' >"$PULLYU_STATE_DIR/witness"\n`);
        await untilWitness('after', `${broken}\n`);
        expect(await story()).toContain('the last version that did is started in its place');
        // The installed one comes back, and is taken.
        await machine.sh(`cp /srv/good ${bin}`);
        await until(() => machine.read('/var/lib/pullyu/trial') === null, {
          found: story,
          timeoutMs: 40_000,
        });
        expect((await machine.pullyu(['doctor', '--offline'])).stdout).not.toContain('program');
      }
      await machine.sh(
        `rm -r /etc/systemd/system/${unit}.d; systemctl daemon-reload; systemctl restart ${unit}`,
      );
      for (const name of ['upgrade', 'after']) actions.delete(name);
    },
  );

  onMachine('runs need no system bus', async () => {
    await machine.sh('systemctl stop dbus.socket dbus.service');
    const commit = await publish('no-bus', '#!/bin/sh\n');
    expect((await untilDone('no-bus', commit))[0]).toMatchObject({ outcome: 'ok' });
    await machine.sh('systemctl start dbus.socket');
  });

  onMachine('the sandbox lets remotes of http and ssh in', async () => {
    await machine.sh(`
      git clone --quiet --bare /srv/it.git /srv/web.git
      systemd-run --quiet --unit=git-server node /srv/git-server.mjs
      mkdir -p /srv/ssh /run/sshd
      ssh-keygen -q -t ed25519 -N '' -f /srv/ssh/host; ssh-keygen -q -t ed25519 -N '' -f /root/deploy
      cp /root/deploy.pub /srv/ssh/authorized
      echo "[127.0.0.1]:2222 $(cat /srv/ssh/host.pub)" >/etc/pullyu/known_hosts
      systemd-run --quiet --unit=ssh-server /usr/sbin/sshd -D -e -f /dev/null -p 2222 -h /srv/ssh/host -o UsePAM=no -o StrictModes=no \
        -o AuthorizedKeysFile=/srv/ssh/authorized -o PermitRootLogin=prohibit-password
    `);
    await until(() => machine.sh('git ls-remote http://127.0.0.1:8080/web.git'), { what: 'the git server' });
    const web = await machine.pullyu([
      'bootstrap',
      'http://127.0.0.1:8080/web.git',
      '--heartbeat',
      'systemd',
    ]);
    expect(web).toMatchObject({ code: 0, stderr: NO_ERROR });
    const ssh = ['--ssh-key', '/root/deploy', '--known-hosts', '/etc/pullyu/known_hosts', '--name', 'key'];
    const key = await machine.pullyu(['bootstrap', 'ssh://root@127.0.0.1:2222/srv/web.git', ...ssh]);
    expect(key).toMatchObject({ code: 0, stderr: NO_ERROR });

    await machine.sh('git -C /root/work remote add web /srv/web.git');
    const commit = await publish('hello', '#!/bin/sh\necho far >>"$PULLYU_STATE_DIR/witness"\n');
    await machine.sh('git -C /root/work push --quiet web main');
    const applied = async () => {
      const { repos } = (await machine.pullyu(['status', '--json'])).json<StatusJson>();
      return repos.every((repo) => repo.applied === commit && repo.trouble === null) && repos;
    };
    const repos = await until(applied, { what: 'all three repos', found: story, everyMs: 200 });
    expect(repos.map((repo) => repo.name).sort()).toEqual(['it', 'key', 'web']);
    for (const repo of ['web', 'key']) expect(witness('hello', repo)).toContain('far\n');
    const doctor = await machine.pullyu(['doctor']);
    expect(doctor.code, doctor.stdout).toBe(0);
  });

  onMachine('uninstall stops and removes the unit; journal and configuration stay', async () => {
    const ran = await machine.pullyu(['uninstall']);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect((await machine.run(['systemctl', 'is-enabled', unit])).code).not.toBe(0);
    expect(await show(unit)).toMatchObject({ LoadState: 'not-found', ActiveState: 'inactive' });
    expect(await machine.sh('pgrep -f "[p]ullyu agent" || true')).toBe('');
    expect(machine.read('/etc/pullyu/host.yaml')).toContain('part: app');
    expect((await history('it/no-bus'))[0]).toMatchObject({ outcome: 'ok' });
    expect(await machine.sh('find /etc/systemd /etc/cron.d -name "*pullyu*" -not -name "*.d"')).toBe('');
    const purge = await machine.pullyu(['uninstall', '--purge']);
    expect(purge).toMatchObject({ code: 0, stderr: '' });
    expect(machine.read('/var/lib/pullyu/journal.log')).toBeNull();
  });

  onMachine("an ordinary user's agent runs under the user's own systemd", async () => {
    machine.write(
      '/etc/systemd/system/user@.service.d/test.conf',
      '[Service]\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n',
    );
    const uid = await machine.sh(
      'useradd --create-home ann; systemctl daemon-reload; loginctl enable-linger ann; id -u ann',
    );
    const ann = { user: 'ann', env: { HOME: '/home/ann', XDG_RUNTIME_DIR: `/run/user/${uid}`, USER: 'ann' } };
    await until(() => machine.sh('systemctl --user is-active default.target', ann), {
      what: "ann's systemd",
      found: story,
    });
    await machine.sh(
      'systemctl is-active git-server || systemd-run --quiet --unit=git-server node /srv/git-server.mjs',
    );
    actions.clear();
    await publish('mine', '#!/bin/sh\nid -un; cat /proc/self/cgroup\n');
    await until(() => machine.sh('git ls-remote http://127.0.0.1:8080/it.git'), { what: 'the git server' });
    const ran = await machine.pullyu(
      ['bootstrap', 'http://127.0.0.1:8080/it.git', '--heartbeat', 'systemd', '--interval', '1s'],
      ann,
    );
    expect(ran).toMatchObject({ code: 0, stderr: NO_ERROR });
    expect(ran.stdout).toContain(`started ${unit}`);
    expect(await machine.sh(`systemctl --user is-active ${unit}`, ann)).toBe('active');
    const doctor = await machine.pullyu(['doctor'], ann);
    expect(doctor.code, doctor.stdout).toBe(0);

    const logs = await machine.pullyu(['logs', 'mine'], ann);
    expect(logs.stdout).toMatch(/^ann\n/);
    const uninstall = await machine.pullyu(['uninstall'], ann);
    expect(uninstall).toMatchObject({ code: 0, stderr: '' });
    expect((await machine.run(['systemctl', '--user', 'is-enabled', unit], ann)).code).not.toBe(0);
  });
});
