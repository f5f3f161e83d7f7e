/** `pullyu try end`: the checkout goes, and the host goes back to what the tracked commit says. */
import { rmSync } from 'node:fs';
import { PullyuError } from '../errors.ts';
import { actionKey } from '../model/action.ts';
import type { RepoConfig } from '../model/repo.ts';
import { refuseMounts } from '../system/mounts.ts';
import { count, guarded, must, requireOpen, scratchOf, type TryContext } from './try-context.ts';
import { tryPaths, writeTry } from './try-file.ts';

export interface EndReport {
  readonly branch: string;
  /** Actions that the try left the host with other than the tracked commit would: the agent runs them again. */
  readonly redo: readonly string[];
}

/** Removes the checkout. @throws PullyuError `refused` when something in it is nowhere else. */
export async function endTry(repo: RepoConfig, force: boolean, c: TryContext): Promise<EndReport> {
  const open = requireOpen(repo.name, c);
  return guarded(repo.name, c, async (notes) => {
    if (!force) {
      const { edited, ahead } = must(await scratchOf(repo, open, c).state());
      const kept = [
        ...(edited > 0 ? [count(edited, 'edited path')] : []),
        ...(ahead > 0 ? [count(ahead, 'commit')] : []),
      ];
      if (kept.length > 0) {
        throw new PullyuError(
          'refused',
          `expected everything of the try to be pushed, found ${kept.join(' and ')} that ${edited + ahead === 1 ? 'is' : 'are'} nowhere else`,
          {
            hint: 'push with `pullyu try push`, or throw it away with `pullyu try end --force`',
          },
        );
      }
    }
    const { checkout } = tryPaths(c.paths, repo.name);
    refuseMounts(checkout);
    const memory = c.picture.journal.memory();
    const redo = Object.entries(open.runs)
      .filter(([name, run]) => {
        const done = memory.get(actionKey(repo.name, name))?.lastSuccess;
        const isSame = done?.intent.fingerprint === run.fingerprint && run.outcome === 'ok';
        return !isSame && (done?.intent.startedAt ?? 0) < run.endedAt;
      })
      .map(([name]) => name);
    writeTry(c.paths, repo.name, { ...notes, open: null });
    rmSync(checkout, { recursive: true, force: true });
    return { branch: open.branch, redo };
  });
}
