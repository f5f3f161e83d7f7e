/** The sentences of news. Every name and reason in them is a stranger's text, made printable. Pure. */
import type { FleetHost } from '../model/fleet.ts';
import { shortId } from '../model/ids.ts';
import { NEWS_LINES_MAX } from '../model/news.ts';
import type { PresenceAction } from '../model/presence.ts';
import { printable } from '../model/printable.ts';
import { isFailing } from './failures.ts';
import { actionsOf, type Facts, failsAt, type HostFact, reposOf, type Subject } from './news-facts.ts';

export interface Sentence {
  readonly text: string;
  readonly lines: readonly string[];
}

export interface TextOptions {
  readonly facts: Facts;
  /** The subject line of a commit; null: not known. */
  readonly subjectOf: (repo: string, commit: string) => string | null;
  /** Was told that it fails, at any commit. */
  readonly wasFailing: (repo: string, action: string) => boolean;
}

type Failed = Extract<Subject, { kind: 'failed' }>;
type Refused = Extract<Subject, { kind: 'refused' }>;
type Applied = Extract<Subject, { kind: 'applied' }>;

const NAMES_MAX = 5;
const TEXT_MAX = 400;

/** @param subjects Of one group: of one kind about hosts, or of one commit. null: there is nothing to say. */
export function sayBegin(subjects: readonly Subject[], o: TextOptions): Sentence | null {
  return bounded(begin(subjects, o));
}

/** The same for their end. */
export function sayEnd(subjects: readonly Subject[], o: TextOptions): Sentence | null {
  return bounded(end(subjects, o));
}

function bounded(sentence: Sentence | null): Sentence | null {
  if (sentence === null) return null;
  const lines = sentence.lines.slice(0, NEWS_LINES_MAX).map((line) => printable(line, 300));
  const more = sentence.lines.length - NEWS_LINES_MAX;
  return {
    text: printable(sentence.text, TEXT_MAX),
    lines: more > 0 ? [...lines.slice(0, -1), `and ${more + 1} more`] : lines,
  };
}

function begin(subjects: readonly Subject[], o: TextOptions): Sentence | null {
  const [first] = subjects;
  if (first === undefined) return null;
  switch (first.kind) {
    case 'failed':
      return sayFailed(subjects as readonly Failed[], o);
    case 'refused':
      return sayRefused(first, o);
    case 'applied':
      return sayApplied(first, o);
    default:
      return sayHosts(first.kind, namesOf(subjects), BEGINS[first.kind], o);
  }
}

function end(subjects: readonly Subject[], o: TextOptions): Sentence | null {
  const [first] = subjects;
  if (first === undefined) return null;
  switch (first.kind) {
    case 'applied':
      return null;
    case 'failed':
      return sayMended(subjects as readonly Failed[], o);
    case 'refused':
      return { text: `${first.repo}: no host refuses it any more (${first.code})`, lines: [] };
    default: {
      // Whoever left is told of as such; what is the matter with a host that is not there cannot end well.
      const words = ENDS[first.kind];
      const names = namesOf(subjects).filter((name) => first.kind === 'here' || o.facts.hosts.has(name));
      return words === null || names.length === 0 ? null : sayHosts(null, names, words, o);
    }
  }
}

type Words = readonly [one: string, many: string];

const BEGINS: Readonly<Record<HostFact, Words>> = {
  here: ['joined', 'joined'],
  silent: ['is silent', 'are silent'],
  absent: ['is absent', 'are absent'],
  conflicting: ['is conflicting', 'are conflicting'],
  forged: ['is forged', 'are forged'],
  stranger: ['is a stranger', 'are strangers'],
  wedged: ['is wedged', 'are wedged'],
  paused: ['is paused', 'are paused'],
};

/** null: nothing, or another fact says it. */
const ENDS: Readonly<Record<HostFact, Words | null>> = {
  here: ['left', 'left'],
  silent: ['is back', 'are back'],
  absent: null,
  conflicting: ['is conflicting no longer', 'are conflicting no longer'],
  forged: ['is forged no longer', 'are forged no longer'],
  stranger: null,
  wedged: ['is wedged no longer', 'are wedged no longer'],
  paused: ['is resumed', 'are resumed'],
};

/** @param kind Whose reason is the host's; null: none is given. */
function sayHosts(
  kind: HostFact | null,
  names: readonly string[],
  words: Words,
  { facts }: TextOptions,
): Sentence {
  const lines = names.map((name) => {
    const why = kind === null ? null : reasonOf(kind, facts.hosts.get(name));
    return why === null ? name : `${name}: ${why}`;
  });
  const [name] = names;
  if (names.length > 1) return { text: `${names.length} hosts ${words[1]}: ${listNames(names)}`, lines };
  const why = kind === null ? null : reasonOf(kind, facts.hosts.get(name!));
  return { text: `${name} ${words[0]}${why === null ? '' : `: ${why}`}`, lines: [] };
}

function reasonOf(kind: HostFact, host: FleetHost | undefined): string | null {
  if (kind === 'here') return null;
  return host === undefined || host.state === kind ? (host?.reason ?? null) : (host.presence?.reason ?? null);
}

function namesOf(subjects: readonly Subject[]): string[] {
  return subjects.flatMap((subject) => ('host' in subject ? [subject.host] : [])).sort(compareNames);
}

const { compare: compareNames } = new Intl.Collator('en', { numeric: true });

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_MAX).map((name) => printable(name, 64));
  const more = names.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** `3f2a91c`, with its repo where there are several, with its subject line where it is known. */
function nameCommit(repo: string, commit: string, { facts, subjectOf }: TextOptions): string {
  const repos = new Set([...facts.hosts.values()].flatMap((host) => host.repos.map(({ name }) => name)));
  const subject = subjectOf(repo, commit);
  const about = subject === null ? '' : ` (${printable(subject, 72)})`;
  return `${repos.size > 1 ? `${repo} ` : ''}${shortId(commit)}${about}`;
}

function sayFailed(subjects: readonly Failed[], o: TextOptions): Sentence {
  const [{ repo, commit }] = subjects as readonly [Failed];
  const lines: string[] = [];
  const clauses = subjects.map((subject) => {
    const all = actionsOf(o.facts.hosts.values(), subject);
    const failing = all
      .filter(({ action }) => failsAt(action, commit))
      .sort((a, b) => compareNames(a.host.name, b.host.name));
    for (const { host, action } of failing) lines.push(`${host.name}: ${subject.action} ${endingOf(action)}`);
    const still = o.wasFailing(repo, subject.action) ? 'still fails' : 'failed';
    const endings = [...new Set(failing.map(({ action }) => endingOf(action)))];
    const how = endings.length === 0 ? '' : ` (${endings[0]}${endings.length > 1 ? ' and others' : ''})`;
    const names = failing.map(({ host }) => host.name);
    return `${subject.action} ${still} on ${countHosts(names.length, all.length)}: ${listNames(names)}${how}`;
  });
  return { text: `${nameCommit(repo, commit, o)}: ${clauses.join('; ')}`, lines };
}

function countHosts(some: number, all: number): string {
  if (some === all) return all === 1 ? 'its only host' : `all ${all} hosts`;
  return `${some} of ${all} hosts`;
}

function endingOf({ outcome, exitCode, parked }: PresenceAction): string {
  const how =
    outcome === 'failed' && exitCode !== null
      ? `exit code ${exitCode}`
      : outcome === 'timed-out'
        ? 'took too long'
        : outcome === 'interrupted'
          ? 'was cut off'
          : outcome === 'refused'
            ? 'could not be started'
            : 'failed';
  return parked ? `${how}, parked` : how;
}

/** null: it fails at a newer commit, which is news of its own. */
function sayMended(subjects: readonly Failed[], o: TextOptions): Sentence | null {
  const [{ repo, commit }] = subjects as readonly [Failed];
  const clauses = subjects.flatMap((subject) => {
    const all = actionsOf(o.facts.hosts.values(), subject).filter(({ host }) => host.state !== 'silent');
    if (all.some(({ action }) => isFailing(action))) return [];
    const at = [
      ...new Set(all.flatMap(({ action }) => (action.outcome === 'ok' ? (action.commit ?? []) : []))),
    ];
    const [only] = at;
    if (at.length === 1 && only !== commit) return [`${subject.action} is fixed by ${shortId(only!)}`];
    if (at.length === 1) return [`${subject.action} is well on ${countHosts(all.length, all.length)}`];
    return [`${subject.action} does not fail any more`];
  });
  return clauses.length === 0
    ? null
    : { text: `${nameCommit(repo, commit, o)}: ${clauses.join('; ')}`, lines: [] };
}

function sayRefused({ repo, code }: Refused, { facts }: TextOptions): Sentence {
  const all = reposOf(facts.hosts.values(), repo);
  const refusing = all
    .filter((one) => one.repo.trouble?.code === code)
    .sort((a, b) => compareNames(a.host.name, b.host.name));
  const names = refusing.map(({ host }) => host.name);
  const message = refusing[0]?.repo.trouble?.message ?? '';
  return {
    text: `${repo}: ${code} on ${countHosts(names.length, all.length)}: ${listNames(names)}: ${printable(message, 200)}`,
    lines: refusing.map((one) => `${one.host.name}: ${one.repo.trouble?.message}`),
  };
}

function sayApplied({ repo, commit }: Applied, o: TextOptions): Sentence {
  const all = reposOf(o.facts.hosts.values(), repo);
  const silent = all.filter(({ host }) => host.state === 'silent').map(({ host }) => host.name);
  const there = all.length - silent.length;
  const except = silent.length === 0 ? '' : `; silent: ${listNames(silent.sort(compareNames))}`;
  return {
    text: `${nameCommit(repo, commit, o)} is on ${there === 1 ? 'its only host' : `all ${there} hosts`}${except}`,
    lines: [],
  };
}
