/** What `watch` shows: in place on a terminal, elsewhere a line for each change, or JSON, one object a line. */
import type { ExitCode } from '../errors.ts';
import { EXIT } from '../errors.ts';
import { formatAge } from '../fleet/age.ts';
import { totalsOf } from '../fleet/picture-fleet.ts';
import type { ConcernedHost, HostProgress, Progress } from '../fleet/progress.ts';
import type { FleetHost, FleetState } from '../model/fleet.ts';
import { shortId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import { formatTime } from '../plan/sentence.ts';
import type { CommandContext } from './context.ts';
import type { FleetCommit } from './fleet-commit.ts';
import { iso, progressJson } from './fleet-json.ts';
import {
  formatFleet,
  formatNotThere,
  formatProgress,
  formatTotals,
  notThere,
  PROGRESS_WORDS,
  paintOf,
  progressRow,
} from './fleet-view.ts';
import { createRedraw } from './redraw.ts';
import { formatTable } from './terminal.ts';

export interface Show {
  /** Something that is to be said once. */
  note(text: string): void;
}

export interface ProgressShow extends Show {
  progress(progress: Progress): void;
  end(progress: Progress, exit: ExitCode): void;
}

export interface FleetShow extends Show {
  fleet(hosts: readonly FleetHost[]): void;
}

/** Lines of the screen for what is around the hosts. */
const AROUND = 4;
/** Of notes on a screen; the newest stay. */
const NOTES_SHOWN = 3;

export function createProgressShow(
  expected: FleetCommit,
  json: boolean,
  context: CommandContext,
): ProgressShow {
  if (json) return jsonProgress(expected, context);
  return context.out.isTerminal ? liveProgress(expected, context) : plainProgress(expected, context);
}

export function createFleetShow(store: string, json: boolean, context: CommandContext): FleetShow {
  if (json) return jsonFleet(context);
  return context.out.isTerminal ? liveFleet(store, context) : plainFleet(context);
}

function liveProgress(expected: FleetCommit, { out, clock }: CommandContext): ProgressShow {
  const { draw } = createRedraw(out);
  const begun = clock.monotonic();
  const notes = createNotes();
  const head = (progress: Progress) => {
    return `${out.bold(shortId(expected.commit))} of ${printable(expected.repo)}: ${formatProgress(progress, out)} ${out.dim(formatAge(clock.monotonic() - begun))}`;
  };
  const lines = (progress: Progress, rows: number) => [
    head(progress),
    bar(progress, Math.min(60, out.columns - 2))
      .map((part) => paintOfProgress(part.progress, out)(part.text))
      .join(''),
    ...formatNotThere(progress, out, rows),
    ...notes.lines().map(out.dim),
  ];
  return {
    note: notes.add,
    progress: (progress) => draw(lines(progress, Math.max(1, out.rows - AROUND - notes.lines().length))),
    end(progress, exit) {
      draw([
        ...lines(progress, Math.max(1, out.rows - AROUND - 1 - notes.lines().length)),
        endLine(progress, expected, exit),
      ]);
    },
  };
}

const BAR: readonly [HostProgress, string][] = [
  ['there', '#'],
  ['failed', 'x'],
  ['silent', '?'],
  ['waiting', '.'],
];

/** As wide as its share; whoever is there at all has at least one. */
function bar({ totals }: Progress, width: number): { progress: HostProgress; text: string }[] {
  const scale = totals.concerned === 0 ? 0 : Math.min(1, width / totals.concerned);
  return BAR.filter(([progress]) => totals[progress] > 0).map(([progress, sign]) => ({
    progress,
    text: sign.repeat(Math.max(1, Math.round(totals[progress] * scale))),
  }));
}

function paintOfProgress(progress: HostProgress, out: CommandContext['out']) {
  if (progress === 'there') return out.green;
  return progress === 'waiting' ? out.yellow : out.red;
}

function endLine({ totals }: Progress, { commit }: FleetCommit, exit: ExitCode): string {
  const missing = totals.concerned - totals.there;
  const hosts = (count: number) => (count === 1 ? '1 host' : `${count} hosts`);
  switch (exit) {
    case EXIT.ok:
      if (totals.concerned === 0) return `done: ${shortId(commit)} concerns no host`;
      return missing === 0
        ? `done: ${shortId(commit)} is on ${totals.concerned === 1 ? 'the host' : `all ${totals.concerned} hosts`} that it concerns`
        : `done: ${shortId(commit)} is on ${hosts(totals.there)}; ${missing} silent, not waited for`;
    case EXIT.failed:
      return `failed: ${shortId(commit)} failed on ${hosts(totals.failed)}`;
    case EXIT.timedOut:
      return `timed out: ${shortId(commit)} is not on ${hosts(missing)}`;
    default:
      return `interrupted: ${shortId(commit)} is not on ${hosts(missing)} yet`;
  }
}

function plainProgress(expected: FleetCommit, { out, clock }: CommandContext): ProgressShow {
  const before = new Map<string, string>();
  const say = (text: string) => out.line(`${formatTime(clock.now())} ${text}`);
  let isFirst = true;
  return {
    note: (text) => out.notice(`note: ${printable(text, 400)}`),
    progress(progress) {
      const changed = progress.concerned.filter((one) => stampOf(one) !== before.get(one.name));
      for (const one of progress.concerned) before.set(one.name, stampOf(one));
      if (isFirst)
        say(`${shortId(expected.commit)} of ${printable(expected.repo)}: ${formatProgress(progress, out)}`);
      for (const one of isFirst ? notThere(progress) : changed) say(changeLine(one));
      if (!isFirst && changed.length > 0) say(formatProgress(progress, out));
      isFirst = false;
    },
    end(progress, exit) {
      say(endLine(progress, expected, exit));
      if (exit !== EXIT.ok && exit !== EXIT.interrupted)
        for (const line of formatTable(notThere(progress).map((one) => progressRow(one, out))))
          out.line(line);
    },
  };
}

/** A reason that only counts minutes is no change: how far it is, where it is, and what failed. */
function stampOf({ progress, reason, host }: ConcernedHost): string {
  const { state, repos } = host;
  const at = repos.map(({ applied }) => applied).join(' ');
  return JSON.stringify([progress, state, at, progress === 'failed' ? reason : null]);
}

function changeLine({ name, progress, reason }: ConcernedHost): string {
  const why = reason === null ? '' : `: ${reason}`;
  return `${printable(name, 64)} ${PROGRESS_WORDS[progress]}${progress === 'there' ? '' : why}`;
}

function jsonProgress(expected: FleetCommit, { out, clock }: CommandContext): ProgressShow {
  let before = '';
  const say = (value: object) => out.line(JSON.stringify(value));
  const current = (progress: Progress) => ({
    ...progressJson(expected.commit, expected.repo, progress),
    reasons: Object.fromEntries(notThere(progress).map(({ name, reason }) => [name, reason ?? ''])),
  });
  return {
    note: (text) => out.notice(`note: ${printable(text, 400)}`),
    progress(progress) {
      const stamp = JSON.stringify(progress.concerned.map((one) => [one.name, stampOf(one)]));
      if (stamp !== before)
        say({ type: 'progress', at: iso(clock.now()), verdict: null, ...current(progress) });
      before = stamp;
    },
    end(progress, exit) {
      say({ type: 'end', at: iso(clock.now()), verdict: VERDICTS[exit] ?? 'failed', ...current(progress) });
    },
  };
}

const VERDICTS: Readonly<Partial<Record<ExitCode, string>>> = {
  [EXIT.ok]: 'done',
  [EXIT.failed]: 'failed',
  [EXIT.timedOut]: 'timed-out',
  [EXIT.interrupted]: 'interrupted',
};

function liveFleet(store: string, { out, clock }: CommandContext): FleetShow {
  const { draw } = createRedraw(out);
  const notes = createNotes();
  return {
    note: notes.add,
    fleet(hosts) {
      const rows = Math.max(1, out.rows - AROUND - notes.lines().length);
      const none = [`no host has published anything yet (${printable(store)})`];
      draw([
        ...(hosts.length === 0 ? none : [formatTotals(hosts, out)]),
        ...formatFleet(hosts, out, { now: clock.now(), rows }),
        ...notes.lines().map(out.dim),
      ]);
    },
  };
}

function plainFleet({ out, clock }: CommandContext): FleetShow {
  const say = (text: string) => out.line(`${formatTime(clock.now())} ${text}`);
  const changes = createChanges();
  let isFirst = true;
  return {
    note: (text) => out.notice(`note: ${printable(text, 400)}`),
    fleet(hosts) {
      const changed = changes(hosts);
      if (isFirst) say(formatTotals(hosts, out));
      for (const { host } of changed) {
        if (isFirst && host.state === 'working') continue;
        const why = host.reason === null ? '' : `: ${host.reason}`;
        say(`${printable(host.name, 64)} ${paintOf(host.state, out)(host.state)}${why}`);
      }
      if (!isFirst && changed.length > 0) say(formatTotals(hosts, out));
      isFirst = false;
    },
  };
}

function jsonFleet({ out, clock }: CommandContext): FleetShow {
  const changes = createChanges();
  return {
    note: (text) => out.notice(`note: ${printable(text, 400)}`),
    fleet(hosts) {
      for (const { host, before } of changes(hosts)) {
        const { name, state, reason } = host;
        out.line(
          JSON.stringify({
            type: 'host',
            at: iso(clock.now()),
            name,
            state,
            before,
            reason,
            totals: totalsOf(hosts),
          }),
        );
      }
    },
  };
}

/** Hosts whose state is another one than at the last call, with the state before; null for a host that is new. */
function createChanges() {
  let known = new Map<string, FleetState>();
  return (hosts: readonly FleetHost[]) => {
    const changed = hosts.flatMap((host) => {
      const before = known.get(host.name) ?? null;
      return before === host.state ? [] : [{ host, before }];
    });
    known = new Map(hosts.map((host) => [host.name, host.state]));
    return changed;
  };
}

function createNotes() {
  const notes: string[] = [];
  return {
    add: (text: string) => void notes.push(`note: ${printable(text, 400)}`),
    lines: () => notes.slice(-NOTES_SHOWN),
  };
}
