/**
 * Expected failures of the world are normal states with names. A trouble belongs to a repo (or to the host), begins,
 * lasts and ends; while it lasts it is visible, and it never stops the next look.
 */
export type TroubleCode =
  // reaching a remote
  | 'dns' // the name could not be resolved
  | 'unreachable' // refused, reset, no route
  | 'silent' // accepted, then nothing within the deadline
  | 'tls' // certificate expired, wrong name, unknown authority
  | 'auth-refused' // 401: credentials missing or not accepted
  | 'forbidden' // 403
  | 'not-found' // 404, or no such repository
  | 'slow-down' // 429 or 503, with or without Retry-After
  | 'server-error' // any other 5xx
  | 'redirected' // sent to another host; credentials were not taken along
  | 'not-git' // an answer that is not git's
  | 'empty-answer' // an empty or truncated answer: never "nothing there"
  | 'host-key' // ssh host key unknown or changed
  // what the remote holds
  | 'ref-missing' // the tracked ref is not there
  | 'rewritten' // the ref no longer descends from the last target
  | 'lagging' // this remote answers an older commit than is known
  // here
  | 'git-missing'
  | 'git-too-old'
  | 'disk-full'
  | 'read-only' // file system
  | 'no-permission'
  | 'clone-broken' // being healed or replaced
  | 'limit' // larger than a limit allows
  | 'hostile-tree' // an entry that is refused by name
  | 'config' // pullyu.yaml is broken: the last valid tree and actions stay
  | 'git-failed' // git said something that we do not know
  // of the status
  | 'identity-conflict'; // another machine publishes under this host's name

export interface Trouble {
  readonly code: TroubleCode;
  /** One sentence: what was expected, what was found. Escaped, redacted, without a URL's credentials. */
  readonly message: string;
  /** What to do; null when nothing is to be done but wait. */
  readonly hint: string | null;
  /** Which remote, when one is concerned. Without credentials. */
  readonly remote: string | null;
  /** Only for `slow-down`: how long the server asked us to wait. */
  readonly retryAfterMs: number | null;
}

/** A trouble that lasts: since when (milliseconds since 1970) and how often it was met in a row. */
export interface LastingTrouble extends Trouble {
  readonly since: number;
  readonly count: number;
}

export function trouble(
  code: TroubleCode,
  message: string,
  more: Partial<Omit<Trouble, 'code' | 'message'>> = {},
): Trouble {
  return { code, message, hint: null, remote: null, retryAfterMs: null, ...more };
}

/** Expected outcomes are values. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly trouble: Trouble };

export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function fail<T = never>(problem: Trouble): Result<T> {
  return { ok: false, trouble: problem };
}
