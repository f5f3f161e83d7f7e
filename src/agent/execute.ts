/**
 * Carries out the due steps of a plan, one after the other. Before each it asks again whether it still should: a newer commit, a
 * pause or an end of the agent leave the rest for the next look.
 */
import { join } from 'node:path';
import { defaultRunLimits } from '../config/limits.ts';
import { PullyuError } from '../errors.ts';
import { TroubleError } from '../git/stderr.ts';
import { type ActionKey, actionKey } from '../model/action.ts';
import { type CommitId, type RunId, shortId } from '../model/ids.ts';
import type { Step } from '../model/plan.ts';
import type { RunIntent, RunReason, RunResult } from '../model/run.ts';
import { runCheck } from '../runner/check.ts';
import { outputTail } from '../runner/output.ts';
import { refusedResult } from '../runner/result.ts';
import { reserveRunFolder } from '../runner/run-files.ts';
import { isStarted, type RunSpec, type StartedRun } from '../runner/spec.ts';
import { startRun } from '../runner/start.ts';
import { repoPaths } from '../system/paths.ts';
import type { AgentContext, HostView } from './context.ts';
import type { Follower } from './follower.ts';
import { makeRunId } from './run-id.ts';
import { scriptPath } from './script-path.ts';

export interface ExecuteOptions {
  readonly view: HostView;
  readonly followers: ReadonlyMap<string, Follower>;
  /** Asked before each step; a sentence ends the execution. */
  readonly stop: () => string | null;
  /** The run that is open now, for those who look meanwhile. */
  readonly onRun: (run: StartedRun | null) => void;
}

export interface ExecuteReport {
  readonly ran: number;
  readonly failed: number;
  /** Steps that were due and are left for the next look. */
  readonly left: number;
}

const TAIL_BYTES = 2_000;

export async function executeSteps(
  context: AgentContext,
  steps: readonly Step[],
  o: ExecuteOptions,
): Promise<ExecuteReport> {
  const due = steps.filter((step) => step.due);
  /** Actions of which a due step did not succeed in this pass: what comes after them waits. */
  const missing = new Set<ActionKey>(due.map((step) => actionKey(step.repo, step.action)));
  const failed = new Set<ActionKey>();
  const checked = new Set<string>();
  const spoiled = new Set<string>();
  let ran = 0;
  let done = 0;
  for (const [n, step] of due.entries()) {
    if (context.signal.aborted || o.stop() !== null) break;
    done += 1;
    const key = actionKey(step.repo, step.action);
    const held =
      failed.has(key) ||
      (step.definition?.after ?? []).some((name) => missing.has(actionKey(step.repo, name)));
    if (held && step.purpose === 'work') {
      failed.add(key);
      continue;
    }
    const follower = o.followers.get(step.repo);
    if (follower === undefined) continue;
    if (!checked.has(step.repo)) {
      checked.add(step.repo);
      if (!(await healTree(follower, step.reason !== 'look'))) spoiled.add(step.repo);
    }
    // Somebody's bytes are in the tree and cannot be put back: nothing of it is executed.
    if (spoiled.has(step.repo)) {
      failed.add(key);
      continue;
    }
    const result = await executeStep(context, step, follower, o);
    ran += 1;
    if (result === 'left') return { ran, failed: failed.size, left: due.length - n - 1 };
    const more = due.slice(n + 1).some((later) => later.repo === step.repo && later.action === step.action);
    if (result !== 'ok') failed.add(key);
    else if (!more) missing.delete(key);
  }
  return { ran, failed: failed.size, left: due.length - done };
}

/**
 * Somebody's edits are put back before anything of the tree is executed.
 * @returns false when they could not be: the trouble is noted.
 */
export async function healTree(follower: Follower, force: boolean): Promise<boolean> {
  if (follower.freshTree) {
    follower.freshTree = false;
    return true;
  }
  try {
    const files = await follower.trees.heal({ force });
    if (files.length > 0) follower.noteHealed(files);
    return true;
  } catch (error) {
    if (!(error instanceof TroubleError)) throw error;
    follower.troubles.set('content', error.trouble);
    return false;
  }
}

/** @returns `left` when the agent is ending and the run goes on without it. */
async function executeStep(
  context: AgentContext,
  step: Step,
  follower: Follower,
  o: ExecuteOptions,
): Promise<'ok' | 'failed' | 'left'> {
  const { journal, clock, emit } = context;
  const now = clock.now();
  const intent = intentOf(step, { id: makeRunId(now, clock.random), bootId: context.bootId, now });
  const current = follower.trees.current();
  let tree = current?.path ?? '';
  if (current?.commit !== step.commit) {
    // History was rewritten, and the clone was made anew since. No damage: it would be replaced for this again and again.
    if (!(await follower.clone.has(step.commit))) {
      // Cut off, it knows nothing.
      if (context.signal.aborted) return 'left';
      journal.append({ type: 'started', intent });
      const note = `expected its commit ${shortId(step.commit)} in the clone, found that the remote has it no more`;
      return finish(context, intent, refusedResult(intent, note, clock.now()));
    }
    const other = await follower.trees.checkout(step.commit);
    if (!other.ok) {
      follower.troubles.set('content', other.trouble);
      return 'failed';
    }
    tree = other.value.path;
  }
  const spec = await specOf(context, step, intent, tree, follower, o.view);
  if (context.signal.aborted) return 'left';
  if (step.definition?.check && step.purpose === 'work') {
    const answer = await runCheck(spec, step.definition.check, { clock, signal: context.signal });
    if (context.signal.aborted) return 'left';
    if (answer.answer !== 'needed') {
      const ok = answer.answer === 'not-needed';
      // Asked at every look and always told no: nothing that history has to keep.
      if (ok && step.reason === 'look' && wasOk(context, step)) return 'ok';
      journal.append({ type: 'started', intent });
      return finish(context, intent, {
        id: intent.id,
        outcome: ok ? 'ok' : 'failed',
        exitCode: null,
        signal: null,
        endedAt: clock.now(),
        note: ok
          ? 'its check said that nothing is needed'
          : `${answer.note}${answer.tail ? `: ${answer.tail}` : ''}`,
      });
    }
  }
  // From here on a crash leaves an intent: the next look finds out what became of the run. The folder is made before, so that a run
  // that never began can be told from one whose folder a script removed.
  reserveRunFolder(spec.runFolder);
  journal.append({ type: 'started', intent });
  emit({
    type: 'run-started',
    run: intent.id,
    repo: step.repo,
    action: step.action,
    commit: step.commit,
    reason: intent.reason,
    attempt: intent.attempt,
    sentence: step.sentence,
  });
  const run = startRun(spec, { clock });
  if (!isStarted(run)) return finish(context, intent, run);
  o.onRun(run);
  try {
    const result = await awaitRun(run, context.signal);
    return result === null ? 'left' : finish(context, intent, result, run.outputFile);
  } finally {
    o.onRun(null);
  }
}

function wasOk({ journal }: AgentContext, step: Step): boolean {
  return journal.memory().get(actionKey(step.repo, step.action))?.lastRun?.result?.outcome === 'ok';
}

/** null when the agent was told to end first: the run is left to itself. */
export async function awaitRun(run: StartedRun, signal: AbortSignal): Promise<RunResult | null> {
  let onAbort = () => {};
  const aborted = new Promise<null>((resolve) => {
    onAbort = () => resolve(null);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) resolve(null);
  });
  const result = await Promise.race([run.done, aborted]);
  signal.removeEventListener('abort', onAbort);
  if (result === null) run.leave();
  return result;
}

function finish(
  context: AgentContext,
  intent: RunIntent,
  result: RunResult,
  outputFile?: string,
): 'ok' | 'failed' {
  recordResult(context, intent, result, outputFile);
  return result.outcome === 'ok' ? 'ok' : 'failed';
}

/** The durable result, then its event. */
export function recordResult(
  context: AgentContext,
  intent: RunIntent,
  result: RunResult,
  outputFile?: string,
): void {
  context.journal.append({ type: 'finished', result });
  context.emit({
    type: 'run-ended',
    run: intent.id,
    repo: intent.repo,
    action: intent.action,
    commit: intent.commit,
    reason: intent.reason,
    outcome: result.outcome,
    exitCode: result.exitCode,
    durationMs: Math.max(0, result.endedAt - intent.startedAt),
    note: result.note,
    tail: outputFile !== undefined && result.outcome !== 'ok' ? outputTail(outputFile, TAIL_BYTES) : '',
  });
}

/** The intent of running a step now. */
export function intentOf(
  step: Step,
  o: { readonly id: RunId; readonly bootId: string; readonly now: number; readonly reason?: RunReason },
): RunIntent {
  return {
    id: o.id,
    repo: step.repo,
    action: step.action,
    purpose: step.purpose,
    commit: step.commit,
    fingerprint: step.fingerprint,
    parts: step.parts,
    reason: o.reason ?? (step.reason as RunReason),
    attempt: step.attempt,
    kind: step.definition?.kind ?? 'idempotent',
    timeoutMs: step.definition?.timeoutMs ?? UNDO_TIMEOUT_MS,
    bootId: o.bootId,
    startedAt: o.now,
    undo: step.undo,
  };
}

/** An action that is gone has left its undo, but no deadline for it. */
const UNDO_TIMEOUT_MS = 10 * 60_000;

async function specOf(
  context: AgentContext,
  step: Step,
  intent: RunIntent,
  tree: string,
  follower: Follower,
  view: HostView,
): Promise<RunSpec> {
  const memory = context.journal.memory().get(actionKey(step.repo, step.action));
  const lastCommit = memory?.lastSuccess?.intent.commit ?? null;
  const undo = step.purpose === 'undo' ? step.undo : null;
  const argv = undo?.run ?? step.definition?.run;
  if (argv === undefined) throw new PullyuError('internal', `the step of ${step.action} has nothing to run`);
  return {
    intent,
    argv,
    tree,
    host: view.host,
    labels: view.host.labels,
    lastCommit,
    interrupted: memory?.lastRun?.result?.outcome === 'interrupted',
    changedFiles: await changedFiles(follower, lastCommit, step.commit),
    user: undo ? undo.user : (step.definition?.user ?? null),
    env: step.definition?.env ?? {},
    stateFolder: join(repoPaths(context.paths.state, step.repo).actionState, step.action),
    runFolder: join(context.paths.state, 'runs', intent.id),
    limits: view.config.limits,
    uses: { action: step.definition?.limits, host: view.config.limits.run, default: defaultRunLimits },
    path: scriptPath(),
    rosterFile: join(context.paths.state, 'roster.json'),
    root: context.paths.root,
  };
}

/** For PULLYU_CHANGED_FILES. The first time, and when the old commit is no longer known, every file. */
async function changedFiles(follower: Follower, from: CommitId | null, to: CommitId): Promise<string[]> {
  if (from === to) return [];
  try {
    const known = from !== null && (await follower.clone.has(from));
    return await follower.clone.changedFiles(known ? from : null, to);
  } catch (error) {
    if (error instanceof TroubleError) return [];
    throw error;
  }
}
