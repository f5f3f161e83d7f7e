/**
 * The look: probe, fetch, verify, choose, publish a tree, plan, run, report. One function for the daemon, the one-shot look and the
 * bootstrap; each pass is the same pass.
 *
 * All repos are brought up to date first, then the work of all is planned. While an action runs, looks go on probing and reporting and
 * leave its tree alone; a commit that they see makes the rest of the plan wait for the next pass.
 */
import { existsSync, rmSync, statSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import type { ProbeAnswer } from '../git/probe.ts';
import { type ActionKey, actionKey } from '../model/action.ts';
import type { CommitId, HostId } from '../model/ids.ts';
import { matchesSelector } from '../model/labels.ts';
import type { Plan, RepoInput, Step } from '../model/plan.ts';
import type { Run } from '../model/run.ts';
import type { LastingTrouble } from '../model/trouble.ts';
import { version } from '../model/version.ts';
import { stepByHand } from '../plan/by-hand.ts';
import { planLook } from '../plan/look.ts';
import { presenceTriggers } from '../plan/presence-triggers.ts';
import { resumeRun } from '../runner/resume.ts';
import { isStarted, type StartedRun } from '../runner/spec.ts';
import { tidyRuns } from '../runner/tidy.ts';
import { stampOfFile } from '../system/file-stamp.ts';
import { repoPaths } from '../system/paths.ts';
import { createBackOff } from './back-off.ts';
import type { AgentContext, HostView } from './context.ts';
import { awaitRun, executeSteps, healTree, recordResult } from './execute.ts';
import { createFollower, type Follower } from './follower.ts';
import { describeBrokenConfig, readHostView } from './host-view.ts';
import { createMarkers } from './markers.ts';
import { type IdleMemo, isIdle, journalStamp, readLiveLink } from './memo.ts';
import { dropRequest, readRequests, recordsOfRequest } from './requests.ts';
import { createSelfFollower } from './self-follower.ts';
import { emptyRepoState, type RepoState } from './state-file.ts';

export interface LookReport {
  readonly idle: boolean;
  readonly exitCode: ExitCode;
  /** null: nothing is due before an event. `look` triggers and unsettled answers do not count: the next look sees to them. */
  readonly nextDueAt: number | null;
  /** Looks in a row in which no repo could be brought up to date; 0 while one could be. */
  readonly failures: number;
  /** What a server asked for, of whichever repo. */
  readonly retryAfterMs: number | null;
  /** When every repo is left alone: until the first of them is to be asked. */
  readonly askInMs: number | null;
  readonly plan: Plan | null;
}

export interface Looker {
  /**
   * Asks the remotes of the repos that are not in back-off, and does what is due.
   * @param options.all Ask every repo: a person wants to know now.
   * @param options.onWork There is more to do than to compare an answer: from now on it may take long.
   */
  look(options?: { readonly all?: boolean; readonly onWork?: () => void }): Promise<LookReport>;
  /** Probes and reports while a run is open; sees newer commits. */
  busyTick(): Promise<void>;
  /**
   * Runs an action of the current tree now, due or not, as a look would. Recorded with the reason `manual`.
   * @param o.onRun As soon as it has begun: where its output goes.
   * @returns the run; null when the agent was told to end first, and the run goes on without it.
   * @throws PullyuError `unknown-action`, `refused`, `busy`, or `failed` when its tree cannot be had.
   */
  runByHand(
    repo: string,
    action: string,
    o: { onRun?: ((run: StartedRun) => void) | undefined },
  ): Promise<Run | null>;
  /** The run that is open now. */
  openRun(): StartedRun | null;
  view(): HostView;
  repoStates(): Record<string, RepoState>;
  memo(): IdleMemo | null;
  /** Milliseconds until each repo in trouble is to be asked again. */
  waits(): Record<string, number>;
  /** When the last look, or probe beside a run, ended; milliseconds since 1970. */
  lastLookAt(): number | null;
  /** Bounded housekeeping in idle time. */
  tidy(): Promise<void>;
  close(): void;
}

/** A look that keeps finding something newer ends after so many passes and goes on with the next look. */
const PASSES_MAX = 20;
const EMPTIED = 'host.yaml is empty; the configuration before stays in force';
const HEAL_EVERY_MS = 10 * 60_000;
const TIDY_EVERY_MS = 10 * 60_000;

export async function createLooker(
  context: AgentContext,
  hostId: HostId,
  known: {
    memo: IdleMemo | null;
    repos: Readonly<Record<string, RepoState>>;
    lastLookAt?: number | null;
    view?: HostView;
    /** What was said already about a host.yaml that is not valid. */
    brokenConfig?: string | null;
    /** Repos that are to be left alone for so many milliseconds more. */
    waits?: Readonly<Record<string, number>>;
  },
): Promise<Looker> {
  const { paths, journal, clock, emit, signal, bootId } = context;
  const dirtyFile = join(paths.state, 'dirty');
  const journalFile = join(paths.state, 'journal.log');
  const runsFolder = join(paths.state, 'runs');
  let view = known.view ?? (await readHostView(paths, hostId, null));
  let memo = known.memo;
  let tidied = known.memo?.tidied ?? null;
  let followers = new Map<string, Follower>();
  /** The `current` of each: made once, because an idle look asks for little else. */
  let linkOf = new Map<string, string>();
  let open: StartedRun | null = null;
  /** The answers that the trees stand for, and newer ones that were seen while an action ran. */
  let newer = false;
  let brokenConfig: string | null = known.brokenConfig ?? null;
  let lastLookAt: number | null = known.lastLookAt ?? null;
  const answers = new Map<string, CommitId>();
  const backOff = createBackOff(clock.monotonic, known.waits);

  const openFollowers = () => {
    const states = { ...known.repos, ...repoStates() };
    // Of a repo that is gone, or is asked elsewhere now.
    answers.clear();
    for (const follower of followers.values()) follower.close();
    followers = new Map(
      view.config.repos.map((repo) => [
        repo.name,
        (repo.pull === 'self' ? createSelfFollower : createFollower)(
          context,
          repo,
          { ...emptyRepoState(), ...states[repo.name] },
          () => view,
        ),
      ]),
    );
    linkOf = new Map(view.config.repos.map(({ name }) => [name, repoPaths(paths.state, name).current]));
  };
  const repoStates = () =>
    Object.fromEntries([...followers].map(([name, follower]) => [name, follower.state()]));
  openFollowers();
  /** No git of ours outlives the word to end, whatever it does: each was made to be cut off. */
  const closeFollowers = () => {
    for (const follower of followers.values()) follower.close();
  };
  signal.addEventListener('abort', closeFollowers, { once: true });

  let isEmptied = false;
  /** Told once, for as long as it is so. */
  const noteBroken = (text: string) => {
    if (brokenConfig !== text) emit({ type: 'warning', text });
    brokenConfig = text;
  };

  /** While host.yaml is broken or away, what was valid stays in force. */
  const readFreshView = async (): Promise<HostView> => {
    try {
      const fresh = await readHostView(paths, hostId, view);
      if (fresh !== view && view.config.repos.length > 0 && isEmptyFile(paths.hostFile)) {
        // Somebody writes it in place at this moment; or, when the next look finds it so again, a full disk emptied it.
        if (isEmptied) noteBroken(EMPTIED);
        isEmptied = true;
        return view;
      }
      isEmptied = false;
      brokenConfig = null;
      return fresh;
    } catch (error) {
      if (!(error instanceof PullyuError)) throw error;
      noteBroken(describeBrokenConfig(error));
      return view;
    }
  };

  const refreshView = async () => {
    const fresh = await readFreshView();
    if (fresh === view) return;
    backOff.clear();
    const sameRepos = JSON.stringify(fresh.config) === JSON.stringify(view.config);
    view = fresh;
    if (!sameRepos) openFollowers();
  };

  const drainRequests = () => {
    for (const pending of readRequests(paths.state)) {
      for (const record of pending.request === null ? [] : recordsOfRequest(pending.request)) {
        journal.append(record);
        if (record.type === 'paused') emit({ type: 'paused', reason: record.reason, until: record.until });
        if (record.type === 'resumed') emit({ type: 'resumed' });
      }
      dropRequest(pending);
    }
  };

  /** A second caller was here while we were at work. Taken away before the pass that answers it, so that none is lost. */
  const takeDirty = (): boolean => {
    if (!existsSync(dirtyFile)) return false;
    rmSync(dirtyFile, { force: true });
    return true;
  };

  /** Runs of an agent that died: collected, adopted, or declared interrupted. */
  const settleOpenRuns = async () => {
    for (const intent of journal.openRuns()) {
      const resumed = resumeRun(intent, {
        clock,
        bootId,
        limits: view.config.limits,
        runFolder: join(paths.state, 'runs', intent.id),
      });
      if (!isStarted(resumed)) {
        recordResult(context, intent, resumed);
        continue;
      }
      emit({ type: 'run-adopted', run: intent.id, repo: intent.repo, action: intent.action });
      open = resumed;
      const result = await awaitRun(resumed, signal);
      open = null;
      if (result === null) return;
      recordResult(context, intent, result, resumed.outputFile);
    }
  };

  const noteBackOff = (follower: Follower) =>
    backOff.note(follower.repo.name, {
      intervalMs: view.config.intervalMs,
      hostId: view.host.id,
      failures: failuresOf(follower.state()),
      retryAfterMs: follower.troubles.in('contact')?.retryAfterMs ?? null,
    });

  /** @param all Also those that are in back-off; else their last trouble stays. */
  const probeAll = async (all: boolean): Promise<Probed> => {
    const left = new Set<string>();
    const found = new Map<string, ProbeAnswer>();
    await Promise.all(
      [...followers.values()].map(async (follower) => {
        const { name } = follower.repo;
        if (!all && backOff.isOn(name)) {
          left.add(name);
          return;
        }
        const answer = await follower.probe();
        noteBackOff(follower);
        if (answer.ok) found.set(name, answer.value);
      }),
    );
    return { found, left };
  };

  /** Of configuration, labels, and the live hosts that a trigger saw. */
  const stampNow = (): string => {
    const roster = context.roster.stamp();
    return roster === '' ? view.stamp : `${view.stamp} ${roster}`;
  };

  const linksNow = (): IdleMemo['links'] => {
    const links: Record<string, string | null> = {};
    for (const [name, link] of linkOf) links[name] = readLiveLink(link);
    return links;
  };

  /** Of a repo that was left alone nothing is known that was not known before. */
  const answersOf = ({ found, left }: Probed, known: IdleMemo): IdleMemo['answers'] => {
    const entries: [string, CommitId | null][] = [];
    for (const name of followers.keys()) {
      const answer = found.get(name);
      if (answer !== undefined) entries.push([name, answer.commit]);
      else if (left.has(name)) entries.push([name, known.answers[name] ?? null]);
    }
    return Object.fromEntries(entries);
  };

  /** Repos with a tree that could not be read for the last plan: what is to be done in them is not known. */
  const unread = new Set<string>();

  const makePlan = async (): Promise<Plan> => {
    const inputs: RepoInput[] = [];
    unread.clear();
    for (const follower of followers.values()) {
      const input = await follower.planInput(view);
      if (input) inputs.push(input);
      else if (follower.trees.current() !== null) unread.add(follower.repo.name);
    }
    noteSeen(inputs);
    const now = clock.now();
    return planLook({
      now,
      bootId,
      bootedAt: now - Math.round(uptime() * 1000),
      host: view.host,
      repos: inputs,
      memory: journal.memory(),
      pause: journal.pause(now),
      // Until the stores are read here: without `status` nothing ever is.
      roster: context.roster.view(triggersOf(inputs)),
    });
  };

  const triggersOf = (inputs: readonly RepoInput[]) =>
    inputs
      .flatMap(({ actions }) => actions)
      .filter(({ hosts }) => matchesSelector(hosts, view.host.labels))
      .flatMap(presenceTriggers);

  /** A schedule counts from the moment at which the host first knew of it. */
  const noteSeen = (inputs: readonly RepoInput[]) => {
    for (const { actions } of inputs) {
      for (const action of actions) {
        if (!action.on.some((trigger) => trigger.type === 'schedule')) continue;
        if (journal.memory().has(actionKey(action.repo, action.name))) continue;
        journal.append({ type: 'seen', repo: action.repo, action: action.name, at: clock.now() });
      }
    }
  };

  const work = async (plan: Plan): Promise<void> => {
    const due = new Map<string, CommitId>();
    for (const step of plan.steps) {
      const current = followers.get(step.repo)?.trees.current();
      if (step.due && current) due.set(step.repo, current.commit);
    }
    for (const [repo, commit] of due) createMarkers(paths, repo).begin(commit);
    const report = await executeSteps(context, plan.steps, {
      view,
      followers,
      stop: () => {
        if (newer) return 'a newer commit is there';
        drainRequests();
        return journal.pause(clock.now()) === null ? null : 'paused';
      },
      onRun: (run) => {
        open = run;
      },
    });
    if (signal.aborted) return;
    for (const [repo, commit] of due)
      createMarkers(paths, repo).end(commit, report.failed === 0 && report.left === 0);
  };

  const noteApplied = (plan: Plan) => {
    for (const follower of followers.values()) {
      const { name } = follower.repo;
      const commit = follower.trees.current()?.commit;
      if (commit === undefined || commit !== journal.target(name) || journal.applied(name) === commit)
        continue;
      if (unread.has(name)) continue;
      const steps = plan.steps.filter((step) => step.repo === name);
      if (!steps.every(isFulfilled)) continue;
      journal.append({ type: 'applied', repo: name, commit });
      emit({ type: 'applied', repo: name, commit });
    }
  };

  /** @param probed Answers that were got just now. */
  const pass = async (all: boolean, probed?: Probed): Promise<{ plan: Plan; settled: boolean }> => {
    const isAsked = takeDirty();
    context.roster.keepFile();
    newer = false;
    drainRequests();
    await settleOpenRuns();
    const { found } = probed ?? (await probeAll(all || isAsked));
    let settled = true;
    for (const follower of followers.values()) {
      const { name } = follower.repo;
      const answer = found.get(name);
      if (signal.aborted) break;
      const dealtWith = answer === undefined ? null : await follower.bring(answer, view);
      if (answer !== undefined) noteBackOff(follower);
      if (dealtWith !== null) {
        answers.set(name, dealtWith);
        continue;
      }
      answers.delete(name);
      const isThere = await follower.restore(view);
      // Until it is to be asked again, nothing of it changes.
      if (!isThere || !backOff.isOn(name)) settled = false;
    }
    let plan = await makePlan();
    if (plan.steps.some((step) => step.due) && !signal.aborted) {
      await work(plan);
      plan = await makePlan();
    }
    if (!signal.aborted) noteApplied(plan);
    return { plan, settled: settled && unread.size === 0 };
  };

  /** Also while nothing is due, somebody's edits are found, put back and told: seldom, because every file is looked at. */
  const healIdleTrees = async (idle: IdleMemo) => {
    const now = clock.now();
    if (now >= idle.checkedAt && now - idle.checkedAt < HEAL_EVERY_MS) return;
    memo = { ...idle, checkedAt: now };
    for (const follower of followers.values()) {
      // What could not be put back is for a whole look: it may have to bring the commit here again.
      if (!(await healTree(follower, false))) memo = null;
    }
  };

  /** Each file of each is asked, so not again where no run, check or limit is new: then only what a script left behind still writes. */
  const tidyRunFolders = () => {
    const open = new Set(journal.openRuns().map((intent) => intent.id as string));
    const stampNow = () => [stampOfFile(runsFolder), view.stamp, ...open].join(' ');
    const now = clock.now();
    if (tidied?.stamp === stampNow() && now >= tidied.at && now - tidied.at < TIDY_EVERY_MS) return;
    const actions = new Map<string, ActionKey>();
    for (const { intent } of journal.runs()) actions.set(intent.id, actionKey(intent.repo, intent.action));
    const limits = view.config.limits;
    tidyRuns(runsFolder, { limits, open, actionOf: (run) => actions.get(run) ?? null });
    tidied = { stamp: stampNow(), at: now };
  };

  const exitCodeOf = (plan: Plan): ExitCode => {
    const troubles = [...followers.values()].map((follower) => follower.troubles);
    const has = (test: (t: LastingTrouble) => boolean) =>
      troubles.some((t) => [t.in('contact'), t.in('content')].some((one) => one !== null && test(one)));
    if (has((t) => REFUSED.has(t.code))) return EXIT.refused;
    if (has((t) => OUR_SIDE.has(t.code))) return EXIT.usage;
    if (plan.steps.some(isFailing)) return EXIT.failed;
    if (has(() => true)) return EXIT.unreachable;
    return EXIT.ok;
  };

  const reportOf = (idle: boolean, exitCode: ExitCode, plan: Plan | null): LookReport => {
    const states = [...followers.values()];
    return {
      idle,
      // What is asked of the host is not what it does.
      exitCode: brokenConfig !== null && exitCode === EXIT.ok ? EXIT.usage : exitCode,
      nextDueAt: memo?.nextDueAt ?? null,
      failures: states.length === 0 ? 0 : Math.min(...states.map((follower) => failuresOf(follower.state()))),
      retryAfterMs: states.reduce<number | null>((most, follower) => {
        const asked = follower.troubles.in('contact')?.retryAfterMs ?? null;
        return asked === null ? most : Math.max(most ?? 0, asked);
      }, null),
      askInMs: backOff.askInMs(followers.keys()),
      plan,
    };
  };

  return {
    async look({ all = false, onWork } = {}) {
      await refreshView();
      // An open run would have changed the journal's stamp.
      let probed: Probed | undefined;
      if (memo !== null && !existsSync(dirtyFile) && readRequests(paths.state).length === 0) {
        probed = await probeAll(all);
        const question = {
          now: clock.now(),
          bootId,
          stamp: stampNow(),
          journal: journalStamp(journalFile),
          answers: answersOf(probed, memo),
          links: linksNow(),
        };
        if (isIdle(memo, question)) {
          lastLookAt = clock.now();
          await healIdleTrees(memo);
          return reportOf(true, memo.exitCode as ExitCode, null);
        }
      }
      memo = null;
      onWork?.();
      let last = await pass(all, probed);
      for (let n = 1; n < PASSES_MAX && !signal.aborted && (newer || existsSync(dirtyFile)); n += 1)
        last = await pass(false);
      lastLookAt = clock.now();
      const exitCode = exitCodeOf(last.plan);
      if (last.settled && !signal.aborted) {
        memo = {
          version,
          bootId,
          stamp: stampNow(),
          journal: journalStamp(journalFile),
          answers: Object.fromEntries([...followers.keys()].map((name) => [name, answers.get(name) ?? null])),
          links: linksNow(),
          nextDueAt: last.plan.nextDueAt,
          exitCode,
          checkedAt: clock.now(),
          tidied,
        };
      }
      // Told to end in the middle: nobody knows what is left, so it is not well.
      const said = signal.aborted && exitCode === EXIT.ok ? EXIT.interrupted : exitCode;
      return { ...reportOf(false, said, last.plan), nextDueAt: nextDue(last.plan) };
    },

    async busyTick() {
      drainRequests();
      const { found } = await probeAll(false);
      lastLookAt = clock.now();
      for (const [name, answer] of found) {
        const before = answers.get(name);
        if (newer || before === undefined || before === answer.commit) continue;
        newer = true;
        emit({ type: 'superseded', repo: name, from: before, to: answer.commit });
      }
    },

    async runByHand(repo, action, { onRun }) {
      await refreshView();
      drainRequests();
      await settleOpenRuns();
      memo = null;
      const follower = followers.get(repo);
      await follower?.restore(view);
      const asked = stepByHand((await makePlan()).steps, repo, action);
      const tree = follower?.trees.current();
      if (signal.aborted) return null;
      if (asked.kind !== 'step' || !tree)
        throw new PullyuError(
          asked.kind === 'busy' || asked.kind === 'refused' ? asked.kind : 'unknown-action',
          asked.kind === 'step' ? `${repo} has no tree yet` : asked.says,
        );
      const markers = createMarkers(paths, repo);
      markers.begin(asked.step.commit);
      const before = journal.runs()[0]?.intent.id;
      const { left } = await executeSteps(context, [asked.step], {
        view,
        followers,
        stop: () => null,
        onRun: (run) => {
          open = run;
          if (run !== null) onRun?.(run);
        },
      });
      const run = journal.runs()[0];
      if (signal.aborted || left > 0) return null;
      markers.end(asked.step.commit, false);
      if (run !== undefined && run.intent.id !== before) return run;
      const problem = follower?.troubles.in('content');
      throw new PullyuError(
        'failed',
        problem?.message ?? `the tree of ${repo} at ${asked.step.commit} could not be had`,
        problem?.hint ? { hint: problem.hint } : {},
      );
    },

    openRun: () => open,
    view: () => view,
    repoStates,
    memo: () => memo,
    waits: backOff.waits,
    lastLookAt: () => lastLookAt,

    async tidy() {
      tidyRunFolders();
      journal.compactIfLarge();
      if (memo !== null) memo = { ...memo, journal: journalStamp(journalFile), tidied };
      for (const follower of followers.values()) {
        if (signal.aborted) return;
        await follower.trees.tidy();
        await follower.clone.maintain();
      }
    },

    close() {
      signal.removeEventListener('abort', closeFollowers);
      closeFollowers();
    },
  };
}

interface Probed {
  readonly found: ReadonlyMap<string, ProbeAnswer>;
  /** Repos that were not asked, because they are in back-off. */
  readonly left: ReadonlySet<string>;
}

/** One that is gone is none: an editor may be replacing it. */
function isEmptyFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.size === 0;
}

/** Either makes the next look come later. */
function failuresOf(state: RepoState): number {
  return Math.max(state.failures, state.fetchFailures);
}

/** Troubles that end only when a person says so, or with another commit; and what the catalogue of errors calls refused too. */
const REFUSED = new Set(['rewritten', 'lagging', 'hostile-tree', 'limit', 'disk-full', 'read-only']);

/** No remote is to blame: configuration, programs and rights of this host. */
const OUR_SIDE = new Set(['config', 'git-missing', 'git-too-old', 'no-permission']);

const FULFILLED: ReadonlySet<Step['reason']> = new Set(['current', 'not-selected', 'not-yet']);
const RECURRING: ReadonlySet<Step['reason']> = new Set(['look', 'schedule', 'boot']);
const FAILING: ReadonlySet<Step['reason']> = new Set([
  'retry',
  'interrupted',
  'backing-off',
  'parked',
  'unknown',
  'waiting',
]);

/** Does nothing of this step keep its commit from counting as applied? */
function isFulfilled(step: Step): boolean {
  return FULFILLED.has(step.reason) || (RECURRING.has(step.reason) && step.attempt <= 1);
}

/** After a look: work that did not succeed. What has only just become due is no failure. */
function isFailing(step: Step): boolean {
  return FAILING.has(step.reason) || (step.due && step.attempt > 1);
}

/** `look` triggers are due at every look: no reason to look sooner than the interval says. */
function nextDue(plan: Plan): number | null {
  const times = plan.steps
    .filter((step) => step.reason !== 'look' && step.notBefore !== null)
    .map((step) => step.notBefore!);
  return times.length === 0 ? null : Math.min(...times);
}
