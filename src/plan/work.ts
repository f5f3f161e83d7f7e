import type { Action } from '../model/action.ts';
import { type CommitId, shortId } from '../model/ids.ts';
import type { ActionMemory } from '../model/plan.ts';
import type { RunReason } from '../model/run.ts';
import { decideAfterFailure } from './failure.ts';
import { type Fingerprint, isSameButForRoster } from './fingerprint.ts';
import { decideOnce } from './once.ts';
import type { ActionRoster } from './presence-triggers.ts';
import { decideRunning } from './running.ts';
import { readSchedule } from './schedule.ts';
import { formatEnd } from './sentence.ts';
import {
  attemptsOn,
  catchUpFingerprint,
  isEnded,
  neverBegan,
  type Situation,
  standingSuccess,
} from './situation.ts';
import type { Moment, StepBody } from './step.ts';
import { askTriggers, hasTrigger } from './triggers.ts';
import { rests, runs, type Verdict } from './verdict.ts';

const OUTLIVE_A_START: readonly RunReason[] = ['schedule', 'retry', 'interrupted'];

/** Commits of one action that one plan lists; the rest comes with the next look. */
const CATCH_UP_MAX = 200;

interface WorkQuestion {
  readonly action: Action;
  readonly memory: ActionMemory | null;
  readonly target: CommitId;
  readonly print: Fingerprint;
  /** null without a presence trigger. */
  readonly roster: ActionRoster | null;
  /** First-parent commits after the last success that touched its paths, oldest first. */
  readonly history: readonly CommitId[];
}

export interface Decided {
  readonly body: StepBody;
  readonly verdict: Verdict;
}

/** What is to be done about an action that this host is selected for: one entry, or one for each commit to catch up with. */
export function decideWork(question: WorkQuestion, moment: Moment): readonly Decided[] {
  const { action, memory, target, print } = question;
  const history = isBehind(question) ? question.history : [];
  const situation: Situation = {
    action,
    memory,
    commit: history.at(-1) ?? target,
    ...print,
    roster: question.roster,
    now: moment.now,
    bootId: moment.bootId,
    bootedAt: moment.bootedAt,
  };
  const entries = history.length > 1 ? catchUp(history, situation) : [];
  return entries.length > 0 ? entries : [{ body: bodyOf(situation), verdict: decideOne(situation) }];
}

/** Commits are run one by one only after a first success, and only when what is relevant differs at all. */
function isBehind({ action, memory, print }: WorkQuestion): boolean {
  const success = standingSuccess(memory);
  if (action.catchUp !== 'each' || success === null || !hasTrigger(action, 'change')) return false;
  return !isSameButForRoster(success.intent, print);
}

function bodyOf(s: Situation): StepBody {
  return {
    repo: s.action.repo,
    action: s.action.name,
    purpose: 'work',
    commit: s.commit,
    fingerprint: s.fingerprint,
    parts: s.parts,
    attempt: attemptsOn(s.memory, s.fingerprint) + 1,
    definition: s.action,
    undo: s.action.undo === null ? null : { run: s.action.undo, user: s.action.user },
  };
}

/** The rules in their order; the first that applies decides. */
function decideOne(s: Situation): Verdict {
  const running = decideRunning(s.memory);
  if (running !== null) return running;
  if (s.memory?.redo) return runs('redo', 'runs, the operator asked for it');
  if (s.action.kind === 'once') return decideOnce(s) ?? askTriggers(s);
  const afterFailure = decideSameWork(s);
  if (afterFailure !== null) return afterFailure;
  const asked = askTriggers(s);
  return asked.due ? asked : (finishUnfinished(s) ?? asked);
}

/** The newest run was on this very fingerprint and did not succeed. */
function decideSameWork(s: Situation): Verdict | null {
  const { memory, action } = s;
  const run = memory?.lastRun;
  if (!memory || !isEnded(run) || run.result.outcome === 'ok') return null;
  if (run.intent.fingerprint !== s.fingerprint) return null;
  // A new boot asks anew, whatever the last one left; not after a cut-off, which may be what restarts the machine.
  const asksAnew = hasTrigger(action, 'boot') && run.intent.bootId !== s.bootId;
  if (asksAnew && run.result.outcome !== 'interrupted') return null;
  const { missed, next } = readSchedule(action.on, {
    base: run.intent.startedAt,
    now: s.now,
    bootedAt: s.bootedAt,
  });
  return decideAfterFailure({
    run,
    memory,
    policy: action.retry,
    commit: s.commit,
    everyLook: hasTrigger(action, 'look'),
    scheduledAt: missed ?? next,
    now: s.now,
    bootId: s.bootId,
  });
}

/**
 * No trigger asks, but the newest run did not succeed, so what it left on the host is not what the last success left: a
 * failed commit that was reverted, a backup whose time has passed, an undo that was begun. It is run until it succeeds.
 */
function finishUnfinished(s: Situation): Verdict | null {
  const last = s.memory?.lastRun;
  if (!isEnded(last) || last.result.outcome === 'ok') return null;
  const at = shortId(last.intent.commit);
  const end = formatEnd(last);
  if (neverBegan(last)) {
    // As if it had not been started. Most triggers ask again by themselves; a time or a failure that had asked does not.
    const { reason } = last.intent;
    return OUTLIVE_A_START.includes(reason) ? runs(reason, `runs again, its last run at ${at} ${end}`) : null;
  }
  if (last.intent.purpose === 'undo') {
    return runs('retry', `runs, its undo at ${at} ${end} and this host is among its hosts again`);
  }
  const reason = last.result.outcome === 'superseded' ? last.intent.reason : 'retry';
  return runs(reason, `runs again, its last run at ${at} ${end} and may have done a part of its work`);
}

/** One entry for each commit that is not done yet, oldest first: the first is decided as any action, the others follow it. */
function catchUp(history: readonly CommitId[], whole: Situation): readonly Decided[] {
  const entries: Decided[] = [];
  let place: string | null = null;
  let goesOn = true;
  for (const [index, commit] of history.slice(0, CATCH_UP_MAX).entries()) {
    const s = index === history.length - 1 ? whole : atCommit(whole, commit);
    const once = s.action.kind === 'once' && !s.memory?.redo ? decideOnce(s) : null;
    if (once?.reason === 'current' && s !== whole) continue;
    const here = `commit ${index + 1} of ${history.length}`;
    const verdict: Verdict =
      place === null ? decideFirst(s, here) : (once ?? decideNext(s, here, place, goesOn));
    entries.push({ body: bodyOf(s), verdict });
    goesOn &&= verdict.due;
    place = here;
  }
  return entries;
}

function atCommit(whole: Situation, commit: CommitId): Situation {
  const fingerprint = catchUpFingerprint(commit);
  return { ...whole, commit, fingerprint, parts: { ...whole.parts, content: fingerprint } };
}

function decideFirst(s: Situation, here: string): Verdict {
  const verdict = decideOne(s);
  const isOrdinary = verdict.due && ['changed', 'definition', 'labels'].includes(verdict.reason);
  return isOrdinary ? inOrder(s, here) : { ...verdict, says: `${verdict.says} (${here})` };
}

function decideNext(s: Situation, here: string, before: string, goesOn: boolean): Verdict {
  return goesOn ? inOrder(s, here) : rests('waiting', `waits with ${here} for ${before}, which is not done`);
}

function inOrder(s: Situation, here: string): Verdict {
  return runs('catch-up', `runs for ${here} (${shortId(s.commit)}), each of which touched its paths`);
}
