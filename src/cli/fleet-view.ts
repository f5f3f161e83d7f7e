/** The fleet for people: one screen, who needs somebody first. */
import { formatAge } from '../fleet/age.ts';
import { FLEET_STATES, totalsOf } from '../fleet/picture-fleet.ts';
import type { ConcernedHost, HostProgress, Progress } from '../fleet/progress.ts';
import type { FleetHost, FleetState } from '../model/fleet.ts';
import { shortId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import { formatTable, type Paint, type Terminal } from './terminal.ts';

export interface ViewOptions {
  readonly now: number;
  /** Lines that there are for the table; more are counted, not shown. */
  readonly rows: number;
  /** How to see those that do not fit. */
  readonly hint?: string;
}

/** `13 hosts: 1 silent, 1 failed, 11 working`. */
export function formatTotals(hosts: readonly FleetHost[], out: Terminal): string {
  const totals = totalsOf(hosts);
  const counts = FLEET_STATES.filter((state) => totals[state] > 0).map((state) =>
    paintOf(state, out)(`${totals[state]} ${state}`),
  );
  const all = totals.all === 1 ? '1 host' : `${totals.all} hosts`;
  return counts.length === 0 ? all : `${all}: ${counts.join(', ')}`;
}

export function formatFleet(hosts: readonly FleetHost[], out: Terminal, o: ViewOptions): string[] {
  const shown = hosts.length <= o.rows ? hosts : hosts.slice(0, Math.max(1, o.rows - 1));
  const lines = formatTable(shown.map((host) => fleetRow(host, out, o.now)));
  const hidden = hosts.slice(shown.length);
  if (hidden.length === 0) return lines;
  const totals = totalsOf(hidden);
  const rest = FLEET_STATES.filter((state) => totals[state] > 0).map((state) => `${totals[state]} ${state}`);
  return [...lines, out.dim(`${rest.join(', ')} more${o.hint ?? ''}`)];
}

function fleetRow(host: FleetHost, out: Terminal, now: number): string[] {
  const { name, state, lastContactAt, reason } = host;
  return [
    paintOf(state, out)(state),
    out.bold(printable(name, 64)),
    formatCommits(host),
    lastContactAt === null ? 'never' : `${formatAge(now - lastContactAt)} ago`,
    out.dim(reason ?? ''),
  ];
}

const REPOS_SHOWN = 3;

/** `it 3f2a91c, lib 9b1c2d3`: what each repo is at. */
export function formatCommits({ repos }: FleetHost): string {
  const each = repos.map(
    ({ name, applied }) => `${printable(name, 64)} ${applied === null ? '-' : shortId(applied)}`,
  );
  const more = each.length > REPOS_SHOWN ? [`${each.length - REPOS_SHOWN} more`] : [];
  return [...each.slice(0, REPOS_SHOWN), ...more].join(', ') || '-';
}

const GRAVE: ReadonlySet<FleetState> = new Set([
  'silent',
  'absent',
  'conflicting',
  'forged',
  'stranger',
  'wedged',
  'failed',
]);

export function paintOf(state: FleetState, out: Terminal): Paint {
  if (state === 'working') return out.green;
  return GRAVE.has(state) ? out.red : out.yellow;
}

export const PROGRESS_WORDS: Readonly<Record<HostProgress, string>> = {
  failed: 'failed',
  silent: 'silent',
  waiting: 'on its way',
  there: 'there',
};

/** `4 of 6 hosts there, 1 failed, 1 on its way`. */
export function formatProgress({ totals }: Progress, out: Terminal): string {
  const { concerned, there, failed, silent, waiting } = totals;
  const hosts = concerned === 1 ? '1 host' : `${concerned} hosts`;
  return [
    (there === concerned ? out.green : out.bold)(`${there} of ${hosts} there`),
    ...(failed > 0 ? [out.red(`${failed} failed`)] : []),
    ...(silent > 0 ? [out.red(`${silent} silent`)] : []),
    ...(waiting > 0 ? [out.yellow(`${waiting} on ${waiting === 1 ? 'its' : 'their'} way`)] : []),
  ].join(', ');
}

const PROGRESS_ORDER: readonly HostProgress[] = ['failed', 'silent', 'waiting'];

/** Those that are not there, failed ones first. */
export function notThere({ concerned }: Progress): ConcernedHost[] {
  return PROGRESS_ORDER.flatMap((progress) => concerned.filter((host) => host.progress === progress));
}

export function progressRow(one: ConcernedHost, out: Terminal): string[] {
  const paint = one.progress === 'waiting' ? out.yellow : one.progress === 'there' ? out.green : out.red;
  return [
    paint(PROGRESS_WORDS[one.progress]),
    out.bold(printable(one.name, 64)),
    formatCommits(one.host),
    out.dim(one.reason ?? ''),
  ];
}

/** The first `rows` of them, and how many more. */
export function formatNotThere(progress: Progress, out: Terminal, rows: number): string[] {
  const all = notThere(progress);
  const shown = all.length <= rows ? all : all.slice(0, Math.max(1, rows - 1));
  const lines = formatTable(shown.map((one) => progressRow(one, out)));
  return all.length === shown.length ? lines : [...lines, out.dim(`${all.length - shown.length} more`)];
}
