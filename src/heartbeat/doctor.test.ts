import { describe, expect, test } from 'vitest';
import { formatBytes } from '../model/bytes.ts';
import { commitId } from '../model/ids.ts';
import { fail, ok, trouble } from '../model/trouble.ts';
import { type DoctorFacts, runDoctorChecks, worstOf } from './doctor.ts';
import type { HeartbeatFacts } from './doctor-heartbeat.ts';
import type { HostFacts } from './doctor-host.ts';
import type { MachineFacts } from './doctor-machine.ts';
import type { RepoFacts } from './doctor-repos.ts';
import type { StatusFacts } from './doctor-status.ts';
import { formatAge } from './finding.ts';

const NOW = Date.UTC(2026, 4, 1, 12);
const MINUTE = 60_000;
const commit = commitId('a'.repeat(40));

const machine: MachineFacts = {
  now: NOW,
  uid: 0,
  nodeVersion: '20.19.0',
  git: { version: [2, 39] },
  sshNeeded: false,
  sshFound: false,
  folders: [
    { path: '/etc/pullyu', what: 'config', mode: 0o40755, uid: 0, writable: true },
    { path: '/var/lib/pullyu', what: 'state', mode: 0o40711, uid: 0, writable: true },
  ],
  newestFileAt: NOW - 1000,
  freeBytes: 10 * 1024 ** 3,
  freeBytesNeeded: 256 * 1024 ** 2,
  freeInodes: 1_000_000,
  limits: { memory: true, processes: true, asked: [] },
  secrets: [],
};
const host: HostFacts = {
  now: NOW,
  hostFile: '/etc/pullyu/host.yaml',
  config: { name: 'web-17', repos: 1 },
  journal: { runs: 3, openRuns: 0 },
  pause: null,
  lock: { pid: 7, startTime: '1', command: 'agent', alive: true },
};
const unit: NonNullable<HeartbeatFacts['unit']> = {
  name: 'pullyu.service',
  file: '/etc/systemd/system/pullyu.service',
  active: 'active',
  enabled: 'enabled',
  systemdRuns: true,
  endsAtLogout: false,
};
const cron: NonNullable<HeartbeatFacts['cron']> = {
  where: '/etc/cron.d/pullyu',
  script: '/etc/pullyu/heartbeat.sh',
  scriptRuns: true,
  daemonAlive: true,
};
const heartbeat: HeartbeatFacts = {
  now: NOW,
  intervalMs: MINUTE,
  lastLookAt: NOW - 20_000,
  daemonAlive: true,
  unit,
  cron: null,
  registered: true,
  outdated: [],
  fallback: null,
  missingProxies: [],
};
const repo: RepoFacts = {
  repo: 'it',
  remotes: [{ remote: 'https://git.example.com/it.git', answer: ok({ commit }), tookMs: 12.4 }],
  target: commit,
  clone: 'whole',
  current: '/var/lib/pullyu/repos/it/trees/a',
  trouble: null,
};

const status: StatusFacts = {
  delivery: {
    store: 'git',
    name: 'https://git.example.com/status.git',
    deliveredAt: NOW - 60_000,
    waiting: 0,
    madeAt: NOW - 60_000,
    trouble: null,
    conflict: null,
  },
  answer: { ok: true, value: false },
  now: NOW,
  heartbeatMs: 300_000,
  polledAs: null,
};

interface Changes {
  machine?: Partial<MachineFacts>;
  host?: Partial<HostFacts>;
  heartbeat?: Partial<HeartbeatFacts>;
  repo?: Partial<RepoFacts>;
  status?: Partial<StatusFacts>;
}

/** What is not good, as `status check: found -> hint`. */
function complaints(changes: Changes): string[] {
  const facts: DoctorFacts = {
    machine: { ...machine, ...changes.machine },
    host: { ...host, ...changes.host },
    heartbeat: { ...heartbeat, ...changes.heartbeat },
    repos: [{ ...repo, ...changes.repo }],
    status: [{ ...status, ...changes.status }],
  };
  return runDoctorChecks(facts)
    .filter(({ status }) => status !== 'ok')
    .map(({ status, check, found, hint }) => `${status} ${check}: ${found} -> ${hint}`);
}

test('a healthy host has nothing to complain about, and every check is named', () => {
  const findings = runDoctorChecks({ machine, host, heartbeat, repos: [repo], status: [status] });
  expect(worstOf(findings)).toBe('ok');
  expect(findings.map(({ check, found }) => `${check}: ${found}`)).toEqual([
    'node: 20.19.0',
    'git: 2.39',
    'clock: 2026-05-01T12:00:00Z',
    'rights of config: /etc/pullyu (755)',
    'rights of state: /var/lib/pullyu (711)',
    'space: 10 GiB free',
    'limits of runs: memory and processes, by control groups',
    'host.yaml: web-17 follows 1 repo',
    'journal: 3 runs',
    'lock: held by agent (process 7)',
    'heartbeat: systemd unit /etc/systemd/system/pullyu.service',
    'heartbeat by systemd: pullyu.service is active',
    'looks: the last one was 20 s ago',
    'remote of it: https://git.example.com/it.git is at aaaaaaa (12 ms)',
    'clone of it: holds aaaaaaa',
    'tree of it: /var/lib/pullyu/repos/it/trees/a',
    'status over git: https://git.example.com/status.git answers',
    'delivery over git: the last was at 2026-05-01T11:59:00.000Z',
  ]);
});

describe('the machine', () => {
  test.each<[Partial<MachineFacts>, RegExp]>([
    [{ nodeVersion: '18.19.0' }, /^fail node: 18\.19\.0 -> install/],
    [{ git: { version: [2, 25] } }, /^warn git: 2\.25 -> .*upgrade git/],
    [
      { git: { problem: 'expected git 2.20 or newer, found 1.8', hint: 'install a newer git' } },
      /^fail git: .*1\.8 -> install/,
    ],
    [{ sshNeeded: true }, /^fail ssh: no program ssh/],
    [{ now: 0 }, /^fail clock: 1970-01-01T00:00:00Z -> set the clock/],
    [{ newestFileAt: NOW + 86_400_000 }, /^warn clock: .* written at 2026-05-02T12:00:00Z/],
    [{ freeBytes: 1024 ** 2 }, /^fail space: 1\.0 MiB free/],
    [{ freeBytes: 300 * 1024 ** 2 }, /^warn space: 300 MiB free/],
    [{ freeInodes: 5 }, /^warn inodes: 5 free/],
    [
      { secrets: [{ path: '/etc/pullyu/token', mode: 0o100644 }] },
      /^warn credentials: .*mode 644.* -> chmod 600/,
    ],
    [{ secrets: [{ path: '/etc/pullyu/token', mode: null }] }, /^fail credentials: no file/],
  ])('%j', (change, expected) => {
    expect(complaints({ machine: change })).toEqual([expect.stringMatching(expected)]);
  });

  test('a folder that others can write is a failure: what lies in it is executed', () => {
    const folders = [
      { path: '/var/lib/pullyu', what: 'state', mode: 0o40777, uid: 0, writable: true } as const,
    ];
    expect(complaints({ machine: { folders } })).toEqual([
      'fail rights of state: /var/lib/pullyu has mode 777: others can write it -> chmod go-w /var/lib/pullyu',
    ]);
  });

  test('another user than the owner is told to ask as the owner', () => {
    const folders = [
      { path: '/var/lib/pullyu', what: 'state', mode: 0o40711, uid: 0, writable: false } as const,
    ];
    expect(complaints({ machine: { folders, uid: 1000 } })[0]).toMatch(
      /^warn .* belongs to user 0 -> .*sudo/,
    );
  });
});

describe('the host', () => {
  test.each<[Partial<HostFacts>, RegExp]>([
    [{ config: 'missing' }, /^fail host\.yaml: no \/etc\/pullyu\/host\.yaml -> pullyu bootstrap URL/],
    [
      { config: { message: 'host.yaml:3:1 unknown key "lables"', hint: 'labels' } },
      /^fail host\.yaml: .*lables" -> labels/,
    ],
    [{ config: { name: 'x', repos: 0 } }, /^fail host\.yaml: no repo/],
    [{ journal: { message: 'written by a newer pullyu', hint: 'upgrade' } }, /^fail journal: .* -> upgrade/],
    [
      { pause: { reason: 'maintenance', since: NOW - 3 * 3_600_000, until: NOW + 3_600_000 } },
      /^warn pause: paused for 3 h, until 2026-05-01T13:00:00Z: maintenance -> pullyu resume/,
    ],
  ])('%j', (change, expected) => {
    expect(complaints({ host: change })).toEqual([expect.stringMatching(expected)]);
  });

  test('a holder that died is no fault: the kernel gave its lock back', () => {
    expect(
      complaints({ host: { lock: { pid: 7, startTime: '1', command: 'agent', alive: false } } }),
    ).toEqual([]);
  });
});

describe('the heartbeat', () => {
  test.each<[string, Partial<HeartbeatFacts>, RegExp]>([
    [
      'nothing is configured',
      { unit: null, daemonAlive: false },
      /^fail heartbeat: nothing calls the agent -> pullyu install/,
    ],
    [
      'an agent that nothing starts again',
      { unit: null },
      /^warn heartbeat: an agent is running, but nothing starts it again/,
    ],
    [
      'a unit that failed',
      { unit: { ...unit, active: 'failed' } },
      /^fail heartbeat by systemd: pullyu\.service is failed -> journalctl/,
    ],
    [
      'a unit that does not come back',
      { unit: { ...unit, enabled: 'disabled' } },
      /^warn .* does not come back after a reboot/,
    ],
    [
      'a unit without systemd',
      { unit: { ...unit, systemdRuns: false } },
      /^fail heartbeat by systemd: systemd is not the init/,
    ],
    [
      'a unit of a user who logs out',
      { unit: { ...unit, endsAtLogout: true } },
      /^warn .* -> loginctl enable-linger/,
    ],
    [
      'a line that no daemon reads',
      { unit: null, cron: { ...cron, daemonAlive: false } },
      /^fail heartbeat by cron: .*no cron daemon is alive/,
    ],
    [
      'a script that was renamed',
      { unit: null, cron: { ...cron, scriptRuns: false } },
      /^warn heartbeat by cron: .*switched off by a rename/,
    ],
    ['files below a root', { registered: false }, /^warn heartbeat by systemd: .* lies below a --root/],
    [
      'another version of the files',
      { outdated: ['/etc/cron.d/pullyu'] },
      /^warn heartbeat: not as this pullyu writes it: \/etc\/cron\.d\/pullyu/,
    ],
    ['looks that stopped', { lastLookAt: NOW - 5 * 3_600_000 }, /^fail looks: the last one was 5 h ago/],
    ['no look at all', { lastLookAt: null }, /^fail looks: no look was ever finished/],
    ['a proxy of the shell only', { missingProxies: ['https_proxy'] }, /^warn proxy: .*https_proxy/],
  ])('%s', (_title, change, expected) => {
    expect(complaints({ heartbeat: change })).toEqual([expect.stringMatching(expected)]);
  });

  test('configured, scheduled and really looking are judged apart', () => {
    const stopped = {
      unit: { ...unit, active: 'inactive' },
      lastLookAt: NOW - 10 * MINUTE,
      daemonAlive: false,
    };
    expect(complaints({ heartbeat: stopped })).toEqual([
      expect.stringMatching(/^fail heartbeat by systemd/),
      expect.stringMatching(/^fail looks/),
    ]);
  });
});

describe('the repos', () => {
  const silent = {
    remote: 'https://a/it.git',
    answer: fail(trouble('silent', 'no answer within 10 s')),
    tookMs: 10_000,
  };

  test('a remote that does not answer is a failure, unless another one does', () => {
    expect(complaints({ repo: { remotes: [silent] } })).toEqual([
      'fail remote of it: https://a/it.git: no answer within 10 s (silent) -> it may pass by itself: the agent goes on asking',
    ]);
    expect(complaints({ repo: { remotes: [silent, ...repo.remotes] } })[0]).toMatch(/^warn remote of it/);
  });

  test('a clone without the target, and a link that leads nowhere, are told', () => {
    expect(complaints({ repo: { clone: 'without-target', current: null } })).toEqual([
      expect.stringMatching(/^warn clone of it: .*nothing is lost/),
      expect.stringMatching(/^fail tree of it: `current` leads nowhere/),
    ]);
    expect(complaints({ repo: { clone: 'missing', target: null } })).toEqual([
      expect.stringMatching(/^fail clone of it: there is none/),
    ]);
  });
});

test('ages and sizes are short', () => {
  expect([0, 119_000, 120_000, 7_200_000, 172_800_000].map(formatAge)).toEqual([
    '0 s',
    '119 s',
    '2 min',
    '2 h',
    '2 d',
  ]);
  expect([0, 1023, 1536, 20 * 1024 ** 2, 3 * 1024 ** 5].map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.5 KiB',
    '20 MiB',
    '3072 TiB',
  ]);
});

test('limits that cannot be kept are a warning only where host.yaml asks for them', () => {
  const limits = { memory: false, processes: true, asked: [] };
  expect(complaints({ machine: { limits } })).toEqual([]);
  expect(complaints({ machine: { limits: { ...limits, asked: ['memory'] } } })).toEqual([
    'warn limits of runs: no control groups for memory: a run may use all there is -> let a systemd of the machine run the agent, or give its container a cgroup hierarchy that it can write',
  ]);
});

test('a program that does not work is said, with what is done about it', () => {
  const fallback = { since: NOW, nextTrialAt: NOW + 60 * MINUTE };
  expect(complaints({ heartbeat: { fallback } })).toEqual([
    'fail program: the installed pullyu reached no remote in its first starts (the last at 2026-05-01T12:00:00Z): the last version that did looks in its place -> see the log of the heartbeat, and install another version: it is tried at once. This one is tried again at 2026-05-01T13:00:00Z',
  ]);
});

test('a status repository that is polled under another spelling is a warning', () => {
  expect(complaints({ status: { polledAs: 'it' } })).toEqual([
    'warn status over git: https://git.example.com/status.git looks like a remote of repo it -> make a second repository for the status, and give hosts a key that only reads the first',
  ]);
});

test('a status repository that does not answer, and lines that do not arrive, are failures', () => {
  const trouble = {
    code: 'unreachable',
    message: 'refused',
    hint: null,
    remote: null,
    retryAfterMs: null,
  } as const;
  expect(complaints({ status: { answer: { ok: false, trouble } } })).toEqual([
    'fail status over git: https://git.example.com/status.git: refused (unreachable) -> looks and runs go on; what waits is delivered when it answers again',
  ]);
  const lasting = { ...trouble, since: NOW, count: 1 };
  expect(complaints({ status: { delivery: { ...status.delivery, waiting: 3, trouble: lasting } } })).toEqual([
    'fail delivery over git: refused (unreachable); 3 lines wait -> looks and runs go on; it is tried again by itself',
  ]);
  expect(complaints({ status: { delivery: { ...status.delivery, deliveredAt: null } } })).toEqual([
    'warn delivery over git: nothing was delivered yet -> pullyu look',
  ]);
});
