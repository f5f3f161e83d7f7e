/** No server may send us away for longer. */
const LONGEST_MS = 24 * 3_600_000;

/**
 * The header Retry-After: seconds, or an HTTP date, which is compared with `now` (milliseconds since 1970).
 * @returns milliseconds to wait, between 0 and one day; null when there is none that can be understood.
 */
export function parseRetryAfter(value: string | undefined, now: number): number | null {
  if (value === undefined) return null;
  const text = value.trim();
  if (/^\d{1,15}$/.test(text)) return Math.min(Number(text) * 1000, LONGEST_MS);
  if (!/^[A-Za-z]{3,9},? /.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.min(Math.max(at - now, 0), LONGEST_MS);
}
