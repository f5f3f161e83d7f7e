/** Which texts a presence may hold, for the host that writes it and for everybody who reads it. */
import { isIP } from 'node:net';
import { printable } from '../model/printable.ts';

export const ADDRESSES_MAX = 16;
export const FACTS_MAX = 32;

/** Longest texts, in UTF-16 units. */
export const LENGTH_MAX = {
  label: 1024,
  fact: 256,
  /** Reasons and messages of troubles. */
  sentence: 1000,
  version: 64,
  bootId: 128,
} as const;

const PLAIN = /^[\x20-\x7e]*$/;
/** The same as `printable` escapes: control characters, line ends, what turns the reading direction or is invisible. */
const HARMFUL = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const FACT_KEY = /^[A-Za-z0-9_.-]{1,64}$/;
const LABEL_KEY = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,255}$/;

export function isHarmless(text: string): boolean {
  return PLAIN.test(text) || !HARMFUL.test(text);
}

/** Escaped and cut, so that readers take it. */
export function fitText(text: string, maxLength: number): string {
  if (text.length <= maxLength && isHarmless(text)) return text;
  const cut = printable(text, maxLength);
  if (cut.length <= maxLength) return cut;
  const end = cut.charCodeAt(maxLength - 4);
  // Never half a character.
  return `${cut.slice(0, maxLength - (end >= 0xd800 && end < 0xdc00 ? 4 : 3))}...`;
}

/** `__proto__` is a name like any other until somebody copies it into an object. */
export function isFactKey(key: string): boolean {
  return FACT_KEY.test(key) && key !== '__proto__';
}

export function isLabelKey(key: string): boolean {
  return LABEL_KEY.test(key);
}

/** Without a zone: that has a meaning on its own host only. */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%');
}
