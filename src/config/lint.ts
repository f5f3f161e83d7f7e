/** What is wrong with a checkout before it is pushed. Pure: the files come as values. */
import type { Action, Argv } from '../model/action.ts';
import { formatSelector, type Labels, matchesSelector, type Selector } from '../model/labels.ts';
import { printable } from '../model/printable.ts';
import type { ConventionSettings } from '../model/repo.ts';
import { CLASSIC, NODEWORK } from './convention.ts';
import { checkHostText } from './host-config.ts';
import { checkExpectedHosts, HOSTS_FILE } from './hosts-yaml.ts';
import { scriptFindings } from './lint-script.ts';
import { type Problem, sortProblems } from './problem.ts';
import { checkRepoConfig, REPO_FILE } from './repo-config.ts';
import type { KeyPath, YamlText } from './yaml-text.ts';

export type LintFile = 'file' | 'executable' | 'link' | 'submodule';

export interface LintInput {
  readonly repo: string;
  /** Every path of the checkout (tracked files). */
  readonly files: ReadonlyMap<string, LintFile>;
  /** Content of pullyu.yaml; null without one. */
  readonly config: Uint8Array | null;
  /** Content of hosts.yaml; absent or null without one. */
  readonly hostsConfig?: Uint8Array | null;
  /** The first bytes of a file (at least 512 when it has as many); null when it cannot be read. Asked about scripts only. */
  readonly head: (path: string) => Uint8Array | null;
  /** Which paths a glob means: the same function that the fingerprint uses (git/contents). */
  readonly createMatcher: (glob: string) => (path: string) => boolean;
  /** Labels of the hosts that are known, to find actions that nobody runs; null: not known. */
  readonly hosts: readonly Labels[] | null;
  /** Default: classic. */
  readonly convention?: ConventionSettings;
  /** A host.yaml, by the name that findings use. */
  readonly hostFile?: { readonly file: string; readonly content: Uint8Array };
}

export interface Finding {
  /** `error`: it will not work. `warning`: probably a mistake. `note`: good to know. */
  readonly severity: 'error' | 'warning' | 'note';
  readonly file: string;
  /** Both begin at 1; null when the file as a whole is meant. */
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
  readonly hint: string | null;
}

/** Errors, then warnings, then notes; each in the order of its file. Empty: nothing to say. */
export function lintRepo(input: LintInput): Finding[] {
  const findings = input.config === null ? lintConvention(input) : lintConfig(input, input.config);
  const all = [...findings, ...lintHosts(input), ...lintTree(input), ...lintHostFile(input)];
  const order = ['error', 'warning', 'note'];
  return all.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
}

/** `file:line:column: severity: message`, which editors and CI systems understand. */
export function formatFinding(finding: Finding): string {
  const place = [finding.file, finding.line, finding.column].filter((part) => part !== null).join(':');
  return `${printable(place)}: ${finding.severity}: ${finding.message}`;
}

function lintConfig(input: LintInput, config: Uint8Array): Finding[] {
  const { actions, problems, text } = checkRepoConfig(config, input.repo);
  const broken = errors(REPO_FILE, problems);
  const findings = [...broken, ...(actions ?? []).flatMap((action) => lintAction(action, input, text))];
  if (!input.files.has(REPO_FILE))
    findings.push(about(REPO_FILE, 'warning', 'this file is not added to git', `git add ${REPO_FILE}`));
  if (actions?.length === 0)
    findings.push(about(REPO_FILE, 'warning', 'there are no actions in it: no host does anything'));
  const unused = conventionScripts(input);
  if (unused.length > 0) {
    const message = `the scripts of the convention (${printable(unused[0]!)}${unused.length > 1 ? ', ...' : ''}) are not called, because there is a ${REPO_FILE}`;
    findings.push(about(REPO_FILE, 'warning', message));
  }
  return findings;
}

function lintAction(action: Action, input: LintInput, text: YamlText): Finding[] {
  const findings: Finding[] = [];
  const add = (path: KeyPath, severity: Finding['severity'], message: string, hint: string | null = null) => {
    const place = text.at(['actions', action.name, ...path]);
    const key = path.length === 0 ? '' : `.${path[0]}`;
    findings.push({
      severity,
      file: REPO_FILE,
      ...place,
      message: `actions.${action.name}${key}: ${message}`,
      hint,
    });
  };
  for (const key of ['run', 'check', 'undo'] as const) {
    const path =
      action[key] && scriptOf(action[key], typeof written(text, action.name, key) === 'string', input);
    if (!path) continue;
    for (const { severity, message, hint } of scriptFindings(path, input))
      add([key], severity, message, hint);
  }
  // The default follows from `run`, which was looked at above.
  const globs = (written(text, action.name, 'paths') ?? []) as readonly string[];
  globs.forEach((glob, index) => {
    const matches = input.createMatcher(glob);
    for (const path of input.files.keys()) if (matches(path)) return;
    add(['paths', index], 'warning', `"${printable(glob, 80)}" matches no file`);
  });
  const isNobody = (selector: Selector | null) =>
    input.hosts !== null && !input.hosts.some((labels) => matchesSelector(selector, labels));
  if (isNobody(action.hosts)) {
    add(['hosts'], 'warning', `no known host has ${printable(formatSelector(action.hosts))}`);
  }
  const presences = action.on.filter((trigger) => trigger.type === 'presence');
  for (const { of } of presences) {
    if (isNobody(of)) add(['on'], 'warning', `presence: no known host has ${printable(formatSelector(of))}`);
  }
  if (presences.length > 0 && action.kind === 'once') {
    const hint = 'kind: idempotent, for a script that brings the host into line with the live hosts';
    add(
      ['kind'],
      'warning',
      'of each set of live hosts it is started once: when a set comes back, nothing runs',
      hint,
    );
  }
  return findings;
}

/** As it is written; only of a text in which no problem was found. */
function written(text: YamlText, action: string, key: string): unknown {
  return (text.value as { actions: Record<string, Record<string, unknown>> }).actions[action]?.[key];
}

/**
 * The path in the repository that a command names; null when it is a program of the host.
 * @param isPath It was written as a text: that is a path, whatever it looks like.
 */
function scriptOf(argv: Argv, isPath: boolean, input: LintInput): string | null {
  const first = argv[0]!;
  if (first.startsWith('/')) return null;
  return isPath || first.includes('/') || input.files.has(first) ? first : null;
}

function lintConvention(input: LintInput): Finding[] {
  const scripts = conventionScripts(input);
  const findings = scripts.flatMap((path) =>
    scriptFindings(path, input).map(({ severity, message, hint }) => about(path, severity, message, hint)),
  );
  if (scripts.length > 0) {
    const message = `no ${REPO_FILE}: the convention's layout is used (${scripts.length} scripts)`;
    return [...findings, about(scripts[0]!, 'note', message)];
  }
  const later = matchingScripts(NODEWORK, input)[0];
  if (later !== undefined) {
    const hint = 'set `convention: nodework` for this repo in the host.yaml of each host';
    return [
      about(
        later,
        'warning',
        "this is the layout of the convention's later names, which hosts must be told",
        hint,
      ),
    ];
  }
  if (input.files.has(REPO_FILE))
    return [about(REPO_FILE, 'error', 'expected a plain file, found something else')];
  const near = [...input.files.keys()].find((path) => /^\.?pullyu\.ya?ml$/i.test(path));
  const hint =
    near === undefined
      ? 'write a pullyu.yaml, or a bin/work/common/work.sh'
      : `rename ${near} to ${REPO_FILE}`;
  return [about(REPO_FILE, 'error', 'expected this file or scripts of the convention, found neither', hint)];
}

function conventionScripts(input: LintInput): string[] {
  return matchingScripts(input.convention ?? CLASSIC, input);
}

/** Scripts that some host may call: a label in a template stands for any plain name. */
function matchingScripts(settings: ConventionSettings, { files }: LintInput): string[] {
  const patterns = [...settings.init, ...settings.work].map((template) => {
    const parts = template.split(/\{[^{}]+\}/).map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
    return new RegExp(`^${parts.join('[\\w@+-][\\w.@+-]*')}$`);
  });
  return [...files.keys()].filter((path) => patterns.some((pattern) => pattern.test(path))).sort();
}

function lintHosts({ hostsConfig, files }: LintInput): Finding[] {
  if (!hostsConfig) return [];
  const { hosts, problems } = checkExpectedHosts(hostsConfig);
  const findings = errors(HOSTS_FILE, problems);
  if (!files.has(HOSTS_FILE))
    findings.push(about(HOSTS_FILE, 'warning', 'this file is not added to git', `git add ${HOSTS_FILE}`));
  if (hosts?.length === 0)
    findings.push(
      about(HOSTS_FILE, 'warning', 'there are no hosts in it: each one that comes is a stranger'),
    );
  return findings;
}

function lintHostFile({ hostFile }: LintInput): Finding[] {
  return hostFile === undefined ? [] : errors(hostFile.file, checkHostText(hostFile.content).problems);
}

function errors(file: string, problems: readonly Problem[]): Finding[] {
  return sortProblems(problems).map(({ line, column, message }) => ({
    severity: 'error',
    file,
    line,
    column,
    message,
    hint: null,
  }));
}

/** What concerns the whole checkout. */
function lintTree({ files }: LintInput): Finding[] {
  const submodule = [...files].find(([, kind]) => kind === 'submodule')?.[0];
  if (submodule === undefined) return [];
  const message = 'this is a submodule: hosts refuse the commit unless they are told to check it out';
  return [
    about(
      submodule,
      'warning',
      message,
      'set `submodules: true` for this repo in the host.yaml of each host',
    ),
  ];
}

function about(
  file: string,
  severity: Finding['severity'],
  message: string,
  hint: string | null = null,
): Finding {
  return { severity, file, line: null, column: null, message, hint };
}
