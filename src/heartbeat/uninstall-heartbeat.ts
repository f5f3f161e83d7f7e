import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PullyuError } from '../errors.ts';
import { namedWriteError } from '../system/files.ts';
import { tryLock } from '../system/lock.ts';
import { refuseMounts } from '../system/mounts.ts';
import { type HeartbeatContext, machineOf, toolsOf } from './context.ts';
import { endCronsDaemon } from './daemon.ts';
import { planUninstall } from './install.ts';
import type { HeartbeatReport } from './install-heartbeat.ts';
import { decidePlaces, type HeartbeatPlaces } from './places.ts';
import { applySteps, type StepReport } from './steps.ts';

export interface UninstallOptions {
  /** Also removes the state folder: journal, clones, trees, outputs of runs. */
  readonly purge?: boolean;
  readonly system?: boolean;
}

/** A folder in which none of these lies is not ours to remove. */
const OURS = ['lock', 'host-id', 'journal.log', 'repos', 'runs', 'inbox'];

/**
 * Removes every heartbeat, and ends the daemon that cron's heartbeat keeps. What actions did stays as it is.
 * @throws PullyuError; `busy` when the state is to go but somebody is at work in it.
 */
export async function uninstallHeartbeat(
  options: UninstallOptions,
  context: HeartbeatContext,
): Promise<HeartbeatReport> {
  const machine = machineOf(context);
  const { paths, env, uid } = context;
  const places = decidePlaces(paths, {
    uid,
    env,
    system: options.system === true,
    cronFolder: machine.cronFolder,
  });
  const hadCron = existsSync(places.script);
  const steps = await applySteps(planUninstall(places, machine).steps, toolsOf(context));
  if (hadCron) steps.push(...(await endCronsDaemon(paths.state)));
  if (!options.purge) return { kind: 'none', steps, notes: keptNotes(context, places) };
  return {
    kind: 'none',
    steps: [...steps, ...purge(paths.state)],
    notes: existsSync(paths.hostFile) ? [`Kept: ${paths.hostFile}.`] : [],
  };
}

function keptNotes({ paths }: HeartbeatContext, places: HeartbeatPlaces): string[] {
  const kept = [paths.hostFile, places.environmentFile].filter((path) => existsSync(path));
  const notes = kept.length === 0 ? [] : [`Kept: ${kept.join(', ')}.`];
  if (!existsSync(paths.state)) return notes;
  return [
    ...notes,
    `Kept: the journal, the clones and the outputs of runs in ${paths.state} (--purge removes them).`,
  ];
}

/** The lock is held meanwhile, so that no look begins in a folder that goes away. A crash in between: call it again. */
function purge(state: string): StepReport[] {
  if (!existsSync(state)) return [];
  if (!OURS.some((name) => existsSync(join(state, name)))) {
    throw new PullyuError(
      'refused',
      `expected the state folder of a host, found something else in ${state}`,
      {
        hint: 'look at --root; remove the folder by hand when it is the right one',
      },
    );
  }
  refuseMounts(state);
  const lock = tryLock(join(state, 'lock'), 'uninstall');
  if (lock === null) {
    throw new PullyuError('busy', `somebody is at work in ${state}`, {
      hint: 'pullyu status says who; stop that, then call this again',
    });
  }
  try {
    rmSync(state, { recursive: true, force: true, maxRetries: 3 });
    return [{ did: 'removed', what: state }];
  } catch (error) {
    throw namedWriteError(error, state) ?? error;
  } finally {
    lock.release();
  }
}
