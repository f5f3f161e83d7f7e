import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { git } from '../../tests/support/git.ts';
import { createRemote } from '../../tests/support/repo.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { ensureIdentity } from '../agent/identity.ts';
import { PullyuError } from '../errors.ts';
import { openJournal } from '../journal/open.ts';
import type { HostConfig } from '../model/host.ts';
import type { RepoConfig } from '../model/repo.ts';
import { NO_ACCESS } from '../model/repo.ts';
import { systemClock } from '../system/clock.ts';
import { tryLock } from '../system/lock.ts';
import { decidePaths, repoPaths } from '../system/paths.ts';
import { runCloudInit } from './cloud-init.ts';
import { runDoctor } from './doctor.ts';
import type { HeartbeatCommandContext } from './heartbeat-context.ts';
import { runInstall } from './install.ts';
import { runUninstall } from './uninstall.ts';

const repo: RepoConfig = {
  name: 'it',
  remotes: [],
  track: { ref: 'main' },
  pull: 'agent',
  clone: 'full',
  submodules: false,
  lfs: false,
  convention: { init: [], work: [] },
  access: NO_ACCESS,
};

/** A host below its own root, with the words that its commands print. */
function createHost(root: string, remotes: string[] = ['file:///nowhere/it.git'], json = false) {
  const paths = decidePaths(root, {}, process.getuid!());
  mkdirSync(paths.config, { recursive: true });
  chmodSync(paths.config, 0o755);
  ensureIdentity(paths.state);
  const config: HostConfig = {
    name: 'web-17',
    labels: {},
    intervalMs: 60_000,
    nodeinfo: null,
    status: null,
    metrics: null,
    notify: null,
    repos: [{ ...repo, remotes }],
    limits: {
      freeSpaceMinBytes: 1,
      fetchMaxBytes: 1e9,
      outputMaxBytes: 1e6,
      runsKeptPerAction: 5,
      runsMaxBytes: 1e9,
      treeMaxFiles: 1e6,
      treeMaxBytes: 1e9,
      probeTimeoutMs: 20_000,
      fetchStallMs: 20_000,
      fetchTimeoutMs: 20_000,
    },
  };
  let output = '';
  const context: HeartbeatCommandContext = {
    paths,
    env: { PATH: process.env.PATH },
    uid: process.getuid!(),
    clock: systemClock,
    launcher: { node: process.execPath, bin: join(root, 'pullyu') },
    machine: {
      uid: 0,
      systemd: 'absent',
      userManager: false,
      lingers: false,
      cronFolder: true,
      crontab: false,
      cronDaemon: true,
    },
    json,
    write: (text) => {
      output += text;
    },
    readHost: () => ({ config, labels: {} }),
  };
  return {
    paths,
    context,
    said: () => {
      const text = output;
      output = '';
      return text;
    },
  };
}

describe('install and uninstall', () => {
  test('say what they did, and what is still to be known', async () => {
    using folder = tempFolder('install');
    const host = createHost(folder.path);
    expect(await runInstall({ heartbeat: 'cron' }, host.context)).toBe(0);
    const script = join(host.paths.config, 'heartbeat.sh');
    expect(host.said().split('\n').slice(0, 3)).toEqual([
      `wrote ${join(host.paths.config, 'start.sh')}`,
      `wrote ${script}`,
      expect.stringMatching(/^wrote .*\/etc\/cron\.d\/pullyu-/),
    ]);
    expect(await runUninstall({}, host.context)).toBe(0);
    expect(existsSync(script)).toBe(false);
    expect(host.said()).toContain('(--purge removes them)');
    expect(existsSync(join(host.paths.state, 'host-id'))).toBe(true);
  });

  test('speak JSON', async () => {
    using folder = tempFolder('install');
    const host = createHost(folder.path, [], true);
    await runUninstall({}, host.context);
    expect(JSON.parse(host.said())).toMatchObject({ heartbeat: 'none', steps: [] });
  });

  test('a host that follows nothing gets no heartbeat', async () => {
    using folder = tempFolder('install');
    const { context } = createHost(folder.path);
    await expect(runInstall({}, { ...context, readHost: () => null })).rejects.toMatchObject({
      code: 'not-bootstrapped',
    });
  });

  test('a kind or an offset that does not exist is refused by name', async () => {
    using folder = tempFolder('install');
    const { context } = createHost(folder.path);
    await expect(runInstall({ heartbeat: 'runit' }, context)).rejects.toThrow(
      'expected a heartbeat of auto, systemd, cron, both, none, found "runit"',
    );
    await expect(runInstall({ heartbeat: 'cron', offset: '75' }, context)).rejects.toThrow('0 to 59 seconds');
  });

  test('--purge removes the state, but not while somebody is at work in it, and never a folder of others', async () => {
    using folder = tempFolder('install');
    const host = createHost(folder.path);
    const lock = tryLock(join(host.paths.state, 'lock'), 'look')!;
    await expect(runUninstall({ purge: true }, host.context)).rejects.toMatchObject({ code: 'busy' });
    lock.release();
    expect(await runUninstall({ purge: true }, host.context)).toBe(0);
    expect(existsSync(host.paths.state)).toBe(false);
    expect(host.said()).toContain(`removed ${host.paths.state}\n`);

    mkdirSync(host.paths.state);
    writeFileSync(join(host.paths.state, 'thesis.txt'), 'x');
    await expect(runUninstall({ purge: true }, host.context)).rejects.toMatchObject({ code: 'refused' });
    expect(existsSync(join(host.paths.state, 'thesis.txt'))).toBe(true);
  });
});

describe('doctor', () => {
  test('a host that works is found well, apart from a heartbeat that nothing reads', async () => {
    using folder = tempFolder('doctor');
    using remote = await createRemote();
    const commit = await remote.publish({ files: { a: '1' } });
    const host = createHost(folder.path, [remote.url], true);
    const at = repoPaths(host.paths.state, 'it');
    mkdirSync(join(at.trees, 'a'), { recursive: true });
    symlinkSync('trees/a', at.current);
    await git(['clone', '--quiet', '--bare', remote.url, at.clone]);
    const journal = openJournal(join(host.paths.state, 'journal.log'), { now: Date.now });
    journal.append({ type: 'target', repo: 'it', commit, remote: remote.url });
    journal.close();
    const state = { version: 1, pid: 0, mode: 'look', lastLookAt: Date.now(), nextLookAt: null, repos: {} };
    writeFileSync(join(host.paths.state, 'state.json'), JSON.stringify(state));
    await runInstall({ heartbeat: 'cron', offset: '7' }, host.context);
    host.said();

    expect(await runDoctor({}, host.context)).toBe(0);
    const report = JSON.parse(host.said()) as {
      status: string;
      findings: { check: string; status: string }[];
    };
    expect(report.findings.filter(({ status }) => status !== 'ok').map(({ check }) => check)).toEqual([
      'heartbeat by cron',
    ]);
    expect(report.findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['remote of it', 'clone of it', 'tree of it']),
    );
  });

  test('a bare host is told what is missing, and the exit code says so', async () => {
    using folder = tempFolder('doctor');
    const host = createHost(folder.path);
    expect(await runDoctor({}, host.context)).toBe(1);
    const text = host.said();
    expect(text).toMatch(
      /^fail {2}heartbeat {2,}nothing calls the agent\n +expected: a systemd unit or a line of cron\n +hint: pullyu install$/m,
    );
    expect(text).toMatch(/^fail {2}remote of it/m);
  });

  test('changes nothing', async () => {
    using folder = tempFolder('doctor');
    const host = createHost(join(folder.path, 'host'));
    const before = await git(['hash-object', '--no-filters', join(host.paths.state, 'host-id')]);
    await runDoctor({ offline: true }, host.context);
    const files = readdirSync(folder.path, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    expect(files.map(({ name }) => name)).toEqual(['host-id']);
    expect(await git(['hash-object', '--no-filters', join(host.paths.state, 'host-id')])).toBe(before);
  });

  test('a damaged journal and a broken host.yaml are findings, not the end of the examination', async () => {
    using folder = tempFolder('doctor');
    const host = createHost(folder.path);
    writeFileSync(join(host.paths.state, 'journal.log'), 'garbage\nmore garbage\n');
    const readHost = () => {
      throw new PullyuError('host-config', 'host.yaml is not valid', {
        lines: ['host.yaml:3:1: unknown key "lables"'],
        hint: 'did you mean labels?',
      });
    };
    expect(await runDoctor({}, { ...host.context, readHost })).toBe(1);
    const text = host.said();
    expect(text).toContain('unknown key "lables"');
    expect(text).toMatch(/^fail {2}journal/m);
  });
});

describe('cloud-init', () => {
  test('prints user data, for CloudFormation too', async () => {
    using folder = tempFolder('cloud');
    const host = createHost(folder.path);
    const known = join(folder.path, 'known_hosts');
    writeFileSync(known, 'git.example.com ssh-ed25519 AAAA\n');
    expect(
      await runCloudInit(
        'git@git.example.com:it.git',
        { labels: { part: 'app' }, knownHosts: known },
        host.context,
      ),
    ).toBe(0);
    const text = host.said();
    expect(text.startsWith('#cloud-config\n')).toBe(true);
    expect(text).toContain('git.example.com ssh-ed25519 AAAA');
    await runCloudInit(
      'https://git.example.com/it.git',
      { labels: {}, cloudformation: true },
      { ...host.context, json: true },
    );
    expect(JSON.parse(host.said())).toHaveProperty(['UserData', 'Fn::Base64', 'Fn::Sub']);
    expect(readFileSync(known, 'utf8')).toContain('AAAA');
  });

  test('a file of known hosts that is not there is told', async () => {
    using folder = tempFolder('cloud');
    const { context } = createHost(folder.path);
    await expect(runCloudInit('x', { labels: {}, knownHosts: '/no/such' }, context)).rejects.toThrow(
      'expected a file of known hosts',
    );
  });
});
