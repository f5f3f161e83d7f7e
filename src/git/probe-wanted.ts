/** From a tracking rule to what is asked of a remote, and from the refs that it has to the one that is meant. */
import { type CommitId, isCommitId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import type { Tracking } from '../model/repo.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import type { Ref, RefFilter } from './ref-reader.ts';

/** What a probe asks for. `key` is the same for the same question. */
export interface Wanted {
  readonly key: string;
  /** For sentences: `branch "main"`. */
  readonly what: string;
  readonly refPrefix: string;
  readonly peel: boolean;
  readonly filter: RefFilter;
  /** A glob over tag names; null when exactly one ref is asked for. */
  readonly tagPattern: string | null;
}

/** A commit id needs no question: it is its own answer. */
export function wantedRefs(tracking: Exclude<Tracking, { kind: 'commit' }>): Wanted {
  switch (tracking.kind) {
    case 'branch':
      return exactly(withPrefix(tracking.name, 'refs/heads/'), `branch "${printable(tracking.name)}"`, false);
    case 'exact-tag':
      return exactly(withPrefix(tracking.name, 'refs/tags/'), `tag "${printable(tracking.name)}"`, true);
    case 'tag': {
      const refPrefix = `refs/tags/${literalPrefix(tracking.pattern)}`;
      return {
        key: `tags ${tracking.pattern}`,
        what: `tag that matches "${printable(tracking.pattern)}" and is a semantic version`,
        refPrefix,
        peel: true,
        filter: { prefix: refPrefix },
        tagPattern: tracking.pattern,
      };
    }
  }
}

function exactly(ref: string, what: string, peel: boolean): Wanted {
  return { key: ref, what, refPrefix: ref, peel, filter: { exact: ref }, tagPattern: null };
}

function withPrefix(name: string, prefix: string): string {
  return name.startsWith(prefix) ? name : prefix + name;
}

/** What every match of a glob begins with. */
export function literalPrefix(pattern: string): string {
  return /^[^*?[\]{}()!+@|\\]*/.exec(pattern)![0];
}

export interface Chosen {
  readonly ref: string;
  readonly commit: CommitId;
}

/** The commit that is meant among the refs that a remote answered; null when none is. */
export async function chooseRef(wanted: Wanted, refs: readonly Ref[]): Promise<Result<Chosen | null>> {
  return chosenRef(wanted, wanted.tagPattern === null ? refs[0] : await highestTag(wanted.tagPattern, refs));
}

/** The same when an exact ref is wanted: at once. */
export function chosenRef(wanted: Wanted, ref: Ref | undefined): Result<Chosen | null> {
  if (ref === undefined) return ok(null);
  const id = ref.peeled ?? ref.id;
  if (isCommitId(id)) return ok({ ref: ref.name, commit: id });
  return fail(trouble('not-git', `expected a commit id for ${wanted.what}, found "${printable(id, 80)}"`));
}

/** Loaded here, because only hosts that track a tag pattern need these libraries. */
async function highestTag(pattern: string, refs: readonly Ref[]): Promise<Ref | undefined> {
  const [{ default: picomatch }, { default: semver }] = await Promise.all([
    import('picomatch'),
    import('semver'),
  ]);
  const matches = picomatch(pattern);
  let best: { ref: Ref; version: InstanceType<typeof semver.SemVer> } | undefined;
  for (const ref of refs) {
    const name = ref.name.slice('refs/tags/'.length);
    if (!matches(name)) continue;
    const version = versionIn(name, (text) => semver.parse(text));
    if (version === null) continue;
    const order =
      best === undefined ? 1 : version.compare(best.version) || version.compareBuild(best.version);
    if (order > 0) best = { ref, version };
  }
  return best?.ref;
}

/** The version that a tag ends with: of `v1.2.3`, `1.2.3-rc.1`, `shop/v1.2.3`, `release-1.2.3`. */
function versionIn<T>(tag: string, parse: (text: string) => T | null): T | null {
  for (const { index } of tag.matchAll(/(?<![\d.])\d/g)) {
    const version = parse(tag.slice(index));
    if (version !== null) return version;
  }
  return null;
}
