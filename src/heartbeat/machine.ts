/** What this machine offers to call us regularly. */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Machine {
  readonly uid: number;
  /** `running`: systemd is the init. `installed`: its programs are there, as in many containers. */
  readonly systemd: 'running' | 'installed' | 'absent';
  /** The user's own systemd answers at its socket. */
  readonly userManager: boolean;
  /** The user's own systemd also runs while nobody is logged in. */
  readonly lingers: boolean;
  /** /etc/cron.d is there. */
  readonly cronFolder: boolean;
  /** The program crontab is there. */
  readonly crontab: boolean;
  /** A cron daemon is alive. */
  readonly cronDaemon: boolean;
}

export interface MachineOptions {
  readonly uid: number;
  readonly user: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const CRON_DAEMONS = new Set(['cron', 'crond', 'fcron', 'busybox-crond', 'cronie', 'dcron']);

export function readMachine(options: MachineOptions): Machine {
  const { uid, env } = options;
  const runtime = env.XDG_RUNTIME_DIR ?? `/run/user/${uid}`;
  return {
    uid,
    // What sd_booted(3) asks.
    systemd: existsSync('/run/systemd/system')
      ? 'running'
      : findProgram('systemctl', env.PATH)
        ? 'installed'
        : 'absent',
    userManager: existsSync(join(runtime, 'systemd/private')),
    lingers: existsSync(join('/var/lib/systemd/linger', options.user)),
    cronFolder: existsSync('/etc/cron.d'),
    crontab: findProgram('crontab', env.PATH) !== null,
    cronDaemon: isCronAlive(),
  };
}

/** The first executable file of that name on the PATH, or null. */
export function findProgram(name: string, path: string | undefined): string | null {
  for (const folder of (path ?? '').split(delimiter)) {
    if (folder === '') continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** Is any process a cron daemon? BusyBox's is called crond, or busybox with `crond` as its first argument. */
function isCronAlive(): boolean {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const name = readFileSync(`/proc/${entry}/comm`, 'utf8').trim();
      if (CRON_DAEMONS.has(name)) return true;
      if (name === 'busybox' && /(^|\/)crond\0/.test(readFileSync(`/proc/${entry}/cmdline`, 'utf8')))
        return true;
    } catch {
      // It ended meanwhile.
    }
  }
  return false;
}
