/** One finding of the doctor, and the words in it. */

export interface Finding {
  /** Stable, for scripts: `git`, `heartbeat`, `remote it`, ... */
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'fail';
  /** What is so. Escaped. */
  readonly found: string;
  /** What should be so; null when it is. */
  readonly expected: string | null;
  /** What to do; null when nothing is to be done. */
  readonly hint: string | null;
}

export function good(check: string, found: string): Finding {
  return { check, status: 'ok', found, expected: null, hint: null };
}

export function bad(
  status: 'warn' | 'fail',
  check: string,
  words: { readonly found: string; readonly expected: string; readonly hint: string },
): Finding {
  return { check, status, ...words };
}

/** `45 s`, `3 min`, `5 h`, `12 d`: how long something is ago, rounded down. */
export function formatAge(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** ISO time in UTC without milliseconds. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
