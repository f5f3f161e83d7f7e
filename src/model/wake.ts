import { type CommitId, isCommitId } from './ids.ts';

/** A hint that a repo has something new: look now. Losing one costs at most an interval. */
export interface Wake {
  /** As the hosts call it in their host.yaml. */
  readonly repo: string;
  /** Which ref moved: `main`, `refs/heads/main`, `refs/tags/v1`; null: not said. */
  readonly ref: string | null;
  /** Where it moved to; null: not said. */
  readonly commit: CommitId | null;
}

/** Of a wake as it is sent, in bytes: what is larger is none. */
export const WAKE_MAX_BYTES = 1024;

const REF = /^[A-Za-z0-9_][A-Za-z0-9_./+@{}#=-]{0,239}$/;

export function isWakeRef(text: string): boolean {
  return REF.test(text);
}

export function formatWake({ ref, commit }: Wake): string {
  return JSON.stringify({ ref, commit });
}

/** Hostile text. @param repo By the subject on which it came. @returns null: it is no wake. */
export function parseWake(repo: string, text: string): Wake | null {
  if (text.length > WAKE_MAX_BYTES) return null;
  // Whoever sends from a script may leave out what it says.
  if (text.trim() === '') return { repo, ref: null, commit: null };
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return null;
  const { ref = null, commit = null } = found as Record<string, unknown>;
  if (ref !== null && !(typeof ref === 'string' && isWakeRef(ref))) return null;
  if (commit !== null && !(typeof commit === 'string' && isCommitId(commit))) return null;
  return { repo, ref, commit };
}
