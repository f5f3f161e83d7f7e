import { existsSync } from 'node:fs';
import { readState } from '../agent/state-file.ts';
import { PullyuError } from '../errors.ts';
import { delay } from '../system/clock.ts';
import { isAlive, processIdentity } from '../system/processes.ts';
import { type HeartbeatContext, machineOf } from './context.ts';
import { endDaemon, findDaemon, startDaemon } from './daemon.ts';
import { heartbeatDuty, isLate } from './duty.ts';
import { decidePlaces, type HeartbeatPlaces } from './places.ts';

export interface KeepOptions {
  readonly intervalMs: number;
  /** What happened, as one line for the log. */
  readonly say: (text: string) => void;
  /** A daemon is started. */
  readonly onStart?: () => void;
  /** Default: whether a systemd unit of this host is there, and systemd runs. */
  readonly supervised?: boolean;
}

const DAEMON_GRACE_MS = 15_000;
/** For a daemon that was just started to take the lock. */
const START_GRACE_MS = 10_000;

/**
 * One call by cron: ends a daemon that is late, starts one where the interval needs it, and says whether the caller is to
 * look now. Quiet while all is well. Two at once do no harm: the lock lets one of them work.
 * @throws PullyuError `failed` when a late daemon cannot be ended.
 */
export async function keepHeartbeat(
  options: KeepOptions,
  context: HeartbeatContext,
): Promise<'rest' | 'look'> {
  const { paths, clock } = context;
  const { intervalMs } = options;
  const machine = machineOf(context);
  const places = decidePlaces(paths, { ...context, cronFolder: machine.cronFolder });
  const supervised = options.supervised ?? (machine.systemd === 'running' && existsSync(places.unitFile));
  const askDuty = () => {
    const daemon = findDaemon(paths.state);
    const { lastLookAt } = readState(paths.state);
    const duty = heartbeatDuty({
      now: clock.now(),
      lastLookAt,
      intervalMs,
      supervised,
      daemonAlive: daemon !== null,
      daemonLifeAt: daemon?.lifeAt ?? null,
    });
    return { daemon, lastLookAt, duty };
  };

  let { daemon, lastLookAt, duty } = askDuty();
  if (duty === 'replace' && daemon !== null) {
    options.say(`the agent (process ${daemon.pid}) has not looked for three intervals: it is replaced`);
    if (!(await endDaemon(daemon, DAEMON_GRACE_MS))) {
      throw new PullyuError(
        'failed',
        `expected the agent (process ${daemon.pid}) to end, it is still alive`,
        {
          hint: 'it may hang in the kernel (a dead disk or network file system): see dmesg',
        },
      );
    }
    ({ daemon, lastLookAt, duty } = askDuty());
  }
  if (duty !== 'start') return duty === 'look' ? 'look' : 'rest';
  options.onStart?.();
  const pid = await start(places, context);
  options.say('the agent was not running: started it');
  if (!isLate(clock.now(), lastLookAt, intervalMs)) return 'rest';
  // Also when no daemon can live here, the host looks: once a minute.
  return (await isDaemonSoon(paths.state, pid)) ? 'rest' : 'look';
}

function start(places: HeartbeatPlaces, { paths, launcher, env }: HeartbeatContext): Promise<number> {
  const given = Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  return startDaemon({ launcher, root: paths.root, log: places.log, env: given });
}

/** False as soon as the process that was started has ended without anybody being the daemon. */
async function isDaemonSoon(state: string, pid: number): Promise<boolean> {
  const started = processIdentity(pid);
  for (let waited = 0; waited < START_GRACE_MS; waited += 50) {
    if (findDaemon(state) !== null) return true;
    if (started === null || !isAlive(started)) return false;
    await delay(50);
  }
  return false;
}
