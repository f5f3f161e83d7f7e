/** A presence as it is signed and published. It always fits, and readers always take it. */
import type { Presence, PresenceAction, PresenceRepo } from '../model/presence.ts';
import { PRESENCE_MAX_BYTES } from '../model/presence.ts';
import {
  ADDRESSES_MAX,
  FACTS_MAX,
  fitText,
  isAddress,
  isFactKey,
  isLabelKey,
  LENGTH_MAX,
} from './presence-text.ts';

/** More cannot fit. */
const ACTIONS_MAX = 200;
/** To which sentences are shortened, one after the other, when dropping actions that are well was not enough. */
const SHORTER = [200, 60] as const;

/**
 * JSON with its keys in a fixed order, ended by a line feed. Actions are put into the order that the model wants. What is too large
 * loses actions that are well from the end (`actionsOmitted` counts them), then length of its sentences; then, where a host has absurdly
 * much of it, also other actions, facts, repos and labels.
 * @param presence Its host, id, names and commits are as the configuration allows them; any other text may be anything.
 */
export function formatPresence(presence: Presence): string {
  const actions = [...presence.actions].sort(byNeed);
  const unwell = actions.findIndex(isWell);
  const kept = actions.slice(0, ACTIONS_MAX);
  const least = Math.min(unwell === -1 ? kept.length : unwell, kept.length);
  let draft: Draft = {
    presence,
    sentences: LENGTH_MAX.sentence,
    actions: kept,
    actionsOmitted: presence.actionsOmitted + actions.length,
    facts: Object.entries(presence.facts).filter(isFact).sort(byKey).slice(0, FACTS_MAX),
    repos: presence.repos,
    labels: Object.entries(presence.labels).filter(isLabel).sort(byKey),
  };
  draft = shortened(draft, 'actions', least);
  for (const sentences of SHORTER) if (!fits(draft)) draft = { ...draft, sentences };
  for (const list of ['actions', 'facts', 'repos', 'labels'] as const) draft = shortened(draft, list, 0);
  return write(draft);
}

interface Draft {
  readonly presence: Presence;
  readonly sentences: number;
  readonly actions: readonly PresenceAction[];
  /** With those that are in `actions`. */
  readonly actionsOmitted: number;
  readonly facts: readonly (readonly [string, string])[];
  readonly repos: readonly PresenceRepo[];
  readonly labels: readonly (readonly [string, string])[];
}

/** As many of the list as fit, `least` of them in any case. */
function shortened(draft: Draft, list: 'actions' | 'facts' | 'repos' | 'labels', least: number): Draft {
  if (fits(draft)) return draft;
  const first = (count: number): Draft => ({ ...draft, [list]: draft[list].slice(0, count) });
  let low = least;
  let high = draft[list].length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (fits(first(middle))) low = middle;
    else high = middle;
  }
  return first(low);
}

function fits(draft: Draft): boolean {
  return Buffer.byteLength(write(draft)) <= PRESENCE_MAX_BYTES;
}

function write({ presence: p, sentences, actions, actionsOmitted, facts, repos, labels }: Draft): string {
  const sentence = (text: string | null) => text && fitText(text, sentences);
  const value = {
    version: p.version,
    host: p.host,
    id: p.id,
    state: p.state,
    reason: sentence(p.reason),
    clock: iso(p.clock),
    sequence: p.sequence,
    labels: mapping(labels, LENGTH_MAX.label),
    addresses: p.addresses.filter(isAddress).slice(0, ADDRESSES_MAX),
    repos: repos.map((repo) => ({
      name: repo.name,
      wanted: repo.wanted,
      applied: repo.applied,
      trouble: repo.trouble && {
        code: repo.trouble.code,
        message: sentence(repo.trouble.message),
        since: iso(repo.trouble.since),
      },
    })),
    actions: actions.map((action) => ({
      repo: action.repo,
      name: action.name,
      outcome: action.outcome,
      commit: action.commit,
      exitCode: action.exitCode,
      attempt: action.attempt,
      endedAt: action.endedAt === null ? null : iso(action.endedAt),
      parked: action.parked,
    })),
    actionsOmitted: actionsOmitted - actions.length,
    facts: mapping(facts, LENGTH_MAX.fact),
    agent: fitText(p.agent, LENGTH_MAX.version),
    git: p.git && fitText(p.git, LENGTH_MAX.version),
    bootId: fitText(p.bootId, LENGTH_MAX.bootId),
    intervalMs: p.intervalMs,
    heartbeatMs: p.heartbeatMs,
    freeBytes: p.freeBytes,
    conflict: sentence(p.conflict),
  };
  return `${JSON.stringify(value, null, 1)}\n`;
}

const LAST_MOMENT = Date.parse('9999-12-31T23:59:59.999Z');

/** A clock that is far off is still written as four digits of a year. */
function iso(ms: number): string {
  return new Date(Math.min(Math.max(ms, 0), LAST_MOMENT)).toISOString();
}

function mapping(entries: readonly (readonly [string, string])[], maxLength: number) {
  return Object.fromEntries(entries.map(([key, value]) => [key, fitText(value, maxLength)]));
}

function isFact([key]: readonly [string, string]): boolean {
  return isFactKey(key);
}

function isLabel([key]: readonly [string, string]): boolean {
  return isLabelKey(key);
}

function byKey([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}

/** Succeeded, or has not run yet. */
function isWell(action: PresenceAction): boolean {
  return !action.parked && (action.outcome === null || action.outcome === 'ok');
}

/** Failing ones first, then by name. */
function byNeed(a: PresenceAction, b: PresenceAction): number {
  if (isWell(a) !== isWell(b)) return isWell(a) ? 1 : -1;
  return compare(a.name, b.name) || compare(a.repo, b.repo);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
