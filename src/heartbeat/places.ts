/** Where the parts of a heartbeat lie. */
import { createHash } from 'node:crypto';
import { isAbsolute, join } from 'node:path';
import type { Paths } from '../system/paths.ts';

/** The program that a heartbeat calls. Absolute, because cron and systemd have a PATH of their own. */
export interface Launcher {
  readonly node: string;
  readonly bin: string;
}

export interface HeartbeatPlaces {
  /** `pullyu`, or `pullyu-<hash of the root>`: cron.d file, unit and mark in a crontab are named so. */
  readonly name: string;
  readonly unitFile: string;
  /** The unit is one of the user's own systemd, not of the machine's. */
  readonly userUnit: boolean;
  /** File of cron's folder; null: the line goes into the user's own crontab. */
  readonly cronFile: string | null;
  /** The one visible script that the line of cron calls. */
  readonly script: string;
  /** The script by which every heartbeat starts the program: the installed one, or the last one that worked. */
  readonly startScript: string;
  readonly log: string;
  /** Optional lines `NAME=value` that both kinds of heartbeat put into the agent's environment (proxies). */
  readonly environmentFile: string;
  /** False below a `--root`: the files are written there, but nothing on the machine reads them. */
  readonly registered: boolean;
}

export interface PlacesOptions {
  readonly uid: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** With a root: register with the machine's own cron or systemd all the same. */
  readonly system?: boolean;
  /** Does the machine have /etc/cron.d? */
  readonly cronFolder: boolean;
}

export function decidePlaces(paths: Paths, options: PlacesOptions): HeartbeatPlaces {
  const registered = paths.root === null || options.system === true;
  const name = paths.root === null ? 'pullyu' : `pullyu-${shortHash(paths.root)}`;
  const base = registered ? '/' : paths.root!;
  const userUnit = registered && options.uid !== 0;
  const cronFile =
    registered && (options.uid !== 0 || !options.cronFolder) ? null : join(base, 'etc/cron.d', name);
  return {
    name,
    userUnit,
    unitFile: userUnit
      ? join(userConfigFolder(options.env), 'systemd/user', `${name}.service`)
      : join(base, 'etc/systemd/system', `${name}.service`),
    cronFile,
    script: join(paths.config, 'heartbeat.sh'),
    startScript: join(paths.config, 'start.sh'),
    log: join(paths.state, 'heartbeat.log'),
    environmentFile: join(paths.config, 'environment'),
    registered,
  };
}

function userConfigFolder(env: PlacesOptions['env']): string {
  const configured = env.XDG_CONFIG_HOME;
  return configured && isAbsolute(configured) ? configured : join(env.HOME ?? '/', '.config');
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

/** A whole number in [0, below) that is always the same for the same text: spreads a fleet without any talk. */
export function hashBelow(text: string, below: number): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) % below;
}
