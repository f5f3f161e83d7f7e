import { type CommitId, shortId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import { type Trouble, trouble } from '../model/trouble.ts';
import type { Wanted } from './probe-wanted.ts';
import type { Ref } from './ref-reader.ts';

const NAMES_MAX = 5;

/** A whole, well-formed answer without the ref that we want: what it means, and which refs there are instead. */
export function troubleOfMissing(
  wanted: Wanted,
  remote: string,
  seen: {
    /** Some refs that the remote has (HEAD first, when asked for), as far as they are known. */
    others: readonly Ref[];
    sawRefs: boolean;
    /** What this ref was when we last found it here; null when we never did. */
    before: CommitId | null;
  },
): Trouble {
  const before = seen.before === null ? '' : `; it was at ${shortId(seen.before)} before`;
  if (!seen.sawRefs) {
    const state = seen.before === null ? 'an empty repository' : 'a repository that was emptied';
    return trouble('empty-answer', `expected the ${wanted.what} at ${remote}, found ${state}${before}`, {
      hint: 'push it; nothing is changed or removed on this host meanwhile',
      remote,
    });
  }
  const head = seen.others.find((ref) => ref.name === 'HEAD')?.symref ?? null;
  const names = seen.others.filter((ref) => ref.name !== 'HEAD' && ref.name !== head).map((ref) => ref.name);
  if (head !== null) names.unshift(head);
  const listed = names
    .slice(0, NAMES_MAX)
    .map((name) => printable(name.replace(/^refs\/(heads|tags)\//, ''), 60))
    .join(', ');
  return trouble('ref-missing', `expected the ${wanted.what} at ${remote}, found no such ref${before}`, {
    hint:
      listed === ''
        ? 'push it, or correct `track` of the repo'
        : `push it, or track one of those that are there: ${listed}`,
    remote,
  });
}
