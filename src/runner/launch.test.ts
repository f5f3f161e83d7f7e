import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import type { RunId } from '../model/ids.ts';
import {
  chooseLauncher,
  formatEnvironmentFile,
  type LauncherFacts,
  shimArgv,
  shimPath,
  systemdArgv,
  wrapCommand,
} from './launch.ts';

const service: LauncherFacts = {
  env: { INVOCATION_ID: '0f', SYSTEMD_EXEC_PID: '7' },
  pid: 7,
  uid: 0,
  systemdIsInit: true,
};
const call = { id: 'r1' as RunId, runFolder: '/runs/r1', tree: '/tree', command: ['/bin/echo', '$HOME'] };

test('only an agent that is a systemd service and root lets the service manager start its runs', () => {
  const choose = (more: Partial<LauncherFacts>) => chooseLauncher({ ...service, ...more });
  expect(choose({})).toBe('systemd');
  expect(choose({ env: { INVOCATION_ID: '0f' } })).toBe('systemd');
  expect(choose({ pid: 8 })).toBe('direct'); // a child of some service, such as a shell or a build
  expect(choose({ env: {} })).toBe('direct');
  expect(choose({ uid: 1000 })).toBe('direct');
  expect(choose({ systemdIsInit: false })).toBe('direct');
  expect(choose({ env: { PULLYU_RUNS: 'systemd-run' } })).toBe('systemd');
});

test('the service manager is asked for a unit outside ours, which leaves daemons alone', () => {
  expect(systemdArgv(call, '/shim.sh')).toEqual([
    'systemd-run',
    '--collect',
    '--quiet',
    '--no-ask-password',
    '--unit=pullyu-run-r1.service',
    '--description=A run of pullyu',
    '--property=KillMode=process',
    '--property=OOMPolicy=continue',
    '--property=TimeoutStopSec=30',
    '--property=IgnoreSIGPIPE=no',
    '--property=StandardInput=null',
    '--property=StandardOutput=null',
    '--property=StandardError=null',
    '--',
    ...['/usr/bin/env', '-i', 'PULLYU_RUN_ID=r1'],
    ...['/bin/sh', '/shim.sh', '/runs/r1', '/tree', 'file', '/bin/echo', '$$HOME'],
  ]);
});

test('the command runs in a session of its own, and as another user when one is wanted', () => {
  const shop = { name: 'shop', uid: 1001, gid: 33, home: '/srv', shell: '/bin/sh' };
  const tools = { setsid: '/usr/bin/setsid', setpriv: '/usr/bin/setpriv', prlimit: null };
  expect(wrapCommand(['/tree/run', 'a'], null, tools)).toEqual(['/usr/bin/setsid', '/tree/run', 'a']);
  expect(wrapCommand(['/tree/run'], null, { ...tools, setsid: null, prlimit: null })).toEqual(['/tree/run']);
  expect(wrapCommand(['/tree/run'], shop, tools).join(' ')).toBe(
    '/usr/bin/setsid /usr/bin/setpriv --reuid=1001 --regid=33 --init-groups -- /tree/run',
  );
});

test('the shim is found beside the module and every shell reads it', () => {
  expect(statSync(shimPath).isFile()).toBe(true);
  execFileSync('sh', ['-n', shimPath]);
});

test('an environment goes through its file unchanged, and the file is gone before the script begins', () => {
  using folder = tempFolder();
  const odd = 'a\n\'b\' "c" $HOME `x` \\ ünï';
  const run = join(folder.path, 'run');
  mkdirSync(run);
  writeFileSync(join(run, 'environment'), formatEnvironmentFile({ ODD: odd, PULLYU_RUN_ID: 'r1' }));
  const argv = shimArgv(
    { ...call, runFolder: run, tree: folder.path, command: ['/bin/sh', '-c', 'ls; env -0'] },
    'file',
  );
  const [file, ...args] = ['/usr/bin/env', '-i', 'PULLYU_RUN_ID=r1', ...argv];
  execFileSync(file!, args, { cwd: '/' });
  const output = readFileSync(join(run, 'output.log'), 'utf8');
  expect(output).not.toMatch(/^environment$/m);
  expect(output.split(/\0|run\n/)).toContain(`ODD=${odd}`);
  expect(readFileSync(join(run, 'result'), 'utf8')).toMatch(/^exit 0\n/);
});

test('any value survives quoting', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const value = Buffer.from(text.replaceAll('\0', '')).toString('utf8');
      const script = `${formatEnvironmentFile({ X: value })}printf %s "$X"`;
      expect(execFileSync('sh', ['-c', script]).toString('utf8')).toBe(value);
    }),
    { numRuns: 25 },
  );
});
