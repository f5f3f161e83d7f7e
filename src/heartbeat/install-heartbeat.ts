import { existsSync } from 'node:fs';
import { ensureIdentity } from '../agent/identity.ts';
import { PullyuError } from '../errors.ts';
import { type HeartbeatContext, machineOf, toolsOf } from './context.ts';
import { type Daemon, endCronsDaemon, findDaemon } from './daemon.ts';
import { decideKind, type HeartbeatKind, planInstall } from './install.ts';
import type { Machine } from './machine.ts';
import { decidePlaces, type HeartbeatPlaces } from './places.ts';
import { applySteps, type StepReport } from './steps.ts';
import { readUnitProperties } from './systemctl.ts';

export interface HeartbeatReport {
  readonly kind: HeartbeatKind;
  readonly steps: readonly StepReport[];
  /** What people should know or still have to do. Sentences. */
  readonly notes: readonly string[];
}

export interface InstallHeartbeatOptions {
  readonly heartbeat: HeartbeatKind | 'auto';
  readonly intervalMs: number;
  /** With a `--root`: register with the machine all the same. */
  readonly system?: boolean;
  /** Second of the minute at which cron's script looks; default: from the host's id. */
  readonly offsetSeconds?: number;
}

/**
 * Installs the heartbeat, or makes sure that it is as it should be. On an error everything is as before.
 * @throws PullyuError `refused` when the machine cannot do it, `busy`, `no-permission`, `disk-full`, `failed`.
 */
export async function installHeartbeat(
  options: InstallHeartbeatOptions,
  context: HeartbeatContext,
): Promise<HeartbeatReport> {
  const machine = machineOf(context);
  const { paths, env, uid } = context;
  const places = decidePlaces(paths, {
    uid,
    env,
    system: options.system === true,
    cronFolder: machine.cronFolder,
  });
  const kind = decideKind(options.heartbeat, machine, places.registered);
  const plan = planInstall(kind, {
    paths,
    places,
    machine,
    launcher: context.launcher,
    // Also makes the state folder, which a sandboxed unit must find.
    hostId: ensureIdentity(paths.state),
    intervalMs: options.intervalMs,
    env,
    ...(options.offsetSeconds === undefined ? {} : { offsetSeconds: options.offsetSeconds }),
  });
  const made = kind === 'systemd' || kind === 'both' ? await makeWay(places, machine, context) : [];
  const steps = await applySteps(plan.steps, toolsOf(context));
  return { kind, steps: [...made, ...steps], notes: plan.notes };
}

/**
 * One agent works on a host: systemd's would find that of cron, and end again and again. Cron's is ended, before its line goes; should
 * the installation fail, cron starts another.
 */
async function makeWay(
  places: HeartbeatPlaces,
  machine: Machine,
  context: HeartbeatContext,
): Promise<StepReport[]> {
  if (!places.registered || machine.systemd !== 'running') return [];
  const { state } = context.paths;
  const daemon = findDaemon(state);
  if (daemon === null || (await isOfUnit(daemon, places, context))) return [];
  if (existsSync(places.script)) return endCronsDaemon(state);
  throw new PullyuError(
    'busy',
    `an agent that neither systemd nor cron started is at work (process ${daemon.pid})`,
    { hint: `end it (kill ${daemon.pid}), then call this again` },
  );
}

async function isOfUnit(
  daemon: Daemon,
  places: HeartbeatPlaces,
  context: HeartbeatContext,
): Promise<boolean> {
  const manager = places.userUnit ? ['--user'] : [];
  const unit = await readUnitProperties(`${places.name}.service`, manager, ['MainPID'], toolsOf(context));
  return unit?.MainPID === String(daemon.pid);
}
