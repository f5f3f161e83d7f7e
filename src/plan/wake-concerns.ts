/** PURE: does a wake concern what a repo follows? What it does not say speaks for a look. */
import type { CommitId } from '../model/ids.ts';
import type { Tracking } from '../model/repo.ts';
import type { Wake } from '../model/wake.ts';

/** @param seen What the tracked ref was at the last answer. */
export function wakeConcerns(wake: Wake, tracking: Tracking, seen: CommitId | null): boolean {
  if (wake.commit !== null && wake.commit === seen) return false;
  if (wake.ref === null) return true;
  const [, space, name = wake.ref] = /^refs\/([^/]+)\/(.*)$/s.exec(wake.ref) ?? [];
  switch (tracking.kind) {
    case 'branch':
      return space !== 'tags' && name === tracking.name;
    case 'exact-tag':
      return space !== 'heads' && name === tracking.name;
    case 'tag':
      return space !== 'heads';
    case 'commit':
      return false;
  }
}
