/** Before systemd keeps the agent: no other one may be at work. */
import { existsSync } from 'node:fs';
import { PullyuError } from '../errors.ts';
import { type HeartbeatContext, toolsOf } from './context.ts';
import { type Daemon, endCronsDaemon, findDaemon } from './daemon.ts';
import type { Machine } from './machine.ts';
import type { HeartbeatPlaces } from './places.ts';
import type { StepReport } from './steps.ts';
import { readUnitProperties } from './systemctl.ts';

/**
 * One agent works on a host: systemd's would find that of cron, and end again and again. Cron's is ended, before its line goes; should
 * the installation fail, cron starts another. Of systemd's own nothing is touched.
 * @throws PullyuError `busy` for an agent of whom nobody knows who would start it again; `failed` when it cannot be ended.
 */
export async function makeWay(
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
