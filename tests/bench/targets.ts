/** What was to be reached, and whether it was: pure. */
import type { ApplyTimes, PlanCosts } from './change.ts';
import type { CommandCosts, DaemonCosts } from './idle.ts';
import { median, ratio } from './measure.ts';
import { REMOTE_NAMES } from './remotes.ts';

export interface Figures {
  readonly commands: CommandCosts;
  readonly daemons: DaemonCosts;
  readonly apply: ApplyTimes;
  readonly plans: PlanCosts;
}

export interface Target {
  readonly sentence: string;
  readonly found: number;
  readonly most: number;
  readonly unit: '' | 'MB' | 'ms';
}

export function isReached({ found, most }: Target): boolean {
  return found <= most;
}

/** More noise than this is between two measurements of the very same thing on a busy machine; growth is told from it by its size. */
export function findTargets({ commands, daemons, apply, plans }: Figures): Target[] {
  const { small } = commands;
  const cpu = (costs: readonly { cpuMs: number }[]) => costs.map((cost) => cost.cpuMs);
  const { beside } = daemons;
  const others = REMOTE_NAMES.filter((name) => name !== 'small');
  return [
    {
      sentence: 'an idle look of the daemon, as a part of one pass of the shell loop (CPU)',
      found: ratio(beside.look, beside.shellLoop),
      most: 1 / 30,
      unit: '',
    },
    {
      sentence: 'an idle look of the daemon, as a multiple of a bare kept-alive request from Node (CPU)',
      found: ratio(beside.look, beside.bare),
      most: 1.5,
      unit: '',
    },
    {
      sentence: 'an idle one-shot look, as a multiple of `node -e 0` and `git ls-remote` together (CPU)',
      found: ratio(
        cpu(small.oneShot),
        cpu(small.node).map((node, n) => node + small.lsRemote[n]!.cpuMs),
      ),
      most: 1.6,
      unit: '',
    },
    {
      sentence: 'memory of the idle daemon above that of a Node that only counts',
      found: Math.max(...REMOTE_NAMES.map((name) => daemons.memoryMb[name])) - daemons.floorMb,
      most: 25,
      unit: 'MB',
    },
    ...others.map((name) => ({
      sentence: `an idle look of the daemon with many ${name}, as a multiple of the small repository's (CPU)`,
      found: ratio(daemons.look[name], daemons.look.small),
      most: 1.1,
      unit: '' as const,
    })),
    ...others.map((name) => ({
      sentence: `an idle one-shot look with many ${name}, as a multiple of the small repository's (CPU)`,
      found: ratio(cpu(commands[name].oneShot), cpu(small.oneShot)),
      most: 1.1,
      unit: '' as const,
    })),
    {
      sentence:
        'one changed file among many, from `look` to the first line of the script, as a multiple of `git pull` (time)',
      found: ratio(apply.look, apply.gitPull),
      most: 2,
      unit: '',
    },
    {
      sentence: '`pullyu plan` of many actions, beyond that of one action (CPU)',
      found: median(cpu(plans.actions.plan)) - median(cpu(plans.small.plan)),
      most: 100,
      unit: 'ms',
    },
  ];
}
