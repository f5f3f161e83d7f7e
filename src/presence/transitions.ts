/** PURE: what happened on a host since its last presence that people want to read about later. One line for each. */
import { shortId } from '../model/ids.ts';
import type { Presence, PresenceRepo, PresenceTrouble } from '../model/presence.ts';
import { printable } from '../model/printable.ts';
import type { Run, RunResult } from '../model/run.ts';

/** A presence without what each one has anew. */
export type PresenceContent = Omit<Presence, 'sequence' | 'clock' | 'conflict'>;

export interface EndedRun extends Run {
  readonly result: RunResult;
}

export interface Happening {
  readonly subject: string;
  /** The run whose output belongs to it; null for anything but a run that failed. */
  readonly failed: EndedRun | null;
}

export const SUBJECT_MAX = 200;

/**
 * @param before null: this is the first presence of the host.
 * @param ended Runs that ended since, oldest first.
 * @param isNewPlace It is published where nothing of this host is yet.
 */
export function decideHappenings(
  before: PresenceContent | null,
  now: PresenceContent,
  ended: readonly EndedRun[],
  isNewPlace = false,
): Happening[] {
  const several = now.repos.length > 1;
  const told = ended.filter((run, n) => isNews(run, previousOutcome(before, ended.slice(0, n), run)));
  const runs = told.map((run) => ({
    subject: line(describeRun(run, several)),
    failed: run.result.outcome === 'ok' ? null : run,
  }));
  const others = [
    ...describeArrival(before, now, isNewPlace),
    ...(before === null ? [] : describeAgent(before, now)),
    ...describeTroubles(before?.repos ?? [], now.repos),
  ];
  return [...runs, ...[...others, ...describeState(before, now)].map((text) => plain(text))];
}

function plain(text: string): Happening {
  return { subject: line(text), failed: null };
}

function line(text: string): string {
  return printable(text, SUBJECT_MAX - 3);
}

/** What runs at every look would drown everything else: only its failures, and that it succeeds again, are news. */
function isNews(run: EndedRun, before: string | null): boolean {
  if (run.intent.reason !== 'look') return true;
  return run.result.outcome !== (before ?? 'ok');
}

function previousOutcome(
  before: PresenceContent | null,
  earlier: readonly EndedRun[],
  run: EndedRun,
): string | null {
  const isSame = (repo: string, name: string) => repo === run.intent.repo && name === run.intent.action;
  const last = earlier.findLast(({ intent }) => isSame(intent.repo, intent.action));
  if (last !== undefined) return last.result.outcome;
  return before?.actions.find(({ repo, name }) => isSame(repo, name))?.outcome ?? null;
}

/** `shop ok at 3f2a91c in 3.2 s`, `shop failed (exit code 1) at 3f2a91c in 3.2 s, attempt 2`. */
function describeRun({ intent, result }: EndedRun, several: boolean): string {
  const name = several ? `${intent.repo}/${intent.action}` : intent.action;
  const undo = intent.purpose === 'undo' ? 'undo of ' : '';
  const code =
    result.outcome === 'failed' && result.exitCode !== null ? ` (exit code ${result.exitCode})` : '';
  const took = formatTook(result.endedAt - intent.startedAt);
  const attempt = intent.attempt > 1 ? `, attempt ${intent.attempt}` : '';
  return `${undo}${name} ${result.outcome}${code} at ${shortId(intent.commit)} in ${took}${attempt}`;
}

function formatTook(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** The first line of each branch. */
function describeArrival(
  before: PresenceContent | null,
  now: PresenceContent,
  isNewPlace: boolean,
): string[] {
  const here = `here, with pullyu ${now.agent}`;
  if (before !== null && before.host !== now.host) return [`${here}, before as ${before.host}`];
  return before === null || isNewPlace ? [here] : [];
}

function describeAgent(before: PresenceContent, now: PresenceContent): string[] {
  const news: string[] = [];
  if (before.agent !== now.agent) news.push(`pullyu ${now.agent}, before ${before.agent}`);
  if (before.bootId !== now.bootId) news.push('the machine was started');
  return news;
}

function describeTroubles(before: readonly PresenceRepo[], now: readonly PresenceRepo[]): string[] {
  const names = new Set([...now, ...before].map((repo) => repo.name));
  return [...names].flatMap((name) => {
    const old = troubleIn(before, name);
    const current = troubleIn(now, name);
    if (old?.code === current?.code) return [];
    return [
      ...(old === null ? [] : [`${name}: over: ${old.code}`]),
      ...(current === null ? [] : [`${name}: ${current.code}: ${current.message}`]),
    ];
  });
}

function troubleIn(repos: readonly PresenceRepo[], name: string): PresenceTrouble | null {
  return repos.find((repo) => repo.name === name)?.trouble ?? null;
}

function describeState(before: PresenceContent | null, now: PresenceContent): string[] {
  const state = before?.state ?? 'working';
  if (state === now.state) return [];
  // A run that ended says it already.
  if (now.state === 'working' && state === 'busy') return [];
  const reason = now.reason === null ? '' : `: ${now.reason}`;
  return [now.state === 'working' ? `working again, no longer ${state}` : `${now.state}${reason}`];
}

/** Does it say anything that the other does not? Free space and the like come with the next heartbeat. */
export function isSameContent(a: PresenceContent, b: PresenceContent): boolean {
  return essence(a) === essence(b);
}

/** Do presence triggers see the same machine in both? */
export function isSameMachine(a: PresenceContent, b: PresenceContent): boolean {
  const machine = ({ labels, addresses, facts }: PresenceContent) =>
    JSON.stringify([labels, addresses, facts]);
  return machine(a) === machine(b);
}

function essence(content: PresenceContent): string {
  return JSON.stringify({ ...content, freeBytes: null, actions: content.actions.map(lasting) });
}

/** An action of every look ends anew at every look. */
function lasting({ endedAt, commit, ...action }: PresenceContent['actions'][number]) {
  return action.outcome === 'ok' ? action : { ...action, endedAt, commit };
}
