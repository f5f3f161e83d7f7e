/** Where everything lives. `--root DIR` moves all of it under DIR, so that many hosts live on one machine. */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

export interface Paths {
  /** `--root`, or null. */
  readonly root: string | null;
  /** /etc/pullyu or its stand-in. */
  readonly config: string;
  readonly hostFile: string;
  /** /var/lib/pullyu or its stand-in: lock, journal, clones, trees, runs. */
  readonly state: string;
}

/**
 * With a root: DIR/etc/pullyu and DIR/var/lib/pullyu. As root without one: the system's folders. Otherwise XDG's.
 * The lock lies in the state folder and nowhere else: cron and a login shell disagree about XDG_RUNTIME_DIR.
 */
export function decidePaths(root: string | undefined, env: NodeJS.ProcessEnv, uid: number): Paths {
  const chosen = root ?? env.PULLYU_ROOT;
  if (chosen)
    return at(resolve(chosen), join(resolve(chosen), 'etc/pullyu'), join(resolve(chosen), 'var/lib/pullyu'));
  if (uid === 0) return at(null, '/etc/pullyu', '/var/lib/pullyu');
  const home = env.HOME && isAbsolute(env.HOME) ? env.HOME : homedir();
  const xdg = (name: string, fallback: string) => {
    const value = env[name];
    return join(value && isAbsolute(value) ? value : join(home, fallback), 'pullyu');
  };
  return at(null, xdg('XDG_CONFIG_HOME', '.config'), xdg('XDG_STATE_HOME', '.local/state'));
}

function at(root: string | null, config: string, state: string): Paths {
  return { root, config, hostFile: join(config, 'host.yaml'), state };
}

/** Folders and files of one repo below the state folder. */
export function repoPaths(state: string, repo: string) {
  const base = join(state, 'repos', repo);
  return {
    base,
    clone: join(base, 'clone.git'),
    trees: join(base, 'trees'),
    current: join(base, 'current'),
    /** Which slot holds which commit, written before and after each change. */
    treesFile: join(base, 'trees.json'),
    /** The whole repository of a repo with `pull: self`: its own script changes it, never the agent. */
    self: join(base, 'self'),
    /** What `pullyu try` keeps: try.json, the lock, the checkout. */
    try: join(base, 'try'),
    /** The target of every tree's `.temp`. */
    temp: join(base, 'temp'),
    /** PULLYU_STATE_DIR of an action is a folder in here. */
    actionState: join(base, 'state'),
  };
}
