/** What a forge has, as `git ls-remote --symref` tells it. Pure. */

export interface Listing {
  /** The branch that HEAD leads to; null when it is detached, or leads to none that is there. */
  readonly head: string | null;
  /** Lines `id name` of branches and tags, sorted: equal texts mean that nothing has changed. */
  readonly refs: string;
  readonly count: number;
}

const LINE = /^([0-9a-f]{40}|[0-9a-f]{64})\t(refs\/(?:heads|tags)\/[^\t\n]+)$/;

/** Other kinds of refs (requests to merge, notes) are not mirrored; nor is what a tag peels to a ref. */
export function parseListing(text: string): Listing {
  const head = /^ref: (refs\/heads\/[^\t\n]+)\tHEAD$/m.exec(text)?.[1] ?? null;
  const refs = text.split('\n').flatMap((line) => {
    const match = LINE.exec(line);
    return match === null || match[2]!.endsWith('^{}') ? [] : [`${match[1]} ${match[2]}`];
  });
  const isThere = refs.some((line) => line.slice(line.indexOf(' ') + 1) === head);
  return { head: isThere ? head : null, refs: [...refs].sort().join('\n'), count: refs.length };
}
