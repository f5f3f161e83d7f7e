/**
 * The convention: scripts that are found by where they lie, with no pullyu.yaml. Folders of a repository say which hosts they are
 * meant for; a layer that does not exist is skipped.
 */
import type { Action } from '../model/action.ts';
import type { Labels } from '../model/labels.ts';
import type { ConventionSettings } from '../model/repo.ts';
import { defaultRetry, defaultTimeoutMs } from './limits.ts';

/** The layout of the practice. `stack` is its first form, `stacktype` the later one: both are honoured. */
export const CLASSIC: ConventionSettings = {
  init: layers('bin/init', 'init.sh', ['stacktype/{stacktype}']),
  work: layers('bin/work', 'work.sh', ['stack/{stack}', 'stacktype/{stacktype}']),
};

/** The same two trees under their later names. */
export const NODEWORK: ConventionSettings = {
  init: layers('it/nodeinit', 'init.sh', ['stacktype/{stacktype}']),
  work: layers('bin/nodework', 'work.sh', ['stack/{stack}', 'stacktype/{stacktype}']),
};

/** Most general first: common, part, each kind of stack, a part of each kind of stack. */
function layers(folder: string, script: string, stacks: readonly string[]): string[] {
  const names = ['common', 'part/{part}', ...stacks, ...stacks.map((stack) => `${stack}/part/{part}`)];
  return names.map((name) => `${folder}/${name}/${script}`);
}

/** An init installs packages. */
const INIT_TIMEOUT_MS = 3_600_000;

export interface ConventionPaths {
  readonly init: readonly string[];
  readonly work: readonly string[];
}

/** The paths that this host would call, existing or not. A template whose label the host lacks is left out. */
export function conventionPaths(settings: ConventionSettings, labels: Labels): ConventionPaths {
  const fill = (templates: readonly string[]) =>
    templates.map((template) => fillTemplate(template, labels)).filter((path) => path !== null);
  return { init: fill(settings.init), work: fill(settings.work) };
}

/**
 * The actions of the layers that exist. Init runs until its first success on this host; of several only the first (`common`) is
 * called when it exists, because it includes the others itself. Work runs at every look, each layer in its own process, none of them
 * held up by another.
 */
export function conventionActions(
  repo: string,
  settings: ConventionSettings,
  labels: Labels,
  exists: ReadonlySet<string>,
): Action[] {
  const paths = conventionPaths(settings, labels);
  const present = paths.init.filter((path) => exists.has(path));
  const first = settings.init[0] === undefined ? null : fillTemplate(settings.init[0], labels);
  const init = first !== null && present[0] === first ? [first] : present;
  const names = new Set<string>();
  const inits = init.map((path) => layer(repo, 'init', path, names));
  const after = inits.map((action) => action.name);
  const works = paths.work
    .filter((path) => exists.has(path))
    .map((path) => ({ ...layer(repo, 'work', path, names), after }));
  return [...inits, ...works];
}

function layer(repo: string, kind: 'init' | 'work', path: string, names: Set<string>): Action {
  const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
  return {
    repo,
    name: uniqueName(kind, folder, names),
    origin: 'convention',
    run: [path],
    hosts: null,
    paths: [folder === '' ? path : `${folder}/**`],
    on: [{ type: kind === 'init' ? 'bootstrap' : 'look' }],
    check: null,
    timeoutMs: kind === 'init' ? INIT_TIMEOUT_MS : defaultTimeoutMs,
    user: null,
    env: {},
    after: [],
    kind: 'idempotent',
    catchUp: 'latest',
    undo: null,
    retry: defaultRetry,
  };
}

/** `bin/work/part/app` becomes `work-part-app`. */
function uniqueName(kind: string, folder: string, names: Set<string>): string {
  const layer = folder.split('/').slice(2).join('-') || folder;
  const base = `${kind}-${layer}`
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .slice(0, 60);
  let name = base;
  for (let n = 2; names.has(name); n += 1) name = `${base}-${n}`;
  names.add(name);
  return name;
}

/** null when a label is missing, or its value is no plain name of a folder. */
function fillTemplate(template: string, labels: Labels): string | null {
  let complete = true;
  const path = template.replace(/\{([^{}]+)\}/g, (_, key: string) => {
    const value = Object.hasOwn(labels, key) ? labels[key]! : '';
    if (!/^[\w@+-][\w.@+-]*$/.test(value)) complete = false;
    return value;
  });
  return complete ? path : null;
}
