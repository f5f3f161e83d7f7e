/** The probe of an action: is it needed at all? */
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Argv } from '../model/action.ts';
import type { RunId } from '../model/ids.ts';
import type { RunResult } from '../model/run.ts';
import { readGroups, removeGroups } from './control-groups.ts';
import { outputTail } from './output.ts';
import { runFiles } from './run-files.ts';
import { isStarted, type RunSpec, type StartedRun } from './spec.ts';
import { type RunnerOptions, startRun } from './start.ts';

export interface CheckAnswer {
  /** Exit 0: needed. 1: not needed. Anything else, a timeout, a script that cannot be run: failed. */
  readonly answer: 'needed' | 'not-needed' | 'failed';
  /** One sentence when it failed, else null. */
  readonly note: string | null;
  /** The end of what it printed. */
  readonly tail: string;
}

export const CHECK_TIMEOUT_MS = 60_000;
const TAIL_BYTES = 2_000;

/**
 * Runs `check` as the action would be run: same user, environment, tree; its folder is beside that of the run and goes away.
 * @param spec Of the run that it is about. Its deadline is the action's or a minute, whichever is shorter;
 *   an abort ends it (then it failed).
 */
export async function runCheck(
  spec: RunSpec,
  check: Argv,
  options: RunnerOptions & { readonly signal?: AbortSignal } = {},
): Promise<CheckAnswer> {
  const timeoutMs = Math.min(spec.intent.timeoutMs, CHECK_TIMEOUT_MS);
  // A mark (and unit) of its own: what a check leaves is not the run's.
  const id = `${spec.intent.id}.check` as RunId;
  const runFolder = join(dirname(spec.runFolder), id);
  rmSync(runFolder, { recursive: true, force: true });
  const run = startRun(
    { ...spec, argv: check, runFolder, intent: { ...spec.intent, id, timeoutMs } },
    options,
  );
  const result = isStarted(run) ? await waitFor(run, options.signal) : run;
  const tail = isStarted(run) ? outputTail(run.outputFile, TAIL_BYTES) : '';
  // Else `tidyRuns` ends what the check has left, then removes both.
  if (removeGroups(readGroups(runFiles(runFolder).groups, id)))
    rmSync(runFolder, { recursive: true, force: true });
  return { ...answerOf(result), tail };
}

async function waitFor(run: StartedRun, signal: AbortSignal | undefined): Promise<RunResult> {
  const end = () => run.end('superseded');
  signal?.addEventListener('abort', end, { once: true });
  if (signal?.aborted) end();
  const result = await run.done;
  signal?.removeEventListener('abort', end);
  return result;
}

function answerOf(result: RunResult): Pick<CheckAnswer, 'answer' | 'note'> {
  if (result.outcome === 'ok') return { answer: 'needed', note: null };
  if (result.exitCode === 1) return { answer: 'not-needed', note: null };
  const how = result.exitCode === null ? result.outcome : `exit ${result.exitCode}`;
  return { answer: 'failed', note: `the check did not answer: ${result.note ?? how}` };
}
