/** Which of the three worlds a machine is, on folders that look like them. The real thing: limits.test.ts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type TempFolder, tempFolder } from '../../tests/support/temp.ts';
import type { RunId } from '../model/ids.ts';
import { findGroupHome, makeGroups, readGroups, readLimitsHit, unitControllers } from './control-groups.ts';

let folder: TempFolder;
let mount: string;
beforeEach(() => {
  folder = tempFolder();
  mount = folder.path;
});
afterEach(() => folder[Symbol.dispose]());

function files(texts: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(mount, path)), { recursive: true });
    writeFileSync(join(mount, path), text);
  }
}

const home = (own: string, systemdIsInit = false) => findGroupHome({ mount, own, systemdIsInit });

test('v1: below our own group of each controller, or of the mount when the path is that of another machine', () => {
  files({ 'memory/a/cgroup.procs': '', 'memory/cgroup.procs': '', 'pids/cgroup.procs': '' });
  expect(home('4:memory:/a\n8:pids:/elsewhere\n0::/\n')).toEqual({
    memory: join(mount, 'memory/a'),
    processes: join(mount, 'pids'),
  });
  expect(home('0::/\n')).toEqual({ memory: null, processes: null });
});

test('v2: below our own group when controllers are shared out to it, below the root where no systemd owns it, else nowhere', () => {
  files({
    'cgroup.controllers': 'cpu memory pids\n',
    'cgroup.procs': '',
    'ours/cgroup.procs': '',
    'ours/cgroup.subtree_control': 'memory pids\n',
    'other/cgroup.procs': '',
    'other/cgroup.subtree_control': '\n',
  });
  expect(home('0::/ours\n').memory).toBe(join(mount, 'ours'));
  expect(home('0::/other\n').memory).toBe(join(mount, 'pullyu'));
  expect(home('0::/other\n', true).memory).toBe(null);
  // In a container the root that we see is none.
  files({ 'cgroup.type': 'domain\n' });
  expect(home('0::/other\n').memory).toBe(null);
});

test('a service manager can limit what it has the controllers for', () => {
  const units = (own: string) => unitControllers({ mount, own, systemdIsInit: true });
  const none = { memory: false, processes: false };
  expect(
    units('4:memory:/\n8:pids:/system.slice/p.service\n9:name=systemd:/system.slice/p.service\n'),
  ).toEqual({
    memory: false,
    processes: true,
  });
  expect(units('4:memory:/docker/1\n8:pids:/\n9:name=systemd:/box/system.slice/p.service\n')).toEqual(none);
  files({ 'cgroup.controllers': 'memory pids\n' });
  expect(units('0::/system.slice/p.service\n')).toEqual({ memory: true, processes: true });
});

test('where nothing can be made nothing is in force, and no file is taken for a group that is not one', () => {
  const file = join(mount, 'groups');
  const nowhere = join(mount, 'gone');
  const made = makeGroups(
    'r' as RunId,
    file,
    { memory: 1, processes: 1 },
    { memory: nowhere, processes: nowhere },
  );
  expect(made).toEqual({ memory: false, processes: false });
  writeFileSync(
    file,
    '/etc/pullyu-run-r\n/sys/fs/cgroup/pids\n/sys/fs/cgroup/../../etc/pullyu-run-r\n/sys/fs/cgroup/pids/pullyu-run-r\n',
  );
  expect(readGroups(file, 'r' as RunId)).toEqual(['/sys/fs/cgroup/pids/pullyu-run-r']);
});

test('what the kernel counted is read from the copy of the shim, else from the groups', () => {
  files({
    'a/memory.events': 'low 0\nmax 9\noom 1\noom_kill 2\n',
    'a/pids.events': 'max 7\n',
    'b/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n',
    copy: 'forks 5\n',
  });
  const hit = (groups: string[], copy: string) =>
    readLimitsHit(
      groups.map((name) => join(mount, name)),
      join(mount, copy),
    );
  expect(hit(['a'], 'none')).toEqual({ outOfMemory: 2, outOfProcesses: 7 });
  expect(hit(['b'], 'none')).toEqual({ outOfMemory: 3, outOfProcesses: 0 });
  expect(hit(['a'], 'copy')).toEqual({ outOfMemory: 0, outOfProcesses: 5 });
  expect(hit([], 'none')).toEqual({ outOfMemory: 0, outOfProcesses: 0 });
});
