/** Identifiers. Branded, so that one can never be passed for another. */

/** A full git object id of a commit: 40 (SHA-1) or 64 (SHA-256) lower-case hex digits. */
export type CommitId = string & { readonly __brand: 'CommitId' };

/** The stable identity of a host: 26 lower-case base32 characters, made once at bootstrap. */
export type HostId = string & { readonly __brand: 'HostId' };

/** One run: sorts by start time, unique on the host, safe as a file name. */
export type RunId = string & { readonly __brand: 'RunId' };

const COMMIT_ID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

export function isCommitId(text: string): text is CommitId {
  return COMMIT_ID.test(text);
}

/** @throws TypeError when `text` is not a full commit id. For values that are known to be one. */
export function commitId(text: string): CommitId {
  if (!isCommitId(text)) {
    throw new TypeError(`expected a full commit id (40 or 64 hex digits), got "${text.slice(0, 80)}"`);
  }
  return text;
}

/** The short form that people read. Never stored and never part of JSON output. */
export function shortId(id: string): string {
  return id.slice(0, 7);
}
