/** `pullyu status`: the host on one screen. */

import { readDeliveries } from '../agent/deliveries.ts';
import { describeBrokenConfig } from '../agent/host-view.ts';
import { type HostPicture, hostState, readPicture, readPlan } from '../agent/status.ts';
import { openTries } from '../agent/try.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { isLate } from '../heartbeat/duty.ts';
import { readFallback } from '../heartbeat/proven.ts';
import type { Action } from '../model/action.ts';
import { actionKey } from '../model/action.ts';
import { shortId } from '../model/ids.ts';
import { formatLabels } from '../model/labels.ts';
import type { Step } from '../model/plan.ts';
import { printable } from '../model/printable.ts';
import type { LastingTrouble } from '../model/trouble.ts';
import { version } from '../model/version.ts';
import { formatDuration, formatTime } from '../plan/sentence.ts';
import { formatTracking } from '../plan/target.ts';
import { resolveTracking } from '../plan/tracking.ts';
import type { CommandContext } from './context.ts';
import { formatRunJson, type RunJson } from './run-json.ts';
import { formatTable, type Terminal } from './terminal.ts';

export interface StatusJson {
  readonly host: {
    readonly name: string;
    readonly id: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly state: string;
    /** What is wrong with host.yaml; the one before stays in force. */
    readonly trouble: string | null;
  };
  readonly agent: {
    readonly version: string;
    readonly pid: number | null;
    readonly intervalMs: number;
    readonly lastLookAt: string | null;
    readonly nextLookAt: string | null;
    readonly late: boolean;
    /** The installed program does not work: the last version that did is used in its place. */
    readonly fallback: { readonly since: string; readonly nextTrialAt: string } | null;
  };
  readonly pause: { readonly reason: string; readonly since: string; readonly until: string } | null;
  readonly repos: readonly RepoJson[];
  /** Where this host publishes; empty without `status` in host.yaml. */
  readonly published: readonly PublishedJson[];
  readonly actions: readonly ActionJson[];
}

interface PublishedJson {
  readonly store: string;
  readonly name: string;
  readonly deliveredAt: string | null;
  readonly waiting: number;
  readonly conflict: string | null;
  readonly trouble: TroubleJson | null;
}

export interface RepoJson {
  readonly name: string;
  readonly track: string;
  readonly remote: string | null;
  readonly seen: string | null;
  readonly target: string | null;
  readonly applied: string | null;
  readonly lastContactAt: string | null;
  readonly trouble: TroubleJson | null;
  readonly healed: { readonly at: string; readonly files: readonly string[] } | null;
}

interface TroubleJson {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly remote: string | null;
  readonly since: string;
  readonly count: number;
}

export interface ActionJson {
  readonly repo: string;
  readonly name: string;
  /** `ok`, `due`, `running`, `failed`, `parked`, `waiting`, `idle`, `not-selected`, `paused`. */
  readonly state: string;
  readonly reason: string;
  readonly sentence: string;
  readonly nextAt: string | null;
  readonly lastRun: RunJson | null;
}

export async function runStatus(
  options: { readonly json?: boolean; readonly all?: boolean },
  context: CommandContext,
): Promise<ExitCode> {
  const picture = await readPicture(context.paths, context.clock);
  const { plan, actions } = await readPlan(context.paths, picture, context.clock, context.env);
  const status = describeStatus(picture, plan.steps, actions, context.paths.state);
  if (options.json) context.out.json(status);
  else {
    for (const line of formatStatus(status, context.out, picture.now, options.all === true))
      context.out.line(line);
    if (picture.heldSince !== null)
      context.out.line(`a person holds the runs since ${iso(picture.heldSince)}`);
    for (const repo of openTries(context.paths, picture.view.config.repos))
      context.out.line(`a try of ${repo.name} is open: pullyu try status ${repo.name}`);
  }
  return EXIT.ok;
}

function describeFallback(stateFolder: string): StatusJson['agent']['fallback'] {
  const fallback = readFallback(stateFolder);
  return fallback && { since: iso(fallback.since), nextTrialAt: iso(fallback.nextTrialAt) };
}

export function describeStatus(
  picture: HostPicture,
  steps: readonly Step[],
  actions: readonly Action[],
  stateFolder: string,
): StatusJson {
  const { view, journal, state, pause } = picture;
  const { config, host } = view;
  const daemon = picture.holder?.command === 'agent' ? picture.holder.pid : null;
  return {
    host: {
      name: host.name,
      id: host.id,
      labels: host.labels,
      state: hostState(picture, steps),
      trouble: picture.problem === null ? null : describeBrokenConfig(picture.problem),
    },
    agent: {
      version,
      pid: daemon,
      intervalMs: config.intervalMs,
      lastLookAt: isoOrNull(state.lastLookAt),
      nextLookAt: isoOrNull(state.nextLookAt),
      late: isLate(picture.now, state.lastLookAt, config.intervalMs),
      fallback: describeFallback(stateFolder),
    },
    pause: pause && { reason: pause.reason, since: iso(pause.since), until: iso(pause.until) },
    repos: config.repos.map((repo) => {
      const known = state.repos[repo.name];
      const { ownSide } = picture;
      // What cannot be written now hides whatever was written before.
      const trouble = ownSide === null ? known?.trouble : { ...ownSide, since: picture.now, count: 1 };
      const tracking = resolveTracking(repo.track, host.labels);
      return {
        name: repo.name,
        track: tracking.ok ? formatTracking(tracking.value) : tracking.trouble.message,
        remote: known?.remote ?? repo.remotes[0] ?? null,
        seen: known?.seen ?? null,
        target: journal.target(repo.name),
        applied: journal.applied(repo.name),
        lastContactAt: isoOrNull(known?.lastContactAt ?? null),
        trouble: trouble ? troubleJson(trouble) : null,
        healed: known?.healed ? { at: iso(known.healed.at), files: known.healed.files } : null,
      };
    }),
    published: readDeliveries({ state: stateFolder }, config.status).map((one) => ({
      store: one.store,
      name: one.name,
      deliveredAt: isoOrNull(one.deliveredAt),
      waiting: one.waiting,
      conflict: one.conflict,
      trouble: one.trouble && troubleJson(one.trouble),
    })),
    actions: actions.map((action) => describeAction(picture, action, steps, stateFolder)),
  };
}

function describeAction(
  picture: HostPicture,
  action: Action,
  steps: readonly Step[],
  stateFolder: string,
): ActionJson {
  const own = steps.filter((step) => step.repo === action.repo && step.action === action.name);
  // Of several commits to catch up with, the one that holds up the others.
  const step =
    own.find((one) => one.due) ??
    own.find((one) => ['parked', 'unknown', 'backing-off'].includes(one.reason)) ??
    own.at(-1);
  const memory = picture.journal.memory().get(actionKey(action.repo, action.name));
  return {
    repo: action.repo,
    name: action.name,
    state: step === undefined ? 'idle' : actionState(step, memory?.lastRun?.result?.outcome ?? null),
    reason: step?.reason ?? 'current',
    sentence: step?.sentence ?? '',
    nextAt: isoOrNull(step?.due ? null : (step?.notBefore ?? null)),
    lastRun: memory?.lastRun ? formatRunJson(memory.lastRun, stateFolder) : null,
  };
}

function actionState(step: Step, lastOutcome: string | null): string {
  switch (step.reason) {
    case 'current':
      return 'ok';
    case 'not-yet':
      return lastOutcome === null ? 'idle' : 'ok';
    case 'look':
      return step.attempt > 1 ? 'failed' : lastOutcome === null ? 'due' : 'ok';
    case 'backing-off':
    case 'retry':
      return 'failed';
    case 'unknown':
    case 'parked':
      return 'parked';
    case 'waiting':
    case 'running':
    case 'paused':
    case 'not-selected':
      return step.reason;
    default:
      return 'due';
  }
}

function troubleJson(lasting: LastingTrouble): TroubleJson {
  const { code, message, hint, remote, since, count } = lasting;
  return { code, message, hint, remote, since: iso(since), count };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : iso(ms);
}

function formatStatus(status: StatusJson, out: Terminal, now: number, all: boolean): string[] {
  const { host, agent } = status;
  const ago = (time: string | null) => (time === null ? 'never' : `${formatAge(now - Date.parse(time))} ago`);
  const wrong = describeWrong(status);
  const state = `${paintState(host.state, out)}${describeWork(status, now)}${wrong === '' ? '' : `, ${out.red(wrong)}`}`;
  const lines = [`${out.bold(host.name)} is ${state} (${formatLabels(host.labels)})`];
  const look = `last look ${ago(agent.lastLookAt)}`;
  const who = agent.pid === null ? 'no agent is running' : `agent ${agent.version} (process ${agent.pid})`;
  lines.push(
    `${who}, every ${formatDuration(agent.intervalMs)}, ${agent.late ? out.red(`${look}, which is late`) : look}`,
  );
  if (agent.fallback !== null)
    lines.push(
      out.red(
        'the installed pullyu does not work: the last version that did is used in its place (pullyu doctor)',
      ),
    );
  if (agent.late && agent.pid === null)
    lines.push('  hint: pullyu install sets up the heartbeat; pullyu doctor says what is wrong with it');
  if (host.trouble !== null) lines.push(`${out.red('host.yaml')}: ${printable(host.trouble, 400)}`);
  if (status.pause !== null)
    lines.push(
      `${out.yellow('paused')} until ${formatTime(Date.parse(status.pause.until))}: ${printable(status.pause.reason)}`,
    );
  for (const repo of status.repos) lines.push('', ...formatRepo(repo, out, ago));
  if (status.published.length > 0) lines.push('');
  for (const one of status.published) lines.push(...formatPublished(one, out, ago));
  // What needs somebody stands first, and is never among those that are left out.
  const sorted = [...status.actions.filter(isFailing), ...status.actions.filter((one) => !isFailing(one))];
  const shown = all ? sorted : sorted.filter((action) => action.state !== 'not-selected').slice(0, 40);
  if (shown.length > 0) lines.push('');
  lines.push(
    ...formatTable(
      shown.map((action) => [
        paintState(action.state, out),
        `${action.repo}/${action.name}`,
        action.lastRun === null ? 'never ran' : ago(action.lastRun.startedAt),
        out.dim(action.sentence),
      ]),
    ),
  );
  const hidden = status.actions.length - shown.length;
  if (hidden > 0) lines.push(out.dim(`${hidden} more: pullyu status --all`));
  return lines;
}

/** ` with it/shop at 893129d for 40 s`; empty when nothing runs. */
function describeWork({ host, actions }: StatusJson, now: number): string {
  const running = actions.find(({ state }) => state === 'running');
  if (host.state !== 'busy' || !running?.lastRun) return '';
  const { commit, startedAt } = running.lastRun;
  return ` with ${running.repo}/${running.name} at ${shortId(commit)} for ${formatAge(now - Date.parse(startedAt))}`;
}

/** `1 action fails, 2 repos have trouble`; empty when all is well. The first line must not read better than the rest. */
function describeWrong({ host, actions, repos }: StatusJson): string {
  const failing = actions.filter(isFailing).length;
  const troubled = repos.filter((repo) => repo.trouble !== null).length;
  return [
    ...(failing === 0 ? [] : [failing === 1 ? '1 action fails' : `${failing} actions fail`]),
    ...(host.trouble === null ? [] : ['its host.yaml is not valid']),
    ...(troubled === 0 ? [] : [troubled === 1 ? '1 repo has trouble' : `${troubled} repos have trouble`]),
  ].join(', ');
}

function isFailing({ state }: ActionJson): boolean {
  return state === 'failed' || state === 'parked';
}

function formatRepo(repo: RepoJson, out: Terminal, ago: (time: string | null) => string): string[] {
  const applied =
    repo.applied === null
      ? 'nothing applied yet'
      : repo.applied === repo.target
        ? `${out.green('applied')} ${shortId(repo.applied)}`
        : `applied ${shortId(repo.applied)}`;
  const target =
    repo.target === repo.applied || repo.target === null
      ? ''
      : `, ${out.yellow(`working on ${shortId(repo.target)}`)}`;
  const seen = repo.seen === null || repo.seen === repo.target ? '' : `, seen ${shortId(repo.seen)}`;
  const lines = [
    `${out.bold(repo.name)}: ${printable(repo.track)}, ${applied}${target}${seen}, last contact ${ago(repo.lastContactAt)}`,
  ];
  if (repo.trouble !== null) {
    lines.push(
      `  ${out.red(repo.trouble.code)} since ${ago(repo.trouble.since)}: ${printable(repo.trouble.message, 400)}`,
    );
    if (repo.trouble.hint !== null) lines.push(`  hint: ${printable(repo.trouble.hint, 400)}`);
  }
  if (repo.healed !== null)
    lines.push(
      `  edited files of the tree were put back ${ago(repo.healed.at)}: ${repo.healed.files.map((file) => printable(file)).join(', ')}`,
    );
  return lines;
}

function formatPublished(
  { name, deliveredAt, waiting, conflict, trouble }: PublishedJson,
  out: Terminal,
  ago: (time: string | null) => string,
): string[] {
  const wait =
    waiting === 0 ? '' : `, ${out.yellow(`${waiting === 1 ? '1 line waits' : `${waiting} lines wait`}`)}`;
  const told = deliveredAt === null ? 'nothing delivered yet' : `delivered ${ago(deliveredAt)}`;
  const lines = [`status: ${printable(name)}, ${told}${wait}`];
  if (conflict !== null && trouble?.code !== 'identity-conflict')
    lines.push(`  ${out.red('conflict')}: ${printable(conflict)}`);
  if (trouble !== null) {
    lines.push(`  ${out.red(trouble.code)} since ${ago(trouble.since)}: ${printable(trouble.message, 400)}`);
    if (trouble.hint !== null) lines.push(`  hint: ${printable(trouble.hint, 400)}`);
  }
  return lines;
}

/** `12 s`, `26 min`, `3 h`, `4 d`: as exact as an age has to be. */
function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

function paintState(state: string, out: Terminal): string {
  if (state === 'ok' || state === 'working') return out.green(state);
  if (state === 'failed' || state === 'parked' || state === 'wedged') return out.red(state);
  return state === 'not-selected' || state === 'idle' ? out.dim(state) : out.yellow(state);
}
