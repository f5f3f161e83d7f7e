/**
 * The end of a log before it is published: what looks like a secret becomes `***`, and nothing of it can move a terminal. Made for logs of
 * scripts that were never meant to be read elsewhere, so it rather takes away too much. It is a net, not a promise: docs say so.
 *
 * Its time grows with the length of the text only: every quantifier has a bound, and a text is cut before it is looked at.
 */
import { printable } from '../model/printable.ts';
import { hidePrivateKeys } from './redact-keys.ts';
import { RULES } from './redact-rules.ts';

export const LOG_MAX_BYTES = 64 * 1024;
const HIDDEN = '***';
/** Shorter ones are in every text. */
const SECRET_MIN_LENGTH = 6;
const SECRETS_MAX = 200;
/** Of several lines each counts. */
const FORMS_MAX = 1_000;

/** Names of variables whose values are hidden wherever they stand. */
const SECRET_NAME =
  /pass|pwd|secret|token|credential|cookie|auth|(?:api|access|private|signing|encryption|license)_?key|_key$|^key$|_dsn$|database_url/i;

/** The values of variables that by their names are secrets; for `redactLog`. */
export function secretValues(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && SECRET_NAME.test(name) ? [value] : [],
  );
}

/**
 * @param text Only its last `LOG_MAX_BYTES` are used. Escaped by `outputTail` or not.
 * @param secrets Hidden wherever they stand, also in base64 and as part of a URL; those of fewer than six characters are not.
 * @returns At most `LOG_MAX_BYTES` as UTF-8; line ends and tabs stay.
 */
export function redactLog(text: string, secrets: readonly string[] = []): string {
  const plain = withoutColours(lastBytes(text));
  const hidden = hidePrivateKeys(hideValues(plain, secrets), HIDDEN);
  const redacted = RULES.reduce((found, { pattern, by }) => found.replace(pattern, by), hidden);
  return lastBytes(redacted.split('\n').map(harmlessLine).join('\n'));
}

/** A colour in the middle of a token would hide it from every rule. */
function withoutColours(text: string): string {
  return (
    text
      .replace(/\r+\n/g, '\n')
      .replace(/\r/g, '\n')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape of a terminal, or how `outputTail` shows it.
      .replace(/(?:\u001b|\\x1b)\[[0-9;:?]{0,32}[A-Za-z]/g, '')
  );
}

function hideValues(text: string, secrets: readonly string[]): string {
  const forms = secrets
    .filter((secret) => secret.length >= SECRET_MIN_LENGTH)
    .slice(0, SECRETS_MAX)
    .flatMap((secret) => [
      secret,
      ...secret.split('\n'),
      Buffer.from(secret).toString('base64'),
      inUrl(secret),
    ])
    .filter((form) => form.length >= SECRET_MIN_LENGTH);
  // The longest first: one may be part of another.
  const ordered = [...new Set(forms)].slice(0, FORMS_MAX).sort((a, b) => b.length - a.length);
  return ordered.reduce((found, form) => found.replaceAll(form, HIDDEN), text);
}

function inUrl(secret: string): string {
  return encodeURIComponent(Buffer.from(secret).toString());
}

function harmlessLine(line: string): string {
  return line
    .split('\t')
    .map((part) => printable(part, LOG_MAX_BYTES))
    .join('\t');
}

/** From the beginning of a line, where there is one in the first half; never half a character. */
function lastBytes(text: string): string {
  if (text.length <= LOG_MAX_BYTES && Buffer.byteLength(text) <= LOG_MAX_BYTES) return text;
  let bytes = Buffer.from(text.slice(-LOG_MAX_BYTES));
  bytes = bytes.subarray(Math.max(0, bytes.length - LOG_MAX_BYTES));
  const newline = bytes.indexOf(10);
  if (newline !== -1 && newline < bytes.length / 2) return bytes.toString('utf8', newline + 1);
  let start = 0;
  while (start < 4 && (bytes[start]! & 0xc0) === 0x80) start += 1;
  return bytes.toString('utf8', start);
}
