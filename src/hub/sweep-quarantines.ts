/** What pushes left that died with the hub: git clears its quarantine away itself, unless it was killed too, or while it wrote. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The names that git gives them: since 2.36, and before. */
const QUARANTINE = /^(?:tmp_objdir-incoming-|incoming-)/;

/**
 * Removes quarantines that nothing was written into for so long. It must be longer than a push may take: git's own pruning waits
 * for two weeks.
 * @returns how many there were.
 */
export function sweepQuarantines(folder: string, olderThanMs: number, now: number): number {
  const objects = join(folder, 'objects');
  const old = readdirSync(objects).filter((name) => {
    const stats = QUARANTINE.test(name)
      ? statSync(join(objects, name), { throwIfNoEntry: false })
      : undefined;
    return stats !== undefined && now - stats.mtimeMs >= olderThanMs;
  });
  for (const name of old) rmSync(join(objects, name), { recursive: true, force: true });
  return old.length;
}
