import { accessSync, constants } from 'node:fs';
import { readFileOrNull } from '../system/files.ts';
import { hasCrontabLine } from './cron.ts';
import { readCrontab } from './crontab.ts';
import { findDaemon } from './daemon.ts';
import type { HeartbeatFacts } from './doctor-heartbeat.ts';
import { parseEnvironmentNames, proxiesOf } from './environment.ts';
import { type InstallOptions, planInstall } from './install.ts';
import { readFallback } from './proven.ts';
import { readUnitProperties } from './systemctl.ts';
import type { ToolOptions } from './tools.ts';

export interface HeartbeatFactsOptions extends InstallOptions {
  readonly now: number;
  readonly lastLookAt: number | null;
  readonly tools: ToolOptions;
}

/** Which heartbeats are there, whether anything reads them, and whether they are as we would write them. Changes nothing. */
export async function readHeartbeatFacts(o: HeartbeatFactsOptions): Promise<HeartbeatFacts> {
  const { places, machine } = o;
  const hasUnit = readFileOrNull(places.unitFile) !== null;
  const cronWhere = await findCronLine(o);
  const kind = hasUnit && cronWhere ? 'both' : hasUnit ? 'systemd' : cronWhere ? 'cron' : 'none';
  return {
    now: o.now,
    intervalMs: o.intervalMs,
    lastLookAt: o.lastLookAt,
    daemonAlive: findDaemon(o.paths.state) !== null,
    unit: hasUnit ? await readUnit(o) : null,
    cron:
      cronWhere === null
        ? null
        : {
            where: cronWhere,
            script: places.script,
            scriptRuns: isExecutable(places.script),
            daemonAlive: machine.cronDaemon,
          },
    registered: places.registered,
    outdated: findOutdated(kind, o),
    fallback: readFallback(o.paths.state),
    missingProxies: kind === 'none' ? [] : findMissingProxies(o),
  };
}

async function findCronLine({ places, machine, tools }: HeartbeatFactsOptions): Promise<string | null> {
  if (places.cronFile !== null && readFileOrNull(places.cronFile) !== null) return places.cronFile;
  if (!places.registered || !machine.crontab) return null;
  try {
    return hasCrontabLine(await readCrontab(tools), places.name) ? 'the crontab' : null;
  } catch {
    // Who may not read a crontab has no line in it.
    return null;
  }
}

async function readUnit(o: HeartbeatFactsOptions): Promise<NonNullable<HeartbeatFacts['unit']>> {
  const { places, machine } = o;
  const name = `${places.name}.service`;
  const systemdRuns = machine.systemd === 'running';
  const manager = places.userUnit ? ['--user'] : [];
  const properties =
    systemdRuns && places.registered
      ? await readUnitProperties(name, manager, ['ActiveState', 'UnitFileState'], o.tools)
      : null;
  return {
    name,
    file: places.unitFile,
    active: properties?.ActiveState ?? null,
    enabled: properties?.UnitFileState ?? null,
    systemdRuns,
    endsAtLogout: places.userUnit && !machine.lingers,
  };
}

/** What an installation of the same kind would change now. A script that was renamed away is no such change. */
function findOutdated(kind: 'systemd' | 'cron' | 'both' | 'none', o: HeartbeatFactsOptions): string[] {
  if (kind === 'none') return [];
  const offset = /^sleep (\d+)$/m.exec(readFileOrNull(o.places.script) ?? '')?.[1];
  const plan = planInstall(kind, { ...o, env: {}, offsetSeconds: Number(offset ?? 0) });
  return plan.steps.flatMap((step) => {
    if (step.type === 'crontab') return [];
    const old = readFileOrNull(step.path);
    const wanted = step.type === 'unit' ? step.text : step.edit(old);
    return old === null || wanted === old ? [] : [step.path];
  });
}

function findMissingProxies({ env, places }: HeartbeatFactsOptions): string[] {
  let text = '';
  try {
    text = readFileOrNull(places.environmentFile) ?? '';
  } catch {
    // Not ours to read: then it is not ours to judge.
    return [];
  }
  const known = parseEnvironmentNames(text);
  return Object.keys(proxiesOf(env)).filter((name) => !known.has(name));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
