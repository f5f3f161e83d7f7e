/** Housekeeping of run folders, at idle times. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { type ActionKey, actionKey } from '../model/action.ts';
import type { Limits } from '../model/host.ts';
import type { RunId } from '../model/ids.ts';
import { processesMarked, signalProcess } from '../system/processes.ts';
import { isFull, killGroups, readGroups, removeGroups } from './control-groups.ts';
import { RUN_MARK } from './environment.ts';
import { boundOutput } from './output.ts';
import { readRunFile, runFiles } from './run-files.ts';

export interface TidyOptions {
  readonly limits: Pick<Limits, 'runsKeptPerAction' | 'runsMaxBytes' | 'outputMaxBytes'>;
  /** Never touched: open runs. By folder name, which is the run's id. */
  readonly open: ReadonlySet<string>;
  /** Which action a run was of, when the caller knows; else its folder is asked. */
  readonly actionOf?: (run: string) => ActionKey | null;
}

interface Folder {
  readonly name: string;
  readonly bytes: number;
}

/**
 * Cuts logs that a left-behind daemon goes on filling, then removes whole folders: those above the number per action, then the
 * oldest until the sum is within its limit. Names sort by start time. A folder that tells nothing (reserved, then not used) goes,
 * and so does a check whose agent died, with what is left of it.
 * @returns the names of the removed folders.
 */
export function tidyRuns(runsFolder: string, options: TidyOptions): string[] {
  const kept: Folder[] = [];
  const removed: string[] = [];
  const counts = new Map<ActionKey, number>();
  for (const name of listNewestFirst(runsFolder)) {
    const path = join(runsFolder, name);
    const id = name.replace(/\.check$/, '');
    if (options.open.has(id)) continue;
    const groups = readGroups(runFiles(path).groups, name as RunId);
    if (id !== name) endLeftovers(name);
    if (id !== name || isFull(groups)) killGroups(groups);
    // A daemon that the run left lives there, and by this folder the group is known.
    if (!removeGroups(groups)) continue;
    const key = id === name ? (options.actionOf?.(name) ?? actionIn(path)) : null;
    const count = key === null ? 0 : (counts.get(key) ?? 0) + 1;
    if (key !== null) counts.set(key, count);
    if (key === null || count > options.limits.runsKeptPerAction) {
      removed.push(name);
      continue;
    }
    kept.push({ name, bytes: boundFolder(path, options.limits.outputMaxBytes) });
  }
  let sum = 0;
  for (const { name, bytes } of kept) {
    sum += bytes;
    if (sum > options.limits.runsMaxBytes) removed.push(name);
  }
  for (const name of removed) rmSync(join(runsFolder, name), { recursive: true, force: true });
  return removed;
}

function listNewestFirst(folder: string): string[] {
  try {
    return readdirSync(folder).sort().reverse();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function actionIn(folder: string): ActionKey | null {
  const file = readRunFile(runFiles(folder).spec);
  return file === null ? null : actionKey(file.repo, file.action);
}

/** A check removes its folder when it is done; no agent waits for this one any more. */
function endLeftovers(check: string): void {
  for (const left of processesMarked(RUN_MARK, check)) signalProcess(left, 'SIGKILL');
}

const OUTPUT = runFiles('').output;

/** @returns the bytes of the files directly in it, its output cut to its limit; a run folder has no others. */
function boundFolder(folder: string, outputMaxBytes: number): number {
  let bytes = 0;
  for (const name of readdirSync(folder)) {
    const file = `${folder}/${name}`;
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    bytes += name === OUTPUT && size > outputMaxBytes ? boundOutput(file, outputMaxBytes) : size;
  }
  return bytes;
}
