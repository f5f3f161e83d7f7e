/** What people are told about the fleet. */

/** `chatty` is for those who want to read everything. */
export type NewsLevel = 'critical' | 'chatty';

export interface News {
  readonly level: NewsLevel;
  /** One line, printable: the whole message where there is room for one line only. */
  readonly text: string;
  /** Details, printable, at most `NEWS_LINES_MAX`. */
  readonly lines: readonly string[];
  /** Keys of what began and is told by this. */
  readonly begins: readonly string[];
  /** Keys of what is over: whatever was not sent yet about it is stale. */
  readonly ends: readonly string[];
  /** Milliseconds since 1970. */
  readonly at: number;
}

export const NEWS_LINES_MAX = 50;

/** What was told and lasts. Shared by all hosts that send. */
export type Told = Readonly<Record<string, number>>;

/** What differs from what was told, and since when (milliseconds since 1970). Every host has its own. */
export type Seen = Readonly<Record<string, { readonly is: boolean; readonly since: number }>>;

export interface NewsState {
  readonly version: 1;
  /** null: nobody has ever looked. */
  readonly told: Told | null;
  readonly seen: Seen;
}

export const noNews: NewsState = { version: 1, told: null, seen: {} };

/** null for what is none. Of a stranger: everybody who may push to the status repository may write it. */
export function parseTold(text: string): Told | null {
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value) || value.version !== 1 || !isRecord(value.told)) return null;
    const entries = Object.entries(value.told);
    const isWhole = entries.every(([key, at]) => isKey(key) && Number.isFinite(at));
    return isWhole ? (value.told as Told) : null;
  } catch {
    return null;
  }
}

export function formatTold(told: Told): string {
  const sorted = Object.fromEntries(Object.entries(told).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify({ version: 1, told: sorted }, null, 1)}\n`;
}

/** Words of names, commits and codes. */
function isKey(key: string): boolean {
  return key.length <= 300 && /^[a-z]+(?: [A-Za-z0-9._-]+){1,3}$/.test(key);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
