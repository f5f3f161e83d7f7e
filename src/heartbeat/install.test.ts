import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decidePaths } from '../system/paths.ts';
import { decideKind, type HeartbeatKind, planInstall, planUninstall } from './install.ts';
import type { Machine } from './machine.ts';
import { decidePlaces } from './places.ts';
import { applySteps } from './steps.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pullyu-install-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bare: Machine = {
  uid: 0,
  systemd: 'absent',
  userManager: false,
  lingers: false,
  cronFolder: false,
  crontab: false,
  cronDaemon: false,
};
const tools = { env: { PATH: '/usr/bin:/bin' } };

/** An installation below `folder`, with a program in place of pullyu that writes down how it was called. */
function site(
  machine: Partial<Machine> = {},
  more: { env?: Record<string, string>; intervalMs?: number } = {},
) {
  const paths = decidePaths(folder, {}, 0);
  const places = decidePlaces(paths, { uid: 0, env: {}, cronFolder: true });
  const bin = join(folder, 'pullyu.mjs');
  const calls = join(folder, 'calls');
  writeFileSync(
    bin,
    `import { appendFileSync } from 'node:fs';
     appendFileSync(${JSON.stringify(calls)}, JSON.stringify({ argv: process.argv.slice(2), env: process.env }) + '\\n');
     console.log('looked');`,
  );
  mkdirSync(paths.state, { recursive: true });
  const full = { ...bare, ...machine };
  const options = {
    paths,
    places,
    machine: full,
    launcher: { node: process.execPath, bin },
    hostId: 'h',
    intervalMs: more.intervalMs ?? 60_000,
    env: more.env ?? {},
    offsetSeconds: 0,
  };
  return {
    paths,
    places,
    install: (kind: HeartbeatKind) => applySteps(planInstall(kind, options).steps, tools),
    uninstall: () => applySteps(planUninstall(places, full).steps, tools),
    notes: (kind: HeartbeatKind) => planInstall(kind, options).notes,
    calls: () =>
      readText(calls)
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { argv: string[]; env: Record<string, string> }),
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Runs the command of a cron.d file as Debian's cron does: /bin/sh -c, a small environment, the home as folder. */
function runAsCron(cronFile: string) {
  const line = readFileSync(cronFile, 'utf8')
    .split('\n')
    .find((text) => text.startsWith('*'))!;
  const command = /^(?:\S+\s+){5}root\s+(.*)$/.exec(line)![1]!;
  const env = { HOME: '/root', LOGNAME: 'root', SHELL: '/bin/sh', PATH: '/usr/bin:/bin' };
  return spawnSync('/bin/sh', ['-c', command], { env, cwd: '/', encoding: 'utf8' });
}

describe('which heartbeat', () => {
  const cron = { ...bare, cronFolder: true, crontab: true };
  const systemd = { ...bare, systemd: 'running' as const };

  test('auto takes systemd where it runs, else cron, else none', () => {
    expect(decideKind('auto', { ...systemd, cronFolder: true }, true)).toBe('systemd');
    expect(decideKind('auto', cron, true)).toBe('cron');
    expect(decideKind('auto', bare, true)).toBe('none');
    expect(decideKind('auto', systemd, false)).toBe('none');
  });

  test('what the machine cannot do is refused with what it can', () => {
    expect(() => decideKind('systemd', cron, true)).toThrow(
      expect.objectContaining({
        message: 'systemd is not the init of this machine',
        hint: '--heartbeat cron',
      }),
    );
    expect(() => decideKind('cron', systemd, true)).toThrow(
      expect.objectContaining({ message: 'cron is not installed on this machine' }),
    );
    expect(() => decideKind('systemd', { ...systemd, uid: 1000 }, true)).toThrow(/no systemd of this user/);
  });

  test('a user without root needs the program crontab, not its folder', () => {
    expect(() => decideKind('cron', { ...bare, uid: 1000, cronFolder: true }, true)).toThrow(/not installed/);
    expect(decideKind('cron', { ...bare, uid: 1000, crontab: true }, true)).toBe('cron');
  });
});

describe('the line of cron', () => {
  test('calls the visible script, which looks; nothing is said to cron, so no mail is sent', () => {
    const host = site({}, { env: { http_proxy: 'http://proxy:3128' } });
    return host.install('cron').then(() => {
      const said = runAsCron(host.places.cronFile!);
      expect({ status: said.status, stdout: said.stdout, stderr: said.stderr }).toEqual({
        status: 0,
        stdout: '',
        stderr: '',
      });
      const [call] = host.calls();
      expect(call?.argv).toEqual(['--root', folder, 'look', '--heartbeat']);
      expect(call?.env).toMatchObject({ HOME: '/root', LANG: 'C.UTF-8', http_proxy: 'http://proxy:3128' });
      expect(call?.env.PATH).toContain('/usr/local/bin');
      expect(readText(host.places.log)).toBe('looked\n');
    });
  });

  test('does nothing, quietly, once the script was renamed', async () => {
    const host = site();
    await host.install('cron');
    renameSync(host.places.script, `${host.places.script}.off`);
    const said = runAsCron(host.places.cronFile!);
    expect({ status: said.status, output: said.stdout + said.stderr, calls: host.calls() }).toEqual({
      status: 0,
      output: '',
      calls: [],
    });
  });

  test('its log is bounded, and what a daemon writes to it goes on in the same file', async () => {
    const host = site();
    await host.install('cron');
    writeFileSync(host.places.log, 'x'.repeat(600 * 1024));
    const before = statSync(host.places.log).ino;
    runAsCron(host.places.cronFile!);
    expect(readText(host.places.log)).toBe('looked\n');
    expect(statSync(host.places.log).ino).toBe(before);
    expect(statSync(`${host.places.log}.1`).size).toBe(600 * 1024);
  });

  test('looks all the same when the log cannot be written', async () => {
    const host = site();
    await host.install('cron');
    mkdirSync(host.places.log);
    const said = runAsCron(host.places.cronFile!);
    expect(said.stdout + said.stderr).toBe('');
    expect(host.calls()).toHaveLength(1);
  });

  test('the environment file is read, never executed', async () => {
    const host = site();
    await host.install('cron');
    writeFileSync(
      host.places.environmentFile,
      `# comment\nA=plain words $(touch ${folder}/evil)\nB="quoted"\nC='single'\n9X=no\nbad name=x\n; touch ${folder}/evil\nLAST=x`,
    );
    expect(runAsCron(host.places.cronFile!).stderr).toBe('');
    const [call] = host.calls();
    expect(call?.env).toMatchObject({
      A: `plain words $(touch ${folder}/evil)`,
      B: 'quoted',
      C: 'single',
      LAST: 'x',
    });
    expect(() => statSync(join(folder, 'evil'))).toThrow();
  });

  test('finds another node when its own is gone, and says so in the log', async () => {
    const host = site();
    await host.install('cron');
    // Also when one of the two is alone.
    for (const file of [host.places.startScript, host.places.script]) {
      writeFileSync(file, readText(file).replace(`node=${process.execPath}`, 'node=/opt/gone/node'));
      runAsCron(host.places.cronFile!);
      expect(readText(host.places.log)).toContain('/opt/gone/node is gone');
      rmSync(host.places.log);
      rmSync(host.places.startScript, { force: true });
    }
  });
});

describe('an installation', () => {
  test('twice is harmless, and says what was kept', async () => {
    const host = site();
    const first = await host.install('cron');
    expect(first.map((r) => `${r.did} ${r.what}`)).toEqual([
      `wrote ${host.places.startScript}`,
      `wrote ${host.places.script}`,
      `wrote ${host.places.cronFile}`,
    ]);
    const second = await host.install('cron');
    expect(second.map((r) => r.did)).toEqual(['kept', 'kept', 'kept']);
  });

  test('of another kind takes the place of the one before', async () => {
    const host = site();
    await host.install('cron');
    await host.install('systemd');
    expect(readText(host.places.unitFile)).toContain('ExecStart=');
    expect(readText(host.places.cronFile!)).toBe('');
    await host.install('both');
    expect(readText(host.places.unitFile)).toContain('ExecStart=');
    expect(readText(host.places.cronFile!)).toContain('heartbeat.sh');
  });

  test('can be removed twice, and leaves what is not the heartbeat’s', async () => {
    const host = site();
    await host.install('both');
    writeFileSync(join(host.paths.state, 'journal.log'), 'x');
    const reports = await host.uninstall();
    expect(reports.map((r) => r.did)).toEqual(['removed', 'removed', 'removed', 'removed']);
    expect(await host.uninstall()).toEqual([]);
    expect(readText(join(host.paths.state, 'journal.log'))).toBe('x');
  });

  test('repairs the rights of its files, whatever the umask is', async () => {
    const host = site();
    const umask = process.umask(0o077);
    try {
      await host.install('cron');
      chmodSync(host.places.cronFile!, 0o666);
      await host.install('cron');
    } finally {
      process.umask(umask);
    }
    expect(statSync(host.places.cronFile!).mode & 0o777).toBe(0o644);
    expect(statSync(host.places.script).mode & 0o777).toBe(0o755);
  });

  test('that fails leaves nothing half-installed', async () => {
    const host = site();
    // A folder stands where the line of cron should go.
    mkdirSync(host.places.cronFile!, { recursive: true });
    await expect(host.install('cron')).rejects.toThrow();
    expect(readText(host.places.script)).toBe('');
  });

  test('below a root says that nothing on this machine reads it', () => {
    expect(site().notes('cron').join(' ')).toContain('nothing on this machine reads it there');
  });

  test('with an interval of seconds says how cron manages that', () => {
    expect(site({}, { intervalMs: 5_000 }).notes('cron').join(' ')).toContain('keeps a daemon running');
  });
});

describe('systemd', () => {
  /** A systemctl that writes down its calls, and fails at the verb that `failAt` names. */
  function withSystemctl(failAt = '') {
    const paths = decidePaths(folder, {}, 0);
    const places = { ...decidePlaces(paths, { uid: 0, env: {}, cronFolder: true }), registered: true };
    const fake = join(folder, 'systemctl');
    const log = join(folder, 'systemctl.log');
    writeFileSync(
      fake,
      `#!/bin/sh\necho "$*" >>${log}\n[ "$1" != "${failAt}" ] || { echo 'Job failed.' >&2; exit 1; }\n`,
      { mode: 0o755 },
    );
    const machine = { ...bare, systemd: 'running' as const, cronFolder: true, cronDaemon: true };
    const options = {
      paths,
      places,
      machine,
      launcher: { node: '/usr/bin/node', bin: '/opt/pullyu/bin/pullyu' },
      hostId: 'h',
      intervalMs: 60_000,
      env: {},
    };
    const fakeTools = { ...tools, systemctl: [fake] };
    return {
      places,
      said: () => readText(log).split('\n').filter(Boolean),
      forget: () => rmSync(log, { force: true }),
      install: (intervalMs = 60_000) =>
        applySteps(planInstall('systemd', { ...options, intervalMs }).steps, fakeTools),
      uninstall: () => applySteps(planUninstall(places, machine).steps, fakeTools),
    };
  }

  test('is told about a new unit, enables and starts it; the second time it only makes sure', async () => {
    const host = withSystemctl();
    const name = `${host.places.name}.service`;
    await host.install();
    expect(host.said()).toEqual(['daemon-reload', `enable ${name}`, `restart ${name}`]);
    host.forget();
    await host.install();
    expect(host.said()).toEqual([`enable ${name}`, `start ${name}`]);
  });

  test('is told before the unit goes, and not at all when there is none', async () => {
    const host = withSystemctl();
    await host.uninstall();
    expect(host.said()).toEqual([]);
    await host.install();
    host.forget();
    await host.uninstall();
    expect(host.said()).toEqual([`disable --now ${host.places.name}.service`, 'daemon-reload']);
    expect(readText(host.places.unitFile)).toBe('');
  });

  test('a unit that does not start is taken away again', async () => {
    const host = withSystemctl('restart');
    const name = `${host.places.name}.service`;
    await expect(host.install()).rejects.toThrow(/restart .*: Job failed\./);
    expect(readText(host.places.unitFile)).toBe('');
    expect(host.said().slice(-3)).toEqual([`stop ${name}`, `disable ${name}`, 'daemon-reload']);
  });

  test('a new unit that does not start gives its place back to the one that ran before', async () => {
    const good = withSystemctl();
    await good.install();
    const before = readText(good.places.unitFile);
    const bad = withSystemctl('restart');
    await expect(bad.install(600_000)).rejects.toThrow();
    expect(readText(bad.places.unitFile)).toBe(before);
    expect(bad.said().at(-1)).toBe(`enable --now ${bad.places.name}.service`);
  });
});
