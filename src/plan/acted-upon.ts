/** Has anything changed since the last action? The three ways of the practice, as rules. Each gives the commit to act upon, or null. */
import type { CommitId } from '../model/ids.ts';

/** Fetch based: after a fetch, is the remote's commit another one than ours? Also when ours is ahead: that is how a redo is asked for. */
export function newOnRemote(remote: CommitId, head: CommitId): CommitId | null {
  return remote === head ? null : remote;
}

/** Last-action based: is the checked-out commit another one than that of the last completed action? */
export function notActedUpon(head: CommitId, acted: CommitId | null): CommitId | null {
  return head === acted ? null : head;
}

/**
 * Path based; what is acted upon is always the repository's commit. Four cases: same commit; another commit, same path; another commit,
 * changed path; never acted. Only the last two ask for an action.
 * @param differs Whether the path differs between the two commits; null when nobody can say (the old one is not known any more).
 */
export function changedBelow(
  head: CommitId,
  acted: CommitId | null,
  differs: boolean | null,
): CommitId | null {
  if (acted === null) return head;
  return head === acted || differs === false ? null : head;
}
