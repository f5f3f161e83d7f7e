/** Which steps install or remove a heartbeat. Pure: `applySteps` carries them out. */
import { PullyuError } from '../errors.ts';
import type { Paths } from '../system/paths.ts';
import { addCrontabLine, removeCrontabLine, renderCronFile, renderCrontabLine } from './cron.ts';
import { CRON_TICK_MS } from './duty.ts';
import { addEnvironment, proxiesOf } from './environment.ts';
import type { Machine } from './machine.ts';
import { type HeartbeatPlaces, hashBelow, type Launcher } from './places.ts';
import { renderHeartbeatScript } from './script.ts';
import { renderStartScript } from './start-script.ts';
import type { Step } from './steps.ts';
import { renderUnit } from './systemd.ts';

/** `both`: a systemd unit, and cron as its watcher. */
export type HeartbeatKind = 'systemd' | 'cron' | 'both' | 'none';

export interface HeartbeatPlan {
  readonly kind: HeartbeatKind;
  readonly steps: readonly Step[];
  /** What people should know or still have to do. Sentences. */
  readonly notes: readonly string[];
}

export interface InstallOptions {
  readonly paths: Paths;
  readonly places: HeartbeatPlaces;
  readonly machine: Machine;
  readonly launcher: Launcher;
  readonly hostId: string;
  readonly intervalMs: number;
  /** Folders that the agent writes into beside its state. */
  readonly writable?: readonly string[];
  /** Of the installing shell: its proxies are kept for the agent. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Seconds of the minute; default: from the host's id. */
  readonly offsetSeconds?: number;
}

/** Of a minute: cron's own start and the look need the rest. */
const OFFSET_BELOW_SECONDS = 50;
const RESTART_MIN_SECONDS = 5;
const RESTART_SPREAD_SECONDS = 10;

/**
 * What `auto` (or nothing) means here, and whether the machine can do what was asked for. Below a `--root` that is not
 * registered everything can be written.
 * @throws PullyuError `refused` with what to choose instead.
 */
export function decideKind(
  asked: HeartbeatKind | 'auto',
  machine: Machine,
  registered: boolean,
): HeartbeatKind {
  const cron = machine.cronFolder && machine.uid === 0 ? true : machine.crontab;
  const systemd = machine.systemd === 'running' && (machine.uid === 0 || machine.userManager);
  if (asked === 'auto') return !registered ? 'none' : systemd ? 'systemd' : cron ? 'cron' : 'none';
  if (!registered) return asked;
  if ((asked === 'systemd' || asked === 'both') && !systemd) {
    const why =
      machine.systemd === 'running'
        ? 'no systemd of this user is running'
        : 'systemd is not the init of this machine';
    throw new PullyuError('refused', why, {
      hint:
        machine.systemd === 'running'
          ? `loginctl enable-linger, then log in again${cron ? '; or --heartbeat cron' : ''}`
          : cron
            ? '--heartbeat cron'
            : 'install cron and choose --heartbeat cron, or let a supervisor of yours keep `pullyu agent` running',
    });
  }
  if ((asked === 'cron' || asked === 'both') && !cron) {
    throw new PullyuError('refused', 'cron is not installed on this machine', {
      hint: systemd ? '--heartbeat systemd, or install the package cron' : 'install the package cron',
    });
  }
  return asked;
}

/** Everything that makes this kind of heartbeat be there, and the other kinds not. */
export function planInstall(kind: HeartbeatKind, options: InstallOptions): HeartbeatPlan {
  const { places, machine } = options;
  if (kind === 'none') {
    return {
      kind,
      steps: [],
      notes: ['Nothing calls pullyu by itself: keep `pullyu agent` running, or call `pullyu look`.'],
    };
  }
  const systemd = kind !== 'cron';
  const cron = kind !== 'systemd';
  const notes: string[] = [];
  if (!places.registered) {
    notes.push(
      `Written below ${options.paths.root} only: nothing on this machine reads it there (--system registers it).`,
    );
  } else {
    if (cron && !machine.cronDaemon)
      notes.push('No cron daemon is alive: start it, or nothing will call the heartbeat.');
    if (systemd && places.userUnit && !machine.lingers) {
      notes.push('Your systemd ends when you log out: `loginctl enable-linger` keeps the agent running.');
    }
  }
  if (cron && !systemd && options.intervalMs < CRON_TICK_MS) {
    notes.push(
      'The interval is shorter than cron can call: the heartbeat keeps a daemon running and watches it.',
    );
  }
  const environment = proxiesOf(options.env);
  return {
    kind,
    notes,
    steps: [
      {
        type: 'file',
        path: places.environmentFile,
        mode: 0o600,
        keepMode: true,
        edit: (old) => addEnvironment(old, environment),
      },
      startStep(places, renderStartScript({ launcher: options.launcher, ...options.paths })),
      ...(cron ? cronSteps(options) : []),
      ...(systemd ? systemdSteps(options) : removeSystemdSteps(places, machine)),
      ...(cron ? [] : removeCronSteps(places, machine)),
    ],
  };
}

/** Removes every kind of heartbeat. Journal, clones and host.yaml stay. */
export function planUninstall(places: HeartbeatPlaces, machine: Machine): HeartbeatPlan {
  return {
    kind: 'none',
    steps: [
      ...removeSystemdSteps(places, machine),
      ...removeCronSteps(places, machine),
      startStep(places, null),
    ],
    notes: [],
  };
}

/** Before what calls it, and removed after that. */
function startStep(places: HeartbeatPlaces, text: string | null): Step {
  return { type: 'file', path: places.startScript, mode: 0o755, edit: () => text };
}

function cronSteps(options: InstallOptions): Step[] {
  const { places, launcher, paths } = options;
  const offsetSeconds = options.offsetSeconds ?? hashBelow(options.hostId, OFFSET_BELOW_SECONDS);
  const script = renderHeartbeatScript(places, { launcher, root: paths.root, offsetSeconds });
  const line = renderCrontabLine(places.script, places.name);
  return [
    // The script first: a line that calls a script which is not there yet does nothing, but one minute would be lost.
    { type: 'file', path: places.script, mode: 0o755, edit: () => script },
    places.cronFile !== null
      ? { type: 'file', path: places.cronFile, mode: 0o644, edit: () => renderCronFile(places.script) }
      : { type: 'crontab', edit: (old) => addCrontabLine(old, line, places.name) },
  ];
}

function systemdSteps(options: InstallOptions): Step[] {
  const { places, machine, launcher, paths } = options;
  const unit = renderUnit(places, {
    launcher,
    root: paths.root,
    state: paths.state,
    intervalMs: options.intervalMs,
    writable: options.writable ?? [],
    restartSeconds: RESTART_MIN_SECONDS + hashBelow(options.hostId, RESTART_SPREAD_SECONDS),
  });
  return [unitStep(places, machine, unit)];
}

function removeSystemdSteps(places: HeartbeatPlaces, machine: Machine): Step[] {
  return [unitStep(places, machine, null)];
}

function unitStep(places: HeartbeatPlaces, machine: Machine, text: string | null): Step {
  const managed = places.registered && machine.systemd === 'running';
  const manager = managed ? (places.userUnit ? ['--user'] : []) : null;
  return { type: 'unit', path: places.unitFile, text, manager, name: `${places.name}.service` };
}

function removeCronSteps(places: HeartbeatPlaces, machine: Machine): Step[] {
  const steps: Step[] = [];
  if (places.cronFile !== null)
    steps.push({ type: 'file', path: places.cronFile, mode: 0o644, edit: () => null });
  // Also for root: the folder of cron may have come after the line. Somebody who may not use crontab has no line in it.
  if (places.registered && machine.crontab) {
    steps.push({ type: 'crontab', edit: (old) => removeCrontabLine(old, places.name), mayFail: true });
  }
  steps.push({ type: 'file', path: places.script, mode: 0o755, edit: () => null });
  return steps;
}
