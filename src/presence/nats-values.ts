/** What the values of the bucket and the messages of the stream hold, made and read. Pure. Everything that is read is hostile text. */
import { createHash } from 'node:crypto';
import {
  PRESENCE_MAX_BYTES,
  type Presence,
  type SignedPresence,
  type Transition,
} from '../model/presence.ts';
import { parsePresence } from './parse-presence.ts';
import type { Contender, HistoryEntry } from './store.ts';

/** An SSH signature of ed25519 has 300 bytes, one of RSA a thousand. */
const SIGNATURE_MAX_BYTES = 8 * 1024;
const LOG_MAX_BYTES = 256 * 1024;
const SUBJECT_MAX_BYTES = 4 * 1024;
/** JSON escapes a control character with six bytes. */
const VALUE_MAX_BYTES = 256 * 1024;

export function formatValue({ text, signature }: SignedPresence): string {
  return JSON.stringify({ presence: text, signature });
}

/** null: it is none, or too large. */
export function parseValue(value: string): SignedPresence | null {
  const found = parseObject(value, VALUE_MAX_BYTES);
  return found === null ? null : signedOf(found.presence, found.signature);
}

export function digestOfValue(value: string): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 32);
}

/** @param maxBytes Of a message on this server: a log that is too large for it is left out. */
export function formatTransition(transition: Transition, maxBytes: number): string {
  const { at, subject, presence, log } = transition;
  const format = (kept: Transition['log']) =>
    JSON.stringify({ at, subject, presence: presence.text, signature: presence.signature, log: kept });
  const whole = format(log);
  return Buffer.byteLength(whole) <= maxBytes ? whole : format(null);
}

/** null: it is none, or too large. */
export function parseTransition(value: string): HistoryEntry | null {
  const found = parseObject(value, VALUE_MAX_BYTES + 6 * LOG_MAX_BYTES);
  const presence = found === null ? null : signedOf(found.presence, found.signature);
  if (found === null || presence === null) return null;
  const { at, subject, log } = found;
  if (typeof at !== 'number' || !Number.isSafeInteger(at)) return null;
  if (typeof subject !== 'string' || subject.length > SUBJECT_MAX_BYTES) return null;
  return { at, subject: subject.replace(/\s*[\r\n]+\s*/g, ' '), presence, log: logOf(log) };
}

function logOf(log: unknown): HistoryEntry['log'] {
  if (typeof log !== 'object' || log === null) return null;
  const { repo, action, text } = log as Record<string, unknown>;
  if (typeof repo !== 'string' || typeof action !== 'string' || typeof text !== 'string') return null;
  if (Buffer.byteLength(text) > LOG_MAX_BYTES) return null;
  return { name: `${plain(repo)}-${plain(action)}.log`, text };
}

function plain(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 128);
}

function signedOf(text: unknown, signature: unknown): SignedPresence | null {
  if (typeof text !== 'string' || typeof signature !== 'string') return null;
  if (Buffer.byteLength(text) > PRESENCE_MAX_BYTES || signature.length > SIGNATURE_MAX_BYTES) return null;
  return { text, signature };
}

function parseObject(text: string, maxLength: number): Record<string, unknown> | null {
  if (text.length > maxLength) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** What a presence of another machine says about it. */
export interface Machine extends Contender {
  readonly heartbeatMs: number;
}

/** null when the text is no presence. */
export function machineOf(signed: SignedPresence | null): Machine | null {
  const parsed = signed === null ? null : parsePresence(signed.text);
  return parsed?.ok ? pick(parsed.presence) : null;
}

function pick({ id, bootId, addresses, clock, heartbeatMs }: Presence): Machine {
  return { id, bootId, addresses, clock, heartbeatMs };
}

export const unknownMachine: Contender = { id: 'unknown', bootId: 'unknown', addresses: [], clock: 0 };

export function contenderOf(machine: Machine | null): Contender {
  if (machine === null) return unknownMachine;
  const { id, bootId, addresses, clock } = machine;
  return { id, bootId, addresses, clock };
}

/** These change with every heartbeat. */
const BEATING = /^ "(?:sequence|clock|freeBytes)": .*$/gm;

/** Does it say no more than that its host is still there? As far as text tells: a heartbeat that is taken for news costs a reading. */
export function isHeartbeat(before: string, after: string): boolean {
  return before.replace(BEATING, '') === after.replace(BEATING, '');
}

/** Makes a repeat known as such: with the same id nothing is stored twice. The text tells a copy of the machine from the machine. */
export function messageId(id: string, { sequence, presence }: Transition): string {
  return `${id}-${sequence}-${digestOfValue(presence.text).slice(0, 8)}`;
}
