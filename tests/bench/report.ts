/** The figures as Markdown: pure. */
import type { PlanCosts } from './change.ts';
import { COMMANDS, type Command } from './idle.ts';
import { median } from './measure.ts';
import type { Reactions, Way } from './reaction.ts';
import { REMOTE_NAMES, type RemoteName, type Sizes } from './remotes.ts';
import { type Figures, findTargets, isReached, type Target } from './targets.ts';

export interface Report extends Figures {
  readonly reactions: Reactions;
  readonly firstLookS: Readonly<Record<RemoteName, number>>;
  readonly sizes: Sizes;
  /** Lines about machine, programs and date. */
  readonly conditions: readonly string[];
}

export function renderReport(report: Report): string {
  const { sizes } = report;
  const { beside } = report.daemons;
  const titles: Record<RemoteName, string> = {
    small: 'small',
    files: `${count(sizes.files)} files`,
    refs: `${count(sizes.refs)} refs`,
    actions: `${count(sizes.actions)} actions`,
  };
  const head = ['', ...REMOTE_NAMES.map((name) => titles[name])];
  const perRemote = (title: string, cell: (name: RemoteName) => string) => [title, ...REMOTE_NAMES.map(cell)];
  return [
    report.conditions.map((line) => `- ${line}`).join('\n'),
    '### Targets',
    table(['what', 'found', 'at most', ''], findTargets(report).map(targetRow)),
    '### An idle look',
    'Processor time, milliseconds; in brackets wall time where a program starts and ends.',
    table(head, [
      perRemote('`pullyu agent`, one look, in turns', (name) => fixed(median(report.daemons.look[name]), 2)),
      ['`pullyu agent`, one look, beside the next two', fixed(median(beside.look), 2), '', '', ''],
      ['bare kept-alive request from Node', fixed(median(beside.bare), 2), '', '', ''],
      ['shell loop, one pass', fixed(median(beside.shellLoop), 1), '', '', ''],
      ...COMMANDS.map((command) =>
        perRemote(COMMAND_TITLES[command], (name) => costCell(report.commands[name][command])),
      ),
    ]),
    '![CPU of an idle look](performance-idle.svg)',
    '### Memory at rest',
    'Resident, MB, after many idle looks.',
    table(head, [
      perRemote('`pullyu agent`', (name) => fixed(report.daemons.memoryMb[name], 0)),
      ['a Node that only counts', fixed(report.daemons.floorMb, 0), '', '', ''],
    ]),
    '### From the end of a push to the first line of the script',
    'Wall time, milliseconds.',
    table(
      head,
      (Object.keys(WAY_TITLES) as Way[]).map((way) =>
        perRemote(WAY_TITLES[way], (name) => numberCell(report.reactions[name][way])),
      ),
    ),
    '![From push to script](performance-reaction.svg)',
    '### A change',
    table(
      ['what', 'milliseconds'],
      [
        [
          `one changed file among ${count(sizes.files)}: \`git pull\`, time`,
          fixed(median(report.apply.gitPull), 0),
        ],
        ['the same: `pullyu look` until the script begins, time', fixed(median(report.apply.look), 0)],
        ...planRows(report.plans, sizes),
      ],
    ),
    '### The first look',
    'Seconds: everything is cloned, and every action runs once.',
    table(head, [perRemote('`pullyu look`', (name) => fixed(report.firstLookS[name], 1))]),
  ].join('\n\n');
}

const COMMAND_TITLES: Record<Command, string> = {
  node: '`node -e 0`',
  lsRemote: '`git ls-remote URL refs/heads/main`',
  oneShot: '`pullyu look`',
  shellLoop: 'shell loop: `git fetch`, two `git rev-parse`',
  ansiblePull: '`ansible-pull --only-if-changed`',
};

const WAY_TITLES: Record<Way, string> = {
  woken: '`pullyu agent`, woken by `pullyu look` at once',
  interval: '`pullyu agent`, interval 200 ms, nobody wakes it',
  oneShot: '`pullyu look` at once, no agent',
  shellLoop: 'shell loop, started at once',
  ansiblePull: '`ansible-pull`, started at once',
};

function planRows(plans: PlanCosts, sizes: Sizes): string[][] {
  const cpu = (costs: readonly { cpuMs: number }[]) => fixed(median(costs.map((cost) => cost.cpuMs)), 0);
  const many = count(sizes.actions);
  return [
    ['`pullyu plan`, one action, CPU', cpu(plans.small.plan)],
    [`\`pullyu plan\`, ${many} actions, CPU`, cpu(plans.actions.plan)],
    ['look at a commit that concerns nothing, one action, CPU', cpu(plans.small.unrelated)],
    [`look at a commit that concerns nothing, ${many} actions, CPU`, cpu(plans.actions.unrelated)],
    [
      'look at a commit that rewrites pullyu.yaml and changes no action, one action, CPU',
      cpu(plans.small.config),
    ],
    [
      `look at a commit that rewrites pullyu.yaml and changes no action, ${many} actions, CPU`,
      cpu(plans.actions.config),
    ],
  ];
}

export function targetRow(target: Target): string[] {
  const digits = target.unit === '' ? 3 : 1;
  const show = (value: number) => `${fixed(value, digits)}${target.unit === '' ? '' : ` ${target.unit}`}`;
  return [
    target.sentence,
    show(target.found),
    show(target.most),
    isReached(target) ? 'reached' : '**MISSED**',
  ];
}

function costCell(costs: readonly { cpuMs: number; wallMs: number }[]): string {
  if (costs.length === 0) return 'skipped';
  const of = (pick: 'cpuMs' | 'wallMs') => median(costs.map((cost) => cost[pick]));
  return `${fixed(of('cpuMs'), 0)} (${fixed(of('wallMs'), 0)})`;
}

function numberCell(values: readonly number[]): string {
  return values.length === 0 ? 'skipped' : fixed(median(values), 0);
}

export function fixed(value: number, digits: number): string {
  return value.toFixed(digits);
}

export function count(n: number): string {
  return n.toLocaleString('en-US');
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, n) => (n === 0 ? '---' : '---:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}
