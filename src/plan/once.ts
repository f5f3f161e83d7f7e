import { printable } from '../model/printable.ts';
import type { Outcome } from '../model/run.ts';
import { formatEnd } from './sentence.ts';
import {
  type EndedRun,
  isCatchUpFingerprint,
  isEnded,
  neverBegan,
  type Situation,
  standingSuccess,
} from './situation.ts';
import { rests, type Verdict } from './verdict.ts';

/** For an action of `kind: once` whose fingerprint was started before: why it does not start again. Null: it never was. */
export function decideOnce(s: Situation): Verdict | null {
  const outcome = outcomeOn(s);
  if (outcome === null) return null;
  const redo = `"pullyu redo ${printable(s.action.name)}"`;
  if (outcome === 'ok') {
    if (standingSuccess(s.memory) !== null) {
      return rests('current', 'rests, it was done for this content and is done once');
    }
    return rests(
      'parked',
      `is parked, it was undone since it was done, and is done once; ${redo} starts it again`,
    );
  }
  if (outcome === 'interrupted' || outcome === 'superseded') {
    const look = `look at the host, then ${redo} if it was not done`;
    return rests('unknown', `is unknown, its only run was cut off and may have done its work; ${look}`);
  }
  const last = s.memory?.lastRun;
  const end = isEnded(last) && last.intent.fingerprint === s.fingerprint ? formatEnd(last) : 'failed';
  return rests('parked', `is parked, its only run ${end} and it is started once; ${redo} starts it again`);
}

/** How the work run on this fingerprint ended; null when there was none. */
function outcomeOn(s: Situation): Outcome | null {
  const { memory, fingerprint } = s;
  if (memory === null) return null;
  for (const run of [memory.lastRun, memory.lastSuccess]) {
    if (!isEnded(run) || neverBegan(run)) continue;
    if (run.intent.fingerprint === fingerprint || isSameCommit(s, run)) return run.result.outcome;
  }
  const starts = memory.onceStarts;
  // Open without being the last run cannot be; if it is, nobody knows how it ended.
  return starts?.has(fingerprint) ? (starts.get(fingerprint) ?? 'interrupted') : null;
}

/** The same commit, run once as the last of several to catch up with and now as one in the middle, or the reverse. */
function isSameCommit(s: Situation, { intent }: EndedRun): boolean {
  if (intent.purpose !== 'work' || intent.commit !== s.commit) return false;
  return isCatchUpFingerprint(s.fingerprint) || isCatchUpFingerprint(intent.fingerprint);
}
