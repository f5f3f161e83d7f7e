import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { needsProgram, needsRoot } from '../../tests/support/needs.ts';
import { decidePaths } from '../system/paths.ts';
import { decidePlaces } from './places.ts';
import { renderUnit } from './systemd.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pullyu-unit-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Variant {
  uid?: number;
  root?: string;
  node?: string;
  bin?: string;
  intervalMs?: number;
  writable?: string[];
}

function unit(variant: Variant = {}) {
  const env = { HOME: '/home/ann' };
  const uid = variant.uid ?? 0;
  const paths = decidePaths(variant.root, env, uid);
  const places = decidePlaces(paths, { uid, env, system: true, cronFolder: true });
  const text = renderUnit(places, {
    launcher: { node: variant.node ?? process.execPath, bin: variant.bin ?? '/opt/pullyu/bin/pullyu' },
    root: paths.root,
    state: paths.state,
    intervalMs: variant.intervalMs ?? 60_000,
    restartSeconds: 7,
    ...(variant.writable === undefined ? {} : { writable: variant.writable }),
  });
  return { places, text };
}

test('the unit starts the agent of this very program, restarts it for ever and watches it', () => {
  const { places, text } = unit({ node: '/usr/bin/node' });
  expect(places.unitFile).toBe('/etc/systemd/system/pullyu.service');
  expect(text.split('\n')).toEqual(
    expect.arrayContaining([
      'ExecStart=/bin/sh /etc/pullyu/start.sh agent',
      'Type=notify',
      'NotifyAccess=all',
      'Restart=always',
      'StartLimitIntervalSec=0',
      'WatchdogSec=180',
      'KillMode=process',
      'ReadWritePaths=-/var/lib/pullyu',
      'ExecStartPre=+/bin/mkdir -p -m 711 -- /var/lib/pullyu',
      'WantedBy=multi-user.target',
    ]),
  );
  expect(text).not.toContain('Requires=');
});

test('the folder of the metrics can be written in the sandbox too', () => {
  const { text } = unit({ writable: ['/var/lib/prometheus/node exporter'] });
  expect(text).toContain('\nReadWritePaths=-/var/lib/pullyu "-/var/lib/prometheus/node exporter"\n');
});

test('the watchdog waits for at least three intervals', () => {
  expect(unit({ intervalMs: 600_000 }).text).toContain('WatchdogSec=1800\n');
  expect(unit({ intervalMs: 5_000 }).text).toContain('WatchdogSec=180\n');
});

test("a user's unit lies in the user's folder and has no sandbox that only root can have", () => {
  const { places, text } = unit({ uid: 1000 });
  expect(places.unitFile).toBe('/home/ann/.config/systemd/user/pullyu.service');
  expect(text).toContain('WantedBy=default.target');
  expect(text).not.toContain('ProtectSystem');
});

test('every root has a unit of its own', () => {
  const one = unit({ root: '/srv/one' });
  const two = unit({ root: '/srv/two' });
  expect(one.places.unitFile).toMatch(/^\/etc\/systemd\/system\/pullyu-[0-9a-f]{8}\.service$/);
  expect(two.places.unitFile).not.toBe(one.places.unitFile);
  expect(one.text).toContain('/bin/sh /srv/one/etc/pullyu/start.sh agent');
});

test('a path with a new line in it cannot smuggle a setting into the unit', () => {
  expect(() => unit({ root: '/srv/x\nExecStartPre=/bin/evil' })).toThrow(/cannot hold the path/);
});

needsProgram('systemd-analyze')(
  'systemd itself finds nothing to complain about, whatever the paths are',
  () => {
    const variants: Record<string, Variant> = {
      'plain.service': {},
      'user.service': { uid: 1000 },
      'root.service': { root: '/srv/one' },
      'odd.service': { root: `/srv/it's 100% "odd" $HOME \\x` },
    };
    for (const [name, variant] of Object.entries(variants)) {
      const file = join(folder, name);
      writeFileSync(file, unit({ ...variant, bin: process.execPath }).text);
      const said = spawnSync('systemd-analyze', ['verify', '--man=no', file], {
        encoding: 'utf8',
        env: { PATH: process.env.PATH },
      });
      expect({
        name,
        status: said.status,
        said: said.stderr.split('\n').filter((line) => line.includes(name)),
      }).toEqual({
        name,
        status: 0,
        said: [],
      });
    }
  },
);

const systemd = '/lib/systemd/systemd';

needsRoot('systemd-analyze', 'setpriv')('systemd reads back the very words that were meant', () => {
  const path = `/srv/it's 100% "odd" $HOME \\x`;
  for (const name of ['units', 'run', 'home']) mkdirSync(join(folder, name));
  const { text } = unit({ root: path, node: '/bin/echo', bin: '/bin/true' });
  writeFileSync(join(folder, 'units/pullyu.service'), text);
  writeFileSync(join(folder, 'units/basic.target'), '');
  writeFileSync(join(folder, 'units/default.target'), '[Unit]\nWants=pullyu.service\n');
  for (const name of ['', 'units', 'run', 'home']) chownSync(join(folder, name), 65534, 65534);
  // A user manager in test mode: loads the units, prints what it understood, starts nothing. It refuses to run as root.
  const manager = ['--reuid=65534', '--clear-groups', systemd, '--user', '--test', '--log-target=console'];
  const said = spawnSync('setpriv', manager, {
    encoding: 'utf8',
    env: {
      HOME: join(folder, 'home'),
      XDG_RUNTIME_DIR: join(folder, 'run'),
      SYSTEMD_UNIT_PATH: join(folder, 'units'),
    },
    timeout: 20_000,
  });
  const lines = `${said.stdout}${said.stderr}`.split('\n').map((line) => line.trim());
  expect(lines).toContain(
    `Command Line: /bin/sh "/srv/it's 100% \\"odd\\" \\$\\$HOME \\\\x/etc/pullyu/start.sh" agent`,
  );
  expect(lines).toContain(`ReadWritePaths: -${path}/var/lib/pullyu`);
  expect(lines).toContain(`EnvironmentFile: -${path}/etc/pullyu/environment`);
});

needsProgram('systemd-analyze')('the sandbox of the agent is judged as hardened', () => {
  const file = join(folder, 'pullyu.service');
  writeFileSync(file, unit().text);
  const said = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', file], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  const exposure = /Overall exposure level for \S+: ([0-9.]+)/.exec(said.stdout)?.[1];
  expect(Number(exposure)).toBeLessThan(5);
});
