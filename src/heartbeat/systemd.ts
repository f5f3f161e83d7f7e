/** The systemd unit as text. */
import { dirname, join } from 'node:path';
import { PullyuError } from '../errors.ts';
import { lateAfterMs } from './duty.ts';
import type { HeartbeatPlaces, Launcher } from './places.ts';

/** No watchdog is shorter than this: a small machine under load may be slow without being stuck. */
const WATCHDOG_MIN_SECONDS = 180;

export interface UnitOptions {
  readonly launcher: Launcher;
  readonly root: string | null;
  readonly state: string;
  readonly intervalMs: number;
  /** Wait before a restart; differs from host to host, so that a fleet does not come back in one second. */
  readonly restartSeconds: number;
  /** Folders that the agent writes into beside its state: that of its metrics. */
  readonly writable?: readonly string[];
}

/**
 * The whole unit. `Type=notify` with a watchdog that the agent feeds only while it really looks; restarted for ever.
 * The unit of the machine is a sandbox in which only the state folder can be written: what actions do happens in
 * transient units of their own, outside it.
 * @throws PullyuError for a path that a unit cannot hold.
 */
export function renderUnit(places: HeartbeatPlaces, options: UnitOptions): string {
  const { launcher, root } = options;
  const agent = ['/bin/sh', places.startScript, 'agent'];
  const watchdog = Math.max(WATCHDOG_MIN_SECONDS, Math.ceil(lateAfterMs(options.intervalMs) / 1000));
  const sections = [
    '[Unit]',
    `Description=pullyu: follows git repositories and does the work that they ask of this host${root === null ? '' : ` (${escapeSpecifiers(root)})`}`,
    `Documentation=file:${encodeURI(join(dirname(dirname(launcher.bin)), 'docs/operating.md'))}`.replaceAll(
      '%',
      '%%',
    ),
    '# No network at boot is normal: the agent waits for it by itself.',
    'Wants=network-online.target',
    'After=network-online.target',
    '# Restarted for ever: an agent that was given up looks healthy from afar.',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=notify',
    '# The agent notifies through systemd-notify, a child of it.',
    'NotifyAccess=all',
    `ExecStart=${agent.map(quoteCommandWord).join(' ')}`,
    'Restart=always',
    `RestartSec=${options.restartSeconds}`,
    `WatchdogSec=${watchdog}`,
    'WatchdogSignal=SIGKILL',
    'TimeoutStartSec=90',
    'TimeoutStopSec=30',
    '# Only the agent is told to stop; runs go on, and the next agent collects their results.',
    'KillMode=process',
    'OOMPolicy=continue',
    `EnvironmentFile=-${escapeSpecifiers(places.environmentFile)}`,
    'Environment=HOME=%h LANG=C.UTF-8',
    'Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'UMask=0022',
    `SyslogIdentifier=${places.name}`,
    ...(places.userUnit ? [] : sandbox(options, [launcher.node, launcher.bin, root ?? ''])),
    '',
    '[Install]',
    `WantedBy=${places.userUnit ? 'default.target' : 'multi-user.target'}`,
  ];
  return `${sections.join('\n')}\n`;
}

/** As far as an agent can be locked in that must start units, read keys, and see the processes of every user. */
function sandbox({ state, writable = [] }: UnitOptions, paths: readonly string[]): string[] {
  const usesTemporary = [...paths, ...writable.map((path) => `${path}/`)].some(
    (path) => path.startsWith('/tmp/') || path.startsWith('/var/tmp/'),
  );
  return [
    '',
    '# The sandbox of the agent itself. Actions run outside it, in units of their own.',
    'Environment=PULLYU_RUNS=systemd-run',
    'ProtectSystem=strict',
    `ReadWritePaths=${[state, ...writable].map((path) => quoteUnitWord(`-${path}`)).join(' ')}`,
    '# Should the folder have been removed: made outside the sandbox, before that of the agent is set up.',
    `ExecStartPre=+/bin/mkdir -p -m 711 -- ${quoteCommandWord(state)}`,
    'ProtectHome=read-only',
    ...(usesTemporary ? [] : ['PrivateTmp=yes']),
    'PrivateDevices=yes',
    'ProtectClock=yes',
    'ProtectControlGroups=yes',
    'ProtectHostname=yes',
    'ProtectKernelLogs=yes',
    'ProtectKernelModules=yes',
    'ProtectKernelTunables=yes',
    'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
    'RestrictNamespaces=yes',
    'RestrictRealtime=yes',
    'LockPersonality=yes',
    'SystemCallArchitectures=native',
    'SystemCallFilter=@system-service',
    'SystemCallErrorNumber=EPERM',
    'NoNewPrivileges=yes',
    'CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_KILL CAP_SETGID CAP_SETUID CAP_SYS_PTRACE',
  ];
}

/** One word of ExecStart: as in any list of words, and `$` would be a variable. */
function quoteCommandWord(word: string): string {
  return quoteUnitWord(word.replaceAll('$', '$$$$'));
}

/** One word of a list: `%` is a specifier, quotes and backslashes are C's. */
function quoteUnitWord(word: string): string {
  const escaped = escapeSpecifiers(word);
  if (/^[A-Za-z0-9_@%$+=:,./-]+$/.test(escaped)) return escaped;
  return `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** @throws PullyuError for control characters: systemd would begin a new line, and with it a new setting. */
function escapeSpecifiers(text: string): string {
  if (/\p{Cc}/u.test(text)) {
    throw new PullyuError('usage', `a systemd unit cannot hold the path ${JSON.stringify(text)}`, {
      hint: 'choose a path without control characters',
    });
  }
  return text.replaceAll('%', '%%');
}
