/** The whole environment of an action. Nothing is inherited from the agent: what works by hand works from a timer. */
import { dirname } from 'node:path';
import type { Account } from './account.ts';
import type { RunSpec } from './spec.ts';

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The PATH of an action: a script may call `pullyu`, wherever it is installed.
 * @param programs Absolute paths of pullyu and of Node.
 */
export function pathWith(programs: readonly string[]): string {
  const folders = DEFAULT_PATH.split(':');
  for (const folder of programs.map((program) => dirname(program)))
    if (folder.startsWith('/') && !folder.includes(':') && !folders.includes(folder)) folders.push(folder);
  return folders.join(':');
}

/** By this variable every process is known that a run ever started, also one that left its session and its parent. */
export const RUN_MARK = 'PULLYU_RUN_ID';

export interface RunFilesForScripts {
  readonly changedFiles: string;
}

/**
 * docs/environment.md is a table of exactly these (a test compares). The action's own `env` may replace the first group,
 * never a PULLYU_ variable.
 */
export function actionEnvironment(
  spec: RunSpec,
  account: Account,
  files: RunFilesForScripts,
): Record<string, string> {
  const { intent } = spec;
  return clean({
    HOME: account.home,
    USER: account.name,
    LOGNAME: account.name,
    SHELL: account.shell,
    PATH: spec.path ?? DEFAULT_PATH,
    LANG: 'C.UTF-8',
    PWD: spec.tree,
    DEBIAN_FRONTEND: 'noninteractive',
    // The tree belongs to the agent's user; git would refuse to work in it as another one.
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: spec.tree,
    ...spec.env,
    ...labelVariables(spec.labels),
    PULLYU_HOST: spec.host.name,
    PULLYU_REPO: intent.repo,
    PULLYU_ACTION: intent.action,
    PULLYU_COMMIT: intent.commit,
    PULLYU_LAST_COMMIT: spec.lastCommit ?? '',
    PULLYU_REASON: intent.reason,
    PULLYU_ATTEMPT: String(intent.attempt),
    PULLYU_INTERRUPTED: spec.interrupted ? '1' : '0',
    PULLYU_CHANGED_FILES: files.changedFiles,
    PULLYU_ROSTER: spec.rosterFile,
    PULLYU_STATE_DIR: spec.stateFolder,
    [RUN_MARK]: intent.id,
    ...(spec.root ? { PULLYU_ROOT: spec.root } : {}),
  });
}

/** `part` becomes PULLYU_LABEL_PART, `rack-unit` PULLYU_LABEL_RACK_UNIT. */
export function labelVariables(labels: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    entries.map(([key, value]) => [`PULLYU_LABEL_${key.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`, value]),
  );
}

/** No value can hold a NUL; a variable whose name no shell accepts would be lost on the way, so it is lost here. */
function clean(environment: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment)
      .filter(([name]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      .map(([name, value]) => [name, value.replaceAll('\0', '')]),
  );
}
