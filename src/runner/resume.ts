/** What became of a run whose agent died: adopt it, collect its result, or declare it interrupted. */
import { statSync } from 'node:fs';
import type { Limits } from '../model/host.ts';
import type { RunIntent, RunResult } from '../model/run.ts';
import { systemClock } from '../system/clock.ts';
import { readGroups, readLimitsHit, removeGroups } from './control-groups.ts';
import { boundOutput } from './output.ts';
import { interruptedResult, resultOfExit } from './result.ts';
import {
  claimNeverBegan,
  readEnding,
  readExitCode,
  readRunFile,
  readRunProcesses,
  runFiles,
} from './run-files.ts';
import { NO_LIMITS, withLimitsHit } from './run-limits.ts';
import type { StartedRun } from './spec.ts';
import { GRACE_MS, type RunnerOptions } from './start.ts';
import { watchRun } from './watch.ts';

export interface ResumeOptions extends Omit<RunnerOptions, 'launcher'> {
  readonly runFolder: string;
  readonly limits: Pick<Limits, 'outputMaxBytes'>;
  /** Of now. Another than the intent's: the machine was started since. */
  readonly bootId: string;
}

/**
 * For each open run of the journal when the agent starts. Changes nothing that a second call would see differently, so a
 * crash before the result is in the journal only means that it is asked again; the journal takes one result per run.
 */
export function resumeRun(intent: RunIntent, options: ResumeOptions): StartedRun | RunResult {
  const clock = options.clock ?? systemClock;
  const files = runFiles(options.runFolder);
  const sameBoot = intent.bootId === options.bootId;
  const code = readExitCode(files.result);
  const ending = readEnding(files.ending);
  const begun = readRunProcesses(files.process);

  // Being ended, and of this boot: some of it may be alive, so that has to be gone on with.
  if (code !== null && begun?.action && !(sameBoot && ending !== null)) {
    boundOutput(files.output, options.limits.outputMaxBytes);
    const groups = readGroups(files.groups, intent.id);
    const result = resultOfExit(intent, code, ending, statSync(files.result).mtimeMs);
    const inForce = readRunFile(files.spec)?.limits ?? NO_LIMITS;
    const named = withLimitsHit(result, readLimitsHit(groups, files.limitsHit), inForce);
    // What goes on in them is met by `tidyRuns`.
    removeGroups(groups);
    return named;
  }
  if (!sameBoot) return interruptedResult(intent, 'reboot', clock.now());
  if (!begun?.shim && claimNeverBegan(files.process)) {
    removeGroups(readGroups(files.groups, intent.id));
    return interruptedResult(intent, 'never-began', clock.now());
  }
  const file = readRunFile(files.spec);
  return watchRun({
    intent,
    files,
    limits: options.limits,
    clock,
    // Without the file only the wall clock is left to say how long it has been running.
    startedMonotonicMs:
      file?.startedMonotonicMs ?? clock.monotonic() - Math.max(0, clock.now() - intent.startedAt),
    graceMs: options.graceMs ?? GRACE_MS,
    inForce: file?.limits ?? NO_LIMITS,
    inUnit: file?.launcher === 'systemd',
    child: null,
    starter: null,
  });
}
