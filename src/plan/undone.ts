/** Which commits of a branch still stand: what a revert took back does not, and the revert itself is no change of its own. */

interface MayRevert {
  readonly id: string;
  /** What it takes back; null: it is no revert. */
  readonly reverts: string | null;
}

/** @param newestFirst The commits of one line. @returns those that stand, in the same order. */
export function standingCommits<T extends MayRevert>(newestFirst: readonly T[]): T[] {
  const undone = new Set<string>();
  return newestFirst.filter(({ id, reverts }) => {
    // A revert that was reverted took nothing back.
    if (undone.has(id)) return false;
    if (reverts === null) return true;
    undone.add(reverts);
    return false;
  });
}
