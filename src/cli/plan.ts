/** `pullyu plan`: the sentences of what the next look would run. Changes nothing, asks no remote. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { findCommit } from '../agent/find-commit.ts';
import { planTree, type TreePlan } from '../agent/plan-tree.ts';
import { type HostPicture, readPicture, readPlan } from '../agent/status.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { type CommitId, shortId } from '../model/ids.ts';
import { formatLabels, type Labels } from '../model/labels.ts';
import type { Plan, Step } from '../model/plan.ts';
import { printable } from '../model/printable.ts';
import { formatTime } from '../plan/sentence.ts';
import type { CommandContext } from './context.ts';
import { parseLabels } from './labels.ts';

export interface PlanCommandOptions {
  /** Full or short. */
  readonly commit?: string;
  readonly tree?: string;
  readonly repo?: string;
  /** `key=value` each. */
  readonly host?: readonly string[];
  readonly all?: boolean;
  readonly json?: boolean;
}

/** What was planned, for whom, and what the reader should know beside it. */
export interface Shown {
  readonly plan: Plan;
  /** null: the next look of this host, which needs no heading. */
  readonly heading: string | null;
  readonly notices: readonly string[];
  /** A commit that exists only as long as the plan is made. */
  readonly unreal: CommitId | null;
}

export async function runPlan(options: PlanCommandOptions, context: CommandContext): Promise<ExitCode> {
  if (options.tree !== undefined && options.commit !== undefined) {
    throw new PullyuError('usage', 'expected --commit or --tree, found both', {
      hint: '--commit is of the clone, --tree is a working directory as it is now',
    });
  }
  const labels = parseLabels(options.host ?? [], '--host');
  const shown =
    options.tree === undefined
      ? await planHost(options, labels, context)
      : await planFolder(resolve(context.cwd, options.tree), options, labels, context);
  if (options.json) context.out.json(planJson(shown));
  else printPlan(shown, options.all === true, context);
  return EXIT.ok;
}

async function planHost(
  options: PlanCommandOptions,
  labels: Labels,
  context: CommandContext,
): Promise<Shown> {
  const { paths, clock, env } = context;
  const picture = await readPicture(paths, clock);
  const wanted = options.repo ?? null;
  requireRepo(picture, wanted);
  const commit =
    options.commit === undefined
      ? null
      : await findCommit(paths, picture.view.config, options.commit, { repo: wanted, clock, env });
  const { plan } = await readPlan(paths, picture, clock, env, {
    labels,
    ...(commit === null ? {} : { commit }),
  });
  const only = commit?.repo ?? wanted;
  const steps = plan.steps.filter((step) => only === null || step.repo === only);
  const heading =
    commit === null && Object.keys(labels).length === 0
      ? null
      : [
          commit === null ? 'as it is' : `${commit.repo} at ${shortId(commit.id)}`,
          `for ${picture.view.host.name} with ${formatLabels({ ...picture.view.host.labels, ...labels })}`,
        ].join(', ');
  return {
    plan: { steps, nextDueAt: only === null ? plan.nextDueAt : earliest(steps) },
    heading,
    notices: picture.view.config.repos
      .filter(({ name }) => (only === null || name === only) && picture.journal.target(name) === null)
      .map(({ name }) => `${name}: nothing was fetched yet; \`pullyu look\` fetches it`),
    unreal: null,
  };
}

async function planFolder(
  folder: string,
  options: PlanCommandOptions,
  labels: Labels,
  context: CommandContext,
): Promise<Shown> {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new PullyuError(
      'usage',
      `expected a folder after --tree, found none at ${JSON.stringify(folder)}`,
      {
        hint: 'the root of a checkout, such as --tree .',
      },
    );
  }
  const made = await planTree(context.paths, folder, {
    repo: options.repo ?? null,
    labels,
    env: context.env,
    clock: context.clock,
    signal: context.signal,
  });
  return {
    plan: made.plan,
    heading: headingOf(made, folder),
    notices:
      made.plan.steps.length > 0
        ? []
        : [`no action was found: looked for ${made.looked.map((path) => printable(path)).join(', ')}`],
    unreal: made.commit === null ? (made.plan.steps.find((step) => step.definition)?.commit ?? null) : null,
  };
}

function headingOf({ repo, host, labels, commit }: TreePlan, folder: string): string {
  const version = commit === null ? 'not committed as it is' : `commit ${shortId(commit)}`;
  const whom = host === null ? 'for a host that has done nothing yet' : `for ${host} after what it has done`;
  return `${repo} in ${printable(folder)} (${version}), ${whom}, with ${formatLabels(labels)}`;
}

function requireRepo(picture: HostPicture, name: string | null): void {
  const names = picture.view.config.repos.map((repo) => repo.name);
  if (name === null || names.includes(name)) return;
  throw new PullyuError(
    'unknown-repo',
    `expected --repo to be one of ${names.join(', ')}, found ${JSON.stringify(name)}`,
  );
}

export interface PlanJson {
  readonly steps: readonly {
    readonly repo: string;
    readonly action: string;
    readonly due: boolean;
    readonly reason: string;
    readonly sentence: string;
    /** null: of a working directory that is not committed as it is. */
    readonly commit: string | null;
    readonly attempt: number;
    readonly notBefore: string | null;
  }[];
  readonly nextDueAt: string | null;
}

function planJson({ plan, unreal }: Shown): PlanJson {
  return {
    steps: plan.steps.map((step) => stepJson(step, unreal)),
    nextDueAt: isoOrNull(plan.nextDueAt),
  };
}

/** @param unreal A commit that exists only as long as the plan is made. */
export function stepJson(step: Step, unreal: CommitId | null = null): PlanJson['steps'][number] {
  const { repo, action, due, reason, sentence, commit, attempt, notBefore } = step;
  return {
    repo,
    action,
    due,
    reason,
    sentence,
    commit: commit === unreal ? null : commit,
    attempt,
    notBefore: isoOrNull(notBefore),
  };
}

export function printPlan({ plan, heading, notices }: Shown, all: boolean, { out }: CommandContext): void {
  const due = plan.steps.filter((step) => step.due);
  const held = plan.steps.filter((step) => step.reason === 'paused');
  const resting = plan.steps.filter((step) => !step.due && step.reason !== 'paused');
  const several = new Set(plan.steps.map((step) => step.repo)).size > 1;
  const line = (step: Step) => (several ? `${step.repo}: ${step.sentence}` : step.sentence);
  if (heading !== null) out.line(out.bold(heading));
  for (const step of due) out.line(line(step));
  for (const step of held) out.line(out.yellow(line(step)));
  if (due.length + held.length === 0) out.line('nothing is due');
  if (all) for (const step of resting) out.line(out.dim(line(step)));
  else if (resting.length > 0)
    out.line(out.dim(`${resting.length} ${resting.length === 1 ? 'rests' : 'rest'}; --all says why`));
  if (due.length + held.length === 0 && plan.nextDueAt !== null)
    out.line(out.dim(`the next one may become due at ${formatTime(plan.nextDueAt)}`));
  for (const notice of notices) out.notice(notice);
}

function earliest(steps: readonly Step[]): number | null {
  const times = steps.flatMap((step) => (step.notBefore === null ? [] : [step.notBefore]));
  return times.length === 0 ? null : Math.min(...times);
}

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
