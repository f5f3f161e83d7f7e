/**
 * What there is to tell about a fleet at one moment: facts with a key. Pure.
 *
 * `is` null: nobody knows at this moment (the host is silent, an action runs), so that whatever was known holds on.
 */
import type { FleetHost } from '../model/fleet.ts';
import type { PresenceAction, PresenceRepo } from '../model/presence.ts';
import type { TroubleCode } from '../model/trouble.ts';
import { isFailing } from './failures.ts';

export type HostFact =
  | 'here'
  | 'silent'
  | 'absent'
  | 'conflicting'
  | 'forged'
  | 'stranger'
  | 'wedged'
  | 'paused';

export type Subject =
  | { readonly kind: HostFact; readonly host: string }
  /** An action failed at a commit, wherever in the fleet. */
  | { readonly kind: 'failed'; readonly repo: string; readonly action: string; readonly commit: string }
  /** Hosts refuse what a repo holds. */
  | { readonly kind: 'refused'; readonly repo: string; readonly code: string }
  /** Every host of the repo is there. */
  | { readonly kind: 'applied'; readonly repo: string; readonly commit: string };

export type SubjectKind = Subject['kind'];

const HOST_FACTS: readonly HostFact[] = [
  'here',
  'silent',
  'absent',
  'conflicting',
  'forged',
  'stranger',
  'wedged',
  'paused',
];

/** Names and codes hold no spaces. */
export function keyOf(subject: Subject): string {
  switch (subject.kind) {
    case 'failed':
      return `failed ${subject.repo} ${subject.action} ${subject.commit}`;
    case 'refused':
      return `refused ${subject.repo} ${subject.code}`;
    case 'applied':
      return `applied ${subject.repo} ${subject.commit}`;
    default:
      return `${subject.kind} ${subject.host}`;
  }
}

/** null: of another version of pullyu. */
export function subjectOfKey(key: string): Subject | null {
  const [kind = '', a = '', b = '', c = ''] = key.split(' ');
  if (kind === 'failed') return { kind, repo: a, action: b, commit: c };
  if (kind === 'refused') return { kind, repo: a, code: b };
  if (kind === 'applied') return { kind, repo: a, commit: b };
  return (HOST_FACTS as readonly string[]).includes(kind) ? { kind: kind as HostFact, host: a } : null;
}

export interface Facts {
  /** By key. What is not in it is not the case. */
  readonly is: ReadonlyMap<string, boolean | null>;
  readonly hosts: ReadonlyMap<string, FleetHost>;
}

export interface FactsOptions {
  /** Keys that are to be answered too. */
  readonly known: Iterable<string>;
  /** Of nobody it is known now whether it is silent. */
  readonly isBlind: boolean;
}

export function readFacts(hosts: readonly FleetHost[], { known, isBlind }: FactsOptions): Facts {
  const is = new Map<string, boolean | null>();
  const byName = new Map(hosts.map((host) => [host.name, host]));
  for (const host of hosts) {
    for (const kind of HOST_FACTS) {
      const found = isOfHost(kind, host);
      is.set(keyOf({ kind, host: host.name }), kind === 'silent' && found === true && isBlind ? null : found);
    }
    if (host.presence === null || host.state === 'silent') continue;
    for (const action of host.presence.actions) {
      if (!isFailing(action) || action.commit === null) continue;
      is.set(keyOf({ kind: 'failed', repo: action.repo, action: action.name, commit: action.commit }), true);
    }
    for (const { name, trouble } of host.repos)
      if (trouble !== null && REFUSING.has(trouble.code))
        is.set(keyOf({ kind: 'refused', repo: name, code: trouble.code }), true);
  }
  for (const [repo, commit] of appliedEverywhere(hosts))
    is.set(keyOf({ kind: 'applied', repo, commit }), true);
  for (const key of known) {
    const subject = subjectOfKey(key);
    if (!is.has(key) && subject !== null) is.set(key, isOfKnown(subject, hosts));
  }
  return { is, hosts: byName };
}

function isOfHost(kind: HostFact, { state, presence }: FleetHost): boolean | null {
  switch (kind) {
    case 'here':
      return presence !== null || (state === 'absent' ? false : null);
    case 'silent':
    case 'conflicting':
      if (state === kind) return true;
      return presence === null || state === 'silent' ? (state === 'absent' ? false : null) : false;
    case 'absent':
    case 'forged':
    case 'stranger':
      return state === kind;
    case 'wedged':
      if (presence === null || state === 'silent') return null;
      if (presence.state !== 'wedged') return false;
      // What the failed action has to say is told with its commit.
      return presence.actions.some(isFailing) ? null : true;
    case 'paused':
      return presence === null || state === 'silent' ? null : presence.state === 'paused';
  }
}

/** Something that was the case and is not seen now: is it over, or is it only not known? */
function isOfKnown(subject: Subject, hosts: readonly FleetHost[]): boolean | null {
  switch (subject.kind) {
    case 'failed': {
      const isUnsure = actionsOf(hosts, subject).some(({ host, action }) =>
        // What a silent host said last holds until it says something else.
        host.state === 'silent' ? failsAt(action, subject.commit) : isOpen(action),
      );
      if (isUnsure) return null;
      const isAnswered = hosts.some(
        (host) => isHeard(host) && host.repos.some(({ name }) => name === subject.repo),
      );
      return isAnswered ? false : null;
    }
    case 'refused': {
      const heard = reposOf(hosts, subject.repo).filter(({ host }) => isHeard(host));
      return heard.length === 0 ? null : false;
    }
    default:
      return false;
  }
}

export function failsAt(action: PresenceAction, commit: string): boolean {
  return isFailing(action) && action.commit === commit;
}

/** Its run has not ended, or gave way to one that has not begun. */
function isOpen({ outcome }: PresenceAction): boolean {
  return outcome === null || outcome === 'superseded';
}

function isHeard({ presence, state }: FleetHost): boolean {
  return presence !== null && state !== 'silent';
}

/** Troubles with what a repo holds: they last until another commit, or a human, ends them. */
const REFUSING: ReadonlySet<TroubleCode> = new Set(['config', 'hostile-tree', 'rewritten', 'limit']);

/** Of each repo: the commit that all hosts want and have. Hosts that follow different branches have none. */
function appliedEverywhere(hosts: readonly FleetHost[]): Map<string, string> {
  const found = new Map<string, string | null>();
  for (const host of hosts) {
    if (!isHeard(host)) continue;
    for (const { name, wanted, applied, trouble } of host.repos) {
      const before = found.get(name);
      const commit = wanted !== null && wanted === applied && trouble === null ? wanted : null;
      found.set(name, before === undefined || before === commit ? commit : null);
    }
  }
  return new Map([...found].flatMap(([repo, commit]) => (commit === null ? [] : [[repo, commit] as const])));
}

/** Every host that has the action. */
export function actionsOf(
  hosts: Iterable<FleetHost>,
  { repo, action: name }: { readonly repo: string; readonly action: string },
): { readonly host: FleetHost; readonly action: PresenceAction }[] {
  return [...hosts].flatMap((host) => {
    const action = host.presence?.actions.find((one) => one.repo === repo && one.name === name);
    return action === undefined ? [] : [{ host, action }];
  });
}

/** Every host that follows the repo. */
export function reposOf(
  hosts: Iterable<FleetHost>,
  name: string,
): { readonly host: FleetHost; readonly repo: PresenceRepo }[] {
  return [...hosts].flatMap((host) => {
    const repo = host.repos.find((one) => one.name === name);
    return repo === undefined ? [] : [{ host, repo }];
  });
}
