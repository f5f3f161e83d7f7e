/** Steps of an installation as data, and the one function that carries them out: all of them, or none. */
import { chmodSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder, namedWriteError, readFileOrNull, writeFileAtomic } from '../system/files.ts';
import { readCrontab, writeCrontab } from './crontab.ts';
import { runSystemctl } from './systemctl.ts';
import type { ToolOptions } from './tools.ts';

/** In each, `text` null means: is not to be there. */
export type Step =
  | FileStep
  | { readonly type: 'crontab'; readonly edit: (old: string) => string; readonly mayFail?: boolean }
  | {
      readonly type: 'unit';
      readonly path: string;
      readonly text: string | null;
      /** Words for systemctl before the verb: `--user` or nothing. Null: only the file, nothing is told to systemd. */
      readonly manager: readonly string[] | null;
      readonly name: string;
    };

interface FileStep {
  readonly type: 'file';
  readonly path: string;
  readonly mode: number;
  /** The mode of a file that is there already is left as it is. */
  readonly keepMode?: boolean;
  readonly edit: (old: string | null) => string | null;
}

/** What became of a step, as a line for people: `wrote /etc/cron.d/pullyu`. */
export interface StepReport {
  readonly did: 'wrote' | 'removed' | 'kept' | 'started' | 'stopped';
  readonly what: string;
}

type Undo = () => Promise<void> | void;

/**
 * Carries the steps out in order; each is skipped when the world is already as it says, so that twice is harmless.
 * When one fails, it and those before it are put back, and the error is thrown. A crash in between leaves what the
 * same command completes when it is called again.
 */
export async function applySteps(steps: readonly Step[], tools: ToolOptions): Promise<StepReport[]> {
  const reports: StepReport[] = [];
  const undos: Undo[] = [];
  try {
    for (const step of steps) {
      if (step.type === 'file') reports.push(...applyFile(step, undos));
      else if (step.type === 'crontab') reports.push(...(await applyCrontab(step, tools, undos)));
      else reports.push(...(await applyUnit(step, tools, undos)));
    }
    return reports;
  } catch (error) {
    for (const undo of undos.reverse()) {
      try {
        await undo();
      } catch {
        // The first error is the one to tell; the rest is put back all the same.
      }
    }
    throw error;
  }
}

function applyFile(step: FileStep, undos: Undo[]): StepReport[] {
  const { path } = step;
  try {
    const old = readFileOrNull(path);
    const oldMode = old === null ? step.mode : statSync(path).mode & 0o7777;
    const mode = step.keepMode ? oldMode : step.mode;
    const wanted = step.edit(old);
    if (wanted === old && oldMode === mode) return old === null ? [] : [{ did: 'kept', what: path }];
    undos.push(() => putFile(path, old, oldMode));
    putFile(path, wanted, mode);
    return [{ did: wanted === null ? 'removed' : 'wrote', what: path }];
  } catch (error) {
    throw namedWriteError(error, path) ?? error;
  }
}

function putFile(path: string, text: string | null, mode: number): void {
  if (text === null) {
    rmSync(path, { force: true });
    return;
  }
  makeFolder(dirname(path));
  writeFileAtomic(path, text, { mode });
  // Whatever the umask of this shell is.
  chmodSync(path, mode);
}

async function applyCrontab(
  step: Extract<Step, { type: 'crontab' }>,
  tools: ToolOptions,
  undos: Undo[],
): Promise<StepReport[]> {
  try {
    const old = await readCrontab(tools);
    const wanted = step.edit(old);
    if (wanted === old) return [];
    undos.push(() => writeCrontab(tools, old));
    await writeCrontab(tools, wanted);
    return [{ did: 'wrote', what: 'the crontab' }];
  } catch (error) {
    if (step.mayFail) return [];
    throw error;
  }
}

async function applyUnit(
  step: Extract<Step, { type: 'unit' }>,
  tools: ToolOptions,
  undos: Undo[],
): Promise<StepReport[]> {
  const { path, text, manager, name } = step;
  const old = readFileOrNull(path);
  if (text === null && old === null) return [];
  const tell = async (...args: string[]) => {
    if (manager !== null) await runSystemctl([...manager, ...args], tools);
  };
  const wasEnabled = manager !== null && old !== null;
  undos.push(async () => {
    await tell('stop', name).catch(() => {});
    if (old === null) await tell('disable', name).catch(() => {});
    putFile(path, old, 0o644);
    await tell('daemon-reload');
    if (wasEnabled) await tell('enable', '--now', name);
  });
  if (text === null) {
    await tell('disable', '--now', name);
    const removed = applyFile({ type: 'file', path, mode: 0o644, edit: () => null }, []);
    await tell('daemon-reload');
    return manager === null ? removed : [{ did: 'stopped', what: name }, ...removed];
  }
  const reports = applyFile({ type: 'file', path, mode: 0o644, edit: () => text }, []);
  if (old !== text) await tell('daemon-reload');
  await tell('enable', name);
  await tell(old === text ? 'start' : 'restart', name);
  return manager === null ? reports : [...reports, { did: old === text ? 'kept' : 'started', what: name }];
}
