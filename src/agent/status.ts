/** What `status`, `plan` and `why` show: configuration, journal, state file and a plan put together. Reads only; needs no lock. */
import { uptime } from 'node:os';
import { join } from 'node:path';
import { PullyuError } from '../errors.ts';
import { TroubleError } from '../git/stderr.ts';
import { type JournalView, readJournal } from '../journal/read.ts';
import type { Action } from '../model/action.ts';
import type { Host, HostState } from '../model/host.ts';
import type { CommitId } from '../model/ids.ts';
import type { Pause, Plan, RepoInput, RosterView, Step } from '../model/plan.ts';
import type { RepoConfig } from '../model/repo.ts';
import type { RunIntent } from '../model/run.ts';
import type { Trouble } from '../model/trouble.ts';
import { planLook } from '../plan/look.ts';
import { type Clock, readBootId } from '../system/clock.ts';
import { readLockHolder } from '../system/lock.ts';
import { type Paths, repoPaths } from '../system/paths.ts';
import { isAlive } from '../system/processes.ts';
import { filesOfCommit, readActions } from './actions.ts';
import { createActionsCache } from './actions-cache.ts';
import type { HostView } from './context.ts';
import { readValidView } from './host-view.ts';
import { readIdentity } from './identity.ts';
import { readOwnSideTrouble } from './own-side.ts';
import { readRepoInput } from './repo-input.ts';
import { readRosterView } from './roster-view.ts';
import { lockFile } from './session.ts';
import { type AgentAnswer, askAgent } from './socket.ts';
import { openSource } from './source.ts';
import { type AgentState, readState } from './state-file.ts';

export interface HostPicture {
  readonly view: HostView;
  /** Why host.yaml is not in force as it is; null when it is. */
  readonly problem: PullyuError | null;
  readonly journal: JournalView;
  readonly state: AgentState;
  /** Who holds the lock and is alive. */
  readonly holder: { readonly pid: number; readonly command: string } | null;
  readonly openRun: RunIntent | null;
  readonly pause: Pause | null;
  /** Since when a person keeps the agent from running anything; null when nobody does. */
  readonly heldSince: number | null;
  /** Seen by the reader: nothing can be written. */
  readonly ownSide: Trouble | null;
  readonly now: number;
}

export async function readPicture(paths: Paths, clock: Clock): Promise<HostPicture> {
  const id = readIdentity(paths.state);
  if (id === null) {
    throw new PullyuError('not-bootstrapped', `expected this host in ${paths.state}, found none`, {
      hint: 'pullyu bootstrap URL',
    });
  }
  const { view, problem } = await readValidView(paths, id);
  const found = readLockHolder(lockFile(paths));
  const holder = found !== null && isAlive(found) ? found : null;
  const live =
    holder?.command === 'agent' ? await askAgent<AgentAnswer>(paths.state, 'GET', '/state', 2_000) : null;
  // After the state, so that the journal is never older than it.
  const journal = readJournal(join(paths.state, 'journal.log'));
  const now = clock.now();
  return {
    view,
    problem,
    journal,
    state: live?.state ?? readState(paths.state),
    holder,
    openRun: holder === null ? null : (journal.openRuns().at(-1) ?? null),
    pause: journal.pause(now),
    heldSince: live?.heldSince ?? null,
    ownSide: readOwnSideTrouble(paths.state),
    now,
  };
}

export interface PlanOptions {
  /** Plan for this commit of a repo instead of its current one. */
  readonly commit?: { readonly repo: string; readonly id: CommitId };
  /** As if the host had these labels too. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What the next look would do with what is here. No network, no lock, changes nothing. */
export async function readPlan(
  paths: Paths,
  picture: HostPicture,
  clock: Clock,
  env: Readonly<Record<string, string | undefined>>,
  options: PlanOptions = {},
): Promise<{ plan: Plan; actions: Action[] }> {
  const host: Host = { ...picture.view.host, labels: { ...picture.view.host.labels, ...options.labels } };
  const inputs: RepoInput[] = [];
  for (const repo of picture.view.config.repos) {
    const input = await readInputOf(paths, repo, {
      picture,
      host,
      clock,
      env,
      commit: options.commit?.repo === repo.name ? options.commit.id : null,
    });
    if (input) inputs.push(input);
  }
  const actions = inputs.flatMap((input) => input.actions);
  const roster = readRosterView(paths.state, actions, picture.view);
  return { plan: planInputs({ ...picture, roster }, host, inputs, clock.now()), actions };
}

export function planInputs(
  picture: Pick<HostPicture, 'journal' | 'pause'> & { readonly roster: RosterView | null },
  host: Host,
  repos: readonly RepoInput[],
  now: number,
): Plan {
  return planLook({
    now,
    bootId: readBootId(),
    bootedAt: now - Math.round(uptime() * 1000),
    host,
    repos,
    memory: picture.journal.memory(),
    pause: picture.pause,
    roster: picture.roster,
  });
}

interface RepoInputOptions {
  readonly picture: HostPicture;
  readonly host: Host;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly commit: CommitId | null;
}

async function readInputOf(paths: Paths, repo: RepoConfig, o: RepoInputOptions): Promise<RepoInput | null> {
  const source = openSource(paths, repo, { ...o, limits: o.picture.view.config.limits });
  try {
    const commit = o.commit ?? (await source.current())?.commit ?? null;
    if (commit === null || !(await source.reader.has(commit))) return null;
    const cache = createActionsCache(repoPaths(paths.state, repo.name).base, repo.name, { write: false });
    let read = await readActions(repo, filesOfCommit(source.reader, commit), o.host.labels, cache);
    // HEAD of a repo that pulls itself may hold a broken pullyu.yaml: the last valid actions are in force.
    const valid = o.picture.journal.target(repo.name);
    if (!read.ok && repo.pull === 'self' && o.commit === null && valid !== null)
      read = await readActions(repo, filesOfCommit(source.reader, valid), o.host.labels);
    if (!read.ok) {
      throw new PullyuError(
        'repo-config',
        read.trouble.message,
        read.trouble.hint === null ? {} : { hint: read.trouble.hint },
      );
    }
    return await readRepoInput(source.reader, o.picture.journal, read.value, {
      repo: repo.name,
      commit,
      labels: o.host.labels,
    });
  } catch (error) {
    if (error instanceof TroubleError) return null;
    throw error;
  } finally {
    source.close();
  }
}

/** What the host is, as it sees itself. */
export function hostState(picture: HostPicture, steps: readonly Step[]): HostState {
  if (picture.pause !== null) return 'paused';
  if (steps.some((step) => step.reason === 'parked' || step.reason === 'unknown')) return 'wedged';
  if (picture.openRun !== null) return 'busy';
  const isNew = picture.view.config.repos.some((repo) => picture.journal.target(repo.name) === null);
  return isNew || steps.some(isUnfinishedInit) ? 'setup' : 'working';
}

function isUnfinishedInit(step: Step): boolean {
  return (
    step.definition?.on.some((trigger) => trigger.type === 'bootstrap') === true && step.reason !== 'current'
  );
}
