/** The host as a look sees it. The usual case, nothing changed, costs two stats. */
import { readdirSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { readNodeinfo } from '../config/nodeinfo.ts';
import { configStamp, readHostConfig, readLastValid } from '../config/read-host-config.ts';
import { PullyuError } from '../errors.ts';
import type { HostConfig } from '../model/host.ts';
import type { HostId } from '../model/ids.ts';
import type { Paths } from '../system/paths.ts';
import type { HostView } from './context.ts';

/**
 * @param known What the last look saw; returned itself when nothing changed.
 * @throws PullyuError `host-config`, `not-bootstrapped`.
 */
export async function readHostView(paths: Paths, id: HostId, known: HostView | null): Promise<HostView> {
  const configured = configStamp(paths);
  if (known !== null && configured !== null && known.stamp === stampOf(configured, known.config))
    return known;
  const { config, stamp } = await readHostConfig(paths, hostname());
  // Before the facts are read: one that changes meanwhile is seen by the next look.
  const seen = stampOf(stamp, config);
  const labels = { ...readNodeinfo(config.nodeinfo), ...config.labels };
  return { config, host: { name: config.name, id, labels }, stamp: seen };
}

export interface ValidView {
  readonly view: HostView;
  /** Why host.yaml itself is not in force; null when it is. */
  readonly problem: PullyuError | null;
}

/**
 * As `readHostView`, but while host.yaml is not valid, what was valid last stays in force: a slip of the pen must not stop a host.
 * @throws PullyuError `host-config` only when nothing valid is known.
 */
export async function readValidView(paths: Paths, id: HostId): Promise<ValidView> {
  try {
    return { view: await readHostView(paths, id, null), problem: null };
  } catch (error) {
    const config = error instanceof PullyuError && error.code === 'host-config' ? readLastValid(paths) : null;
    if (config === null) throw error;
    const labels = { ...readNodeinfo(config.nodeinfo), ...config.labels };
    const stamp = `before ${stampOf(configStamp(paths) ?? 'none', config)}`;
    return {
      view: { config, host: { name: config.name, id, labels }, stamp },
      problem: error as PullyuError,
    };
  }
}

/** One line for people: what is wrong with host.yaml, and that it does no harm yet. */
export function describeBrokenConfig(problem: PullyuError): string {
  const [first] = problem.lines;
  return `${problem.message}; the configuration before stays in force${first ? `: ${first}` : ''}`;
}

function stampOf(configured: string, config: HostConfig): string {
  return config.nodeinfo === null ? configured : `${configured} ${nodeinfoStamp(config.nodeinfo)}`;
}

/** Files may be rewritten in place, so each is asked. There are few. */
function nodeinfoStamp(folder: string): string {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.txt'))
      .map((name) => {
        const stat = statSync(join(folder, name), { bigint: true, throwIfNoEntry: false });
        // Not the time stamp alone: `cp -p` and rsync bring an old one with another value of the same length.
        return `${name}:${stat?.size}:${stat?.mtimeNs}:${stat?.ino}:${stat?.ctimeNs}`;
      })
      .join(' ');
  } catch {
    return 'none';
  }
}
