/** `pullyu fleet`: every host on one screen, those that need somebody first. */
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { type Progress, progressOf } from '../fleet/progress.ts';
import type { FleetHost } from '../model/fleet.ts';
import { shortId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import type { CommandContext } from './context.ts';
import { type FleetAccess, type FleetAccessOptions, withFleet } from './fleet-access.ts';
import { type FleetCommit, findFleetCommit } from './fleet-commit.ts';
import { showHost } from './fleet-host.ts';
import { fleetJson, progressJson } from './fleet-json.ts';
import { formatFleet, formatNotThere, formatProgress, formatTotals } from './fleet-view.ts';
import { clip } from './terminal.ts';

export interface FleetCommandOptions extends FleetAccessOptions {
  readonly expect?: string;
  readonly repo?: string;
  readonly all?: boolean;
  readonly lines: number;
  readonly json?: boolean;
}

/** Lines of a screen that are not the table's: the prompt above and below, the totals. */
const OTHER_LINES = 4;

export function runFleet(
  name: string | undefined,
  options: FleetCommandOptions,
  context: CommandContext,
): Promise<ExitCode> {
  if (name !== undefined && options.expect !== undefined)
    throw new PullyuError('usage', 'expected a HOST or --expect, found both');
  return withFleet(options, context, async (fleet) => {
    const hosts = await fleet.read();
    if (name !== undefined) return showHost(name, hosts, options, fleet, context);
    if (options.expect !== undefined) return showExpected(options.expect, hosts, options, fleet, context);
    if (options.json) context.out.json(fleetJson(hosts, null));
    else showFleet(hosts, options, fleet, context);
    return EXIT.ok;
  });
}

function showFleet(
  hosts: readonly FleetHost[],
  options: FleetCommandOptions,
  { reader }: FleetAccess,
  { out, clock }: CommandContext,
): void {
  if (hosts.length === 0) {
    const whom = Object.keys(options.label ?? {}).length === 0 ? 'no host' : 'no host with these labels';
    out.line(`${whom} has published anything yet (${printable(reader.name)})`);
    return;
  }
  out.line(formatTotals(hosts, out));
  const rows =
    options.all || !out.isTerminal ? Number.POSITIVE_INFINITY : Math.max(5, out.rows - OTHER_LINES);
  for (const line of formatFleet(hosts, out, { now: clock.now(), rows, hint: ': --all shows them' }))
    out.line(clip(line, out));
}

async function showExpected(
  text: string,
  hosts: readonly FleetHost[],
  options: FleetCommandOptions,
  fleet: FleetAccess,
  context: CommandContext,
): Promise<ExitCode> {
  const expected = await findFleetCommit(text, options.repo ?? null, hosts, fleet, context);
  const { out } = context;
  try {
    const progress = progressOf(hosts, await expected.describe(hosts));
    requireFollowers(progress, expected);
    const { commit, repo } = expected;
    if (options.json) out.json(fleetJson(hosts, progressJson(commit, repo, progress)));
    else {
      out.line(`${shortId(commit)} of ${printable(repo)}: ${formatProgress(progress, out)}`);
      for (const line of formatNotThere(progress, out, Number.POSITIVE_INFINITY)) out.line(clip(line, out));
    }
    for (const note of notesOf(expected)) out.notice(`note: ${note}`);
    return progress.totals.there === progress.totals.concerned ? EXIT.ok : EXIT.failed;
  } finally {
    expected.close();
  }
}

/** A repo that nobody follows is a slip of the pen, not a commit that concerns nobody. */
export function requireFollowers({ followers }: Progress, { repo }: FleetCommit): void {
  if (followers > 0) return;
  throw new PullyuError('failed', `expected hosts that follow ${printable(repo)}, found none`, {
    hint: '`pullyu fleet` shows who publishes there; --label may leave out too many',
  });
}

export function notesOf(expected: FleetCommit): string[] {
  const unknown = expected.unknown();
  if (unknown.length === 0) return [...expected.notes];
  const some = unknown.slice(0, 3).map(shortId).join(', ');
  return [
    ...expected.notes,
    `hosts are at ${some}, which this repository does not know: after a git fetch it can say whether ${shortId(expected.commit)} is in there`,
  ];
}
