import type { Action } from '../model/action.ts';
import type { Labels } from '../model/labels.ts';
import type { FingerprintParts, RosterPart } from '../model/run.ts';
import { digestOf } from './digest.ts';
import { contentGlobs } from './globs.ts';

export interface Fingerprint {
  readonly fingerprint: string;
  readonly parts: FingerprintParts;
}

const NO_LABELS = digestOf([]);

/**
 * What an action depends on, in one digest and in its parts.
 *
 * Content: what its globs match; a glob that matches nothing counts as absent, so adding one changes nothing. Definition:
 * only what changes what is done (`run`, `check`, `user`, `env`, `kind`), so that a longer timeout re-runs nothing.
 * Labels: the values of the keys that its `hosts` names.
 * @param contents A digest for every glob of `contentGlobs(action)`; null when nothing matches.
 * @param roster The live hosts that it declares; null without a presence trigger: then the fingerprint has no such part.
 * @throws TypeError when one is missing: to guess would be to re-run, or to rest, without a reason.
 */
export function fingerprintOf(
  action: Action,
  labels: Labels,
  contents: ReadonlyMap<string, string | null>,
  roster: RosterPart | null = null,
): Fingerprint {
  const parts: FingerprintParts = {
    content: digestOf(contentOf(action, contents)),
    definition: digestOf([action.run, action.check, action.user, sortedEntries(action.env), action.kind]),
    labels:
      action.hosts === null
        ? NO_LABELS
        : digestOf(sortedEntries(action.hosts).map(([key]) => [key, labelOf(labels, key)])),
  };
  const digests = [parts.content, parts.definition, parts.labels];
  if (roster === null) return { fingerprint: digestOf(digests), parts };
  return { fingerprint: digestOf([...digests, roster.digest]), parts: { ...parts, roster } };
}

/** As far as a commit or the host itself decides: whatever the roster is. */
export function isSameButForRoster(a: Fingerprint, b: Fingerprint): boolean {
  if (a.parts.roster === undefined && b.parts.roster === undefined) return a.fingerprint === b.fingerprint;
  return (
    a.parts.content === b.parts.content &&
    a.parts.definition === b.parts.definition &&
    a.parts.labels === b.parts.labels
  );
}

function contentOf(action: Action, contents: ReadonlyMap<string, string | null>): [string, string][] {
  return contentGlobs(action).flatMap((glob): [string, string][] => {
    const digest = contents.get(glob);
    if (digest === undefined) throw new TypeError(`expected the content of "${glob}" for ${action.name}`);
    return digest === null ? [] : [[glob, digest]];
  });
}

function labelOf(labels: Labels, key: string): string | null {
  return Object.hasOwn(labels, key) ? (labels[key] ?? null) : null;
}

function sortedEntries<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
