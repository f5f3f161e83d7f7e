/**
 * `pullyu try`: a scratch checkout on this very host. It is a clone of its own, outside the trees, on a branch of its own, so that nothing of
 * it can be taken for what the host follows. Its runs act on the host for real, are told to the person, and are not in the journal.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PullyuError } from '../errors.ts';
import { makeOrdinaryClone } from '../git/ordinary-clone.ts';
import { TEMP_NAME } from '../git/scan-path.ts';
import type { ScratchState } from '../git/scratch.ts';
import type { RepoConfig } from '../model/repo.ts';
import { resolveTracking } from '../plan/tracking.ts';
import type { TriedAction } from '../plan/try-verdict.ts';
import type { StartedRun } from '../runner/spec.ts';
import type { Paths } from '../system/paths.ts';
import { probeOnce } from './probe-once.ts';
import { withoutOthers } from './quiet.ts';
import { runInTree, type TreeRunReport } from './tree-run.ts';
import { compareTry, objectionsTo } from './try-compare.ts';
import {
  guarded,
  must,
  requireOpen,
  scratchOf,
  sshFolderOf,
  type TryContext,
  type TryView,
  viewOf,
} from './try-context.ts';
import { type OpenTry, readTry, tryPaths, writeTry } from './try-file.ts';

export interface TryStatus extends TryView, ScratchState {
  /** Every action that is changed or was tried. */
  readonly actions: readonly TriedAction[];
  /** Sentences that hold a push back. */
  readonly objections: readonly string[];
}

/** Opens a try, or finds the one that is open. */
export async function beginTry(repo: RepoConfig, c: TryContext): Promise<{ view: TryView; isNew: boolean }> {
  const known = readTry(c.paths, repo.name).open;
  if (known !== null) return { view: viewOf(repo.name, known, c), isNew: false };
  return guarded(repo.name, c, async (notes) => {
    const tracking = must(resolveTracking(repo.track, c.picture.view.host.labels));
    const answer = await probeOnce(repo, tracking, { ...c, view: c.picture.view });
    const count = notes.count + 1;
    const branch = `try/${c.picture.view.host.name}-${count}`;
    const follows = tracking.kind === 'branch' ? tracking.name : null;
    const { checkout } = tryPaths(c.paths, repo.name);
    rmSync(checkout, { recursive: true, force: true });
    const base = must(
      await makeOrdinaryClone(checkout, {
        ...c,
        repo,
        answer,
        follows,
        branch,
        limits: c.picture.view.config.limits,
        sshFolder: sshFolderOf(c),
      }),
    );
    mkdirSync(join(checkout, TEMP_NAME), { recursive: true, mode: 0o755 });
    const open: OpenTry = { branch, follows, url: answer.url, base, startedAt: c.clock.now(), runs: {} };
    writeTry(c.paths, repo.name, { version: 1, count, open });
    return { view: viewOf(repo.name, open, c), isNew: true };
  });
}

/** Runs an action of the checkout as it is now, as the agent would; nobody else runs one meanwhile. */
export async function runTry(
  repo: RepoConfig,
  action: string,
  o: { readonly onRun: (run: StartedRun) => void },
  c: TryContext,
): Promise<TreeRunReport> {
  requireOpen(repo.name, c);
  return guarded(repo.name, c, async () => {
    const { checkout } = tryPaths(c.paths, repo.name);
    const report = await withoutOthers(c.paths, 'try', c.signal, () =>
      runInTree({ ...c, repo, folder: checkout, action, asAgent: true, onRun: o.onRun }),
    );
    // Read again: a file that somebody removed meanwhile must not come back.
    const notes = readTry(c.paths, repo.name);
    if (notes.open !== null) {
      const { outcome, exitCode, endedAt } = report.result;
      const run = { outcome, exitCode, endedAt, fingerprint: report.fingerprint };
      writeTry(c.paths, repo.name, {
        ...notes,
        open: { ...notes.open, runs: { ...notes.open.runs, [action]: run } },
      });
    }
    return report;
  });
}

export async function readTryStatus(repo: RepoConfig, c: TryContext): Promise<TryStatus> {
  const open = requireOpen(repo.name, c);
  const scratch = scratchOf(repo, open, c);
  const state = must(await scratch.state());
  try {
    const actions = await compareTry(repo, open, open.base, c);
    return { ...viewOf(repo.name, open, c), ...state, actions, objections: objectionsTo(actions) };
  } catch (error) {
    if (!(error instanceof PullyuError) || error.code !== 'repo-config') throw error;
    return { ...viewOf(repo.name, open, c), ...state, actions: [], objections: [error.message] };
  }
}

/** The repos with an open try. */
export function openTries(paths: Paths, repos: readonly RepoConfig[]): RepoConfig[] {
  return repos.filter((repo) => readTry(paths, repo.name).open !== null);
}
