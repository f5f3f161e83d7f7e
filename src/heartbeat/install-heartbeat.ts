import { ensureIdentity } from '../agent/identity.ts';
import { type HeartbeatContext, machineOf, toolsOf } from './context.ts';
import { decideKind, type HeartbeatKind, planInstall } from './install.ts';
import { makeWay } from './make-way.ts';
import { decidePlaces } from './places.ts';
import { applySteps, type StepReport } from './steps.ts';

export interface HeartbeatReport {
  readonly kind: HeartbeatKind;
  readonly steps: readonly StepReport[];
  /** What people should know or still have to do. Sentences. */
  readonly notes: readonly string[];
}

export interface InstallHeartbeatOptions {
  readonly heartbeat: HeartbeatKind | 'auto';
  readonly intervalMs: number;
  /** Folders that the agent writes into beside its state: that of its metrics. */
  readonly writable?: readonly string[];
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
    writable: options.writable ?? [],
    env,
    ...(options.offsetSeconds === undefined ? {} : { offsetSeconds: options.offsetSeconds }),
  });
  const made = kind === 'systemd' || kind === 'both' ? await makeWay(places, machine, context) : [];
  const steps = await applySteps(plan.steps, toolsOf(context));
  return { kind, steps: [...made, ...steps], notes: plan.notes };
}
