/** Ends a run because the person who asked for it wants that: politely, then for certain. */

import type { RunId } from '../model/ids.ts';
import { delay } from '../system/clock.ts';
import { signalProcess } from '../system/processes.ts';
import { killGroups, readGroups } from './control-groups.ts';
import { processesOfRun } from './processes-of-run.ts';
import { readRunFile, readRunProcesses, runFiles } from './run-files.ts';

const GRACE_MS = 10_000;
const ASK_EVERY_MS = 100;

/**
 * TERM to everything that the run started, KILL to what is left after ten seconds. Whoever waits for the run (the agent, or this very
 * process) notices and records how it ended.
 */
export async function terminateRun(runFolder: string, id: RunId): Promise<void> {
  const files = runFiles(runFolder);
  const living = () =>
    processesOfRun(
      id,
      readRunProcesses(files.process) ?? { shim: null, action: null },
      readRunFile(files.spec)?.launcher === 'systemd',
      files.groups,
    );
  for (const process of living()) signalProcess(process, 'SIGTERM');
  for (let waited = 0; waited < GRACE_MS; waited += ASK_EVERY_MS) {
    if (living().length === 0) return;
    await delay(ASK_EVERY_MS);
  }
  for (const process of living()) signalProcess(process, 'SIGKILL');
  // Of a unit we are no part of, but its shim is.
  if (readRunFile(files.spec)?.launcher === 'direct') killGroups(readGroups(files.groups, id));
}
