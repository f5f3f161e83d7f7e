/** Where things are on the servers of NATS. Part of the contract with operators, who give rights to these names: docs/nats.md. Pure. */
import { createHash } from 'node:crypto';

/** The key-value bucket of the presences. An entry goes by itself when nobody renews it. */
export const BUCKET = 'pullyu-presence';
export const BUCKET_STREAM = `KV_${BUCKET}`;
/** The key-value bucket of what was told about the fleet. */
export const NEWS_BUCKET = 'pullyu-news';
/** The stream of the transitions. */
export const TRANSITIONS = 'pullyu-transitions';
const TRANSITION = 'pullyu.transition.';
const WAKE = 'pullyu.wake.';

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const MACHINE = /^[0-9a-f]{8}$/;

/** Names of hosts and repos that can be part of a subject. */
export function isNatsName(name: string): boolean {
  return NAME.test(name);
}

/** One token of a subject: dots would divide it. @param name `isNatsName`. */
function token(name: string): string {
  return name.replaceAll('.', '=2e');
}

function nameOf(text: string): string | null {
  const name = text.replaceAll('=2e', '.');
  return isNatsName(name) ? name : null;
}

export function hostKey(host: string): string {
  return `host.${token(host)}`;
}

/** Where a machine claims a name that another one holds. */
export function claimKey(host: string, id: string, bootId: string): string {
  const machine = createHash('sha256').update(`${id}${bootId}`).digest('hex').slice(0, 8);
  return `claim.${token(host)}.${machine}`;
}

/** All claims to one name, as a filter. */
export function claimsFilter(host: string): string {
  return `claim.${token(host)}.*`;
}

/** The subject of a key of the bucket. */
export function subjectOfKey(key: string): string {
  return `$KV.${BUCKET}.${key}`;
}

export function keyOfSubject(subject: string): string | null {
  const prefix = subjectOfKey('');
  return subject.startsWith(prefix) ? subject.slice(prefix.length) : null;
}

export type BucketKey = { readonly kind: 'host' | 'claim'; readonly host: string };

/** null: a key that is none of ours. */
export function parseKey(key: string): BucketKey | null {
  const [kind, text = '', machine, ...more] = key.split('.');
  const host = nameOf(text);
  if (host === null || more.length > 0) return null;
  if (kind === 'host' && machine === undefined) return { kind, host };
  return kind === 'claim' && machine !== undefined && MACHINE.test(machine) ? { kind, host } : null;
}

export function transitionSubject(host: string): string {
  return TRANSITION + token(host);
}

/** null: a subject that is none of ours. */
export function hostOfTransition(subject: string): string | null {
  return subject.startsWith(TRANSITION) ? nameOf(subject.slice(TRANSITION.length)) : null;
}

export const ALL_TRANSITIONS = `${TRANSITION}*`;

export function wakeSubject(repo: string): string {
  return WAKE + token(repo);
}
