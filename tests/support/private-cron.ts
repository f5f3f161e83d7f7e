/** Debian's real cron and crontab, in a mount namespace of their own: no line of the machine runs, and none is left in it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface PrivateCron {
  /** Stands for /etc/cron.d. */
  readonly cronFolder: string;
  /** Words before a program, that let it see this cron's files. */
  readonly inside: readonly string[];
  /** Starts the daemon in the foreground. End it yourself. */
  start(): ChildProcess;
}

/** Needs root, and the programs cron, crontab and unshare. */
export function createPrivateCron(folder: string): PrivateCron {
  const cronFolder = join(folder, 'cron.d');
  const spool = join(folder, 'crontabs');
  const table = join(folder, 'crontab');
  for (const path of [cronFolder, spool]) mkdirSync(path);
  writeFileSync(table, '');
  const group = spawnSync('getent', ['group', 'crontab'], { encoding: 'utf8' }).stdout.split(':')[2];
  chownSync(spool, 0, Number(group ?? 0));
  chmodSync(spool, 0o1730);
  const script = `mount --bind ${cronFolder} /etc/cron.d && mount --bind ${table} /etc/crontab &&
    mount --bind ${spool} /var/spool/cron/crontabs && mount -t tmpfs tmpfs /run && exec "$@"`;
  const inside = ['unshare', '--mount', 'sh', '-c', script, 'sh'];
  return {
    cronFolder,
    inside,
    start: () =>
      spawn(inside[0]!, [...inside.slice(1), '/usr/sbin/cron', '-f'], {
        stdio: ['ignore', 'ignore', 'pipe'],
      }),
  };
}
