/** What the commands about the heartbeat need to know of the outside. */
import { userInfo } from 'node:os';
import type { Clock } from '../system/clock.ts';
import type { Paths } from '../system/paths.ts';
import { type Machine, readMachine } from './machine.ts';
import type { Launcher } from './places.ts';
import type { ToolOptions } from './tools.ts';

export interface HeartbeatContext {
  readonly paths: Paths;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly clock: Clock;
  readonly launcher: Launcher;
  /** Stand-ins for crontab and systemctl; default: those of the PATH. */
  readonly tools?: Omit<ToolOptions, 'env'>;
  /** A stand-in for what the machine offers; default: what it does. */
  readonly machine?: Machine;
}

export function machineOf(context: HeartbeatContext): Machine {
  return context.machine ?? readMachine({ uid: context.uid, user: userName(), env: context.env });
}

/** The programs of the machine, with as little environment as they need: systemctl --user finds its socket by it. */
export function toolsOf(context: HeartbeatContext): ToolOptions {
  const env: Record<string, string> = { PATH: context.env.PATH ?? '/usr/local/bin:/usr/bin:/bin' };
  for (const name of ['HOME', 'USER', 'LOGNAME', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS']) {
    const value = context.env[name];
    if (value !== undefined) env[name] = value;
  }
  return { ...context.tools, env };
}

/** Empty for a user without an entry in the user database, as containers have them. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}
