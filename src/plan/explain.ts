import { shortId } from '../model/ids.ts';
import type { ActionMemory, Step } from '../model/plan.ts';
import { printable } from '../model/printable.ts';
import type { FingerprintParts, RosterPart, Run } from '../model/run.ts';
import { presenceTriggers } from './presence-triggers.ts';
import { formatEnd, formatTime } from './sentence.ts';
import { standingSuccess } from './situation.ts';

/**
 * What `pullyu why ACTION` says: the sentences of its steps, what differs from its last success, how its last runs went, and
 * when it is tried next.
 * @param steps Those of one action, as the plan has them. None: the lines say that the plan has none.
 */
export function explainAction(steps: readonly Step[], memory: ActionMemory | null, now: number): string[] {
  const last = steps.at(-1);
  const sentences =
    steps.length === 0 ? ['The plan has no step for it.'] : steps.map((step) => step.sentence);
  return [
    ...sentences,
    ...(last === undefined || last.fingerprint === '' ? [] : explainParts(last, standingSuccess(memory))),
    `last success: ${formatRun(memory?.lastSuccess ?? null)}`,
    ...(memory?.lastRun && memory.lastRun.intent.id !== memory.lastSuccess?.intent.id
      ? [`last run: ${formatRun(memory.lastRun)}`]
      : []),
    ...explainCounts(memory),
    `next: ${explainNext(steps, now)}`,
  ];
}

const PARTS: readonly [Exclude<keyof FingerprintParts, 'roster'>, string][] = [
  ['content', 'content'],
  ['definition', 'definition'],
  ['labels', 'labels'],
];

function explainParts(step: Step, success: Run | null): string[] {
  if (step.purpose === 'undo') return [];
  return [
    ...PARTS.map(([part, name]) => explainPart(part, name, step, success)),
    ...explainRoster(step, success),
  ];
}

function explainPart(
  part: Exclude<keyof FingerprintParts, 'roster'>,
  name: string,
  step: Step,
  success: Run | null,
): string {
  const now = shortPart(step.parts[part]);
  if (success === null) return `${name}: ${now}, nothing to compare with`;
  const before = shortPart(success.intent.parts[part]);
  return now === before ? `${name}: ${now}, the same` : `${name}: ${now}, was ${before}`;
}

/** Only of an action with a presence trigger. */
function explainRoster(step: Step, success: Run | null): string[] {
  const now = step.parts.roster;
  if (step.definition === null || presenceTriggers(step.definition).length === 0) return [];
  if (now === undefined) return ['live hosts: not read yet'];
  const shown = `live hosts: ${shortId(now.digest)}${describeMembers(now)}`;
  if (success === null) return [`${shown}, nothing to compare with`];
  const before = success.intent.parts.roster;
  if (before?.digest === now.digest) return [`${shown}, the same`];
  return [
    before === undefined
      ? `${shown}, was none`
      : `${shown}, was ${shortId(before.digest)}${describeMembers(before)}`,
  ];
}

function describeMembers({ members, count }: RosterPart): string {
  if (members === null || members.length > 10) return ` (${count} hosts)`;
  return count === 0 ? ' (no host)' : ` (${members.map(([name]) => printable(name, 64)).join(', ')})`;
}

/** Digests are shown as commits are; the content of a commit to catch up with is that commit. */
function shortPart(digest: string): string {
  return shortId(digest.replace(/^commit:/, ''));
}

function formatRun(run: Run | null): string {
  if (run === null) return 'none';
  const { intent, result } = run;
  const what = intent.purpose === 'undo' ? 'undo' : `attempt ${intent.attempt}`;
  const head = `${intent.id}, ${what} at ${shortId(intent.commit)}, reason ${intent.reason}`;
  if (result === null) return `${head}, open since ${formatTime(intent.startedAt)}`;
  const note = result.note === null ? '' : ` (${printable(result.note)})`;
  return `${head}, ${formatEnd(run)} at ${formatTime(result.endedAt)}${note}`;
}

function explainCounts(memory: ActionMemory | null): string[] {
  if (memory === null || memory.attempts === 0) return [];
  const reboots = memory.reboots > 0 ? `, cut off by ${memory.reboots} restarts of the machine in a row` : '';
  return [`attempts in a row: ${memory.attempts}, failures that count: ${memory.failures}${reboots}`];
}

function explainNext(steps: readonly Step[], now: number): string {
  if (steps.some((step) => step.due)) return 'with the next look';
  const times = steps.flatMap((step) => step.notBefore ?? []);
  if (times.length > 0)
    return `not before ${formatTime(Math.max(now, Math.min(...times)))}, unless a new commit comes`;
  const [first] = steps;
  if (first?.reason === 'not-selected')
    return 'when the labels of this host, or the hosts of the action, change';
  if (first?.reason === 'waiting') {
    // It declares live hosts, and none were ever read.
    const needsRoster = first.definition !== null && presenceTriggers(first.definition).length > 0;
    const isUnread = needsRoster && first.parts.roster === undefined;
    return isUnread ? 'when the roster has been read' : 'when what it waits for has succeeded';
  }
  if (first?.reason === 'running') return 'decided when this run has ended';
  if (first?.reason === 'parked' || first?.reason === 'unknown')
    return 'when a human or a new commit decides it';
  return 'when something that it depends on changes';
}
