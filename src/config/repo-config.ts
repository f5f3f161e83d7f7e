/** pullyu.yaml: text in, actions with every default decided out. Pure. */
import type { Action, Argv, Trigger } from '../model/action.ts';
import { checkActions } from './check-actions.ts';
import { type CheckOptions, checkText } from './check-text.ts';
import { parseDuration } from './duration.ts';
import { CONFIG_MAX_BYTES, defaultRetry } from './limits.ts';
import { type Problem, problemsError } from './problem.ts';
import { type ActionValues, repoSchema } from './repo-schema.ts';
import { decideRunLimits, decideSelector } from './schema-parts.ts';
import { folderGlob, withoutDot } from './tree-path.ts';
import type { YamlText } from './yaml-text.ts';

/** The file in the root of a repository. */
export const REPO_FILE = 'pullyu.yaml';

const WORDS = new Set(['run', 'check', 'undo', 'after']);

/** Five times as many as anybody is known to have. */
const ACTIONS_MAX = 5_000;
const VALUES_MAX = 40_000;

const OPTIONS: CheckOptions = {
  limits: { maxBytes: CONFIG_MAX_BYTES, maxValues: VALUES_MAX },
  refuse(value) {
    const { actions } = (value ?? {}) as { actions?: unknown };
    const count = typeof actions === 'object' && actions !== null ? Object.keys(actions).length : 0;
    return count > ACTIONS_MAX ? `expected at most ${ACTIONS_MAX} actions, found ${count}` : null;
  },
  isText: (path) => {
    const key = path[2];
    if (path[0] !== 'actions') return false;
    // [actions, name, on, index, presence or facts, ...]
    if (key === 'on') return path[4] === 'presence' || path[4] === 'facts';
    return key === 'hosts' || key === 'env' || key === 'user' || key === 'paths' || WORDS.has(String(key));
  },
  isSecret: (path) => path[2] === 'env' && path.length > 3,
};

export interface RepoConfigOptions {
  readonly repo: string;
  /** As messages name it. Default: pullyu.yaml. */
  readonly file?: string;
}

/**
 * @param text Bytes where there are bytes: then what is not UTF-8 is found too. An empty file has no actions.
 * @returns Actions in the order of the file.
 * @throws PullyuError `repo-config` with a line `file:line:column: message` for every problem.
 */
export function parseRepoConfig(text: string | Uint8Array, o: RepoConfigOptions): Action[] {
  const { actions, problems } = checkRepoConfig(text, o.repo);
  if (actions === null) throw problemsError('repo-config', o.file ?? REPO_FILE, problems);
  return actions;
}

interface CheckedRepo {
  /** null when there are problems. */
  readonly actions: Action[] | null;
  readonly problems: readonly Problem[];
  /** To find the place of a key. */
  readonly text: YamlText;
}

export function checkRepoConfig(text: string | Uint8Array, repo: string): CheckedRepo {
  const checked = checkText(repoSchema, text, OPTIONS);
  if (checked.values === null) return { actions: null, problems: checked.problems, text: checked.text };
  const actions = Object.entries(checked.values.actions).map(([name, values]) =>
    decideAction(repo, name, values),
  );
  const problems = checkActions(actions, checked.text);
  return { actions: problems.length === 0 ? actions : null, problems, text: checked.text };
}

function decideAction(repo: string, name: string, values: ActionValues): Action {
  const run = decideCommand(values.run);
  const delayMs = parseDuration(values.retry.delay)!;
  const limits = decideRunLimits(values.limits);
  return {
    repo,
    name,
    origin: 'pullyu.yaml',
    run,
    hosts: values.hosts === undefined ? null : decideSelector(values.hosts),
    paths:
      values.paths === undefined
        ? [defaultPaths(values.run, run)]
        : [...new Set(values.paths.map(withoutDot))],
    on: decideTriggers(values.on),
    check: values.check === undefined ? null : decideCommand(values.check),
    timeoutMs: parseDuration(values.timeout)!,
    user: values.user ?? null,
    env: Object.fromEntries(Object.entries(values.env).map(([key, value]) => [key, String(value)])),
    after: [...new Set(values.after.map(String))],
    kind: values.kind,
    catchUp: values.catchUp,
    undo: values.undo === undefined ? null : decideCommand(values.undo),
    retry: {
      delayMs,
      delayMaxMs:
        values.retry.max === undefined
          ? Math.max(delayMs, defaultRetry.delayMaxMs)
          : parseDuration(values.retry.max)!,
      attempts: values.retry.attempts,
    },
    ...(limits === undefined ? {} : { limits }),
  };
}

function decideCommand(command: ActionValues['run']): Argv {
  if (typeof command === 'string') return [withoutDot(command)];
  const [first, ...rest] = command.map(String);
  return [withoutDot(first!), ...rest];
}

/** The script's own folder; everything when the script is in the root or `run` names a program of the host. */
function defaultPaths(written: ActionValues['run'], run: Argv): string {
  const first = run[0]!;
  return typeof written !== 'string' && (first.startsWith('/') || !first.includes('/'))
    ? '**'
    : folderGlob(first);
}

function decideTriggers(on: ActionValues['on']): Trigger[] {
  const triggers = on.map((trigger): Trigger => {
    if (typeof trigger === 'string') return { type: trigger };
    if ('presence' in trigger) {
      return {
        type: 'presence',
        of: decideSelector(trigger.presence),
        settleMs: parseDuration(trigger.settle)!,
        facts: [...new Set(trigger.facts.map(String))].sort(),
      };
    }
    return { type: 'schedule', cron: trigger.schedule.trim().replace(/\s+/g, ' '), tz: trigger.tz ?? null };
  });
  const seen = new Set<string>();
  return triggers.filter(
    (trigger) => !seen.has(JSON.stringify(trigger)) && seen.add(JSON.stringify(trigger)),
  );
}
