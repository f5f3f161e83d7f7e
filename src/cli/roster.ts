/**
 * `pullyu roster`: the hosts that a script may rely on, verified and not silent. On a host the agent's own list answers, when it is fresh;
 * in an action always, because that is the list that the agent decided by.
 */
import { readIdentity } from '../agent/identity.ts';
import { readRosterFile } from '../agent/roster-file.ts';
import { lockFile } from '../agent/session.ts';
import { readState } from '../agent/state-file.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { rosterOf } from '../fleet/roster.ts';
import { formatMember, parseTemplate } from '../fleet/roster-template.ts';
import { matchesSelector } from '../model/labels.ts';
import type { RosterMember } from '../model/presence.ts';
import { parseRoster } from '../model/roster.ts';
import { readFileOrNull } from '../system/files.ts';
import { readLockHolder } from '../system/lock.ts';
import { isAlive } from '../system/processes.ts';
import type { CommandContext } from './context.ts';
import { type FleetAccessOptions, withFleet } from './fleet-access.ts';
import { memberJson } from './fleet-json.ts';

export interface RosterOptions extends FleetAccessOptions {
  readonly format: string;
  readonly json?: boolean;
}

export async function runRoster(options: RosterOptions, context: CommandContext): Promise<ExitCode> {
  const format = options.json ? 'json' : options.format;
  const template = format === 'json' || format === 'lines' ? null : parseTemplate(format);
  if (template !== null && !template.ok)
    throw new PullyuError('usage', `--format: ${template.why}`, {
      hint: "json, lines, or a template such as '{name} {address} {label.part} {fact.port}'",
    });
  const members = await readMembers(options, context);
  const { out } = context;
  if (format === 'json') out.json(members.map(memberJson));
  else if (template === null) for (const member of members) out.line(formatLine(member));
  else for (const member of members) out.write(`${formatMember(template.template, member)}\n`);
  return EXIT.ok;
}

const FRESH_MS = 120_000;

async function readMembers(options: RosterOptions, context: CommandContext): Promise<RosterMember[]> {
  const kept = options.status === undefined && options.hosts === undefined ? readKept(context) : null;
  if (kept !== null) return kept.filter(({ labels }) => matchesSelector(options.label ?? null, labels));
  return withFleet(options, context, async (fleet) => rosterOf(await fleet.read()));
}

/** What the agent keeps for scripts, as long as one is alive that keeps it. Asks nobody. */
function readKept({ paths, clock, env }: CommandContext): RosterMember[] | null {
  if (env.PULLYU_ROSTER) return parseRoster(readFileOrNull(env.PULLYU_ROSTER) ?? '');
  if (env.PULLYU_STATUS || readIdentity(paths.state) === null) return null;
  const holder = readLockHolder(lockFile(paths));
  const isKept =
    (holder?.command === 'agent' && isAlive(holder)) ||
    isFresh(clock.now(), readState(paths.state).lastLookAt);
  return isKept ? readRosterFile(paths.state) : null;
}

/** Cron looks each minute. */
function isFresh(now: number, lastLookAt: number | null): boolean {
  return lastLookAt !== null && Math.abs(now - lastLookAt) < FRESH_MS;
}

/** `web-1 10.0.0.1 deployment=prod part=app`: for a shell's `read`. `-` stands for no address. */
function formatLine({ name, addresses, labels, facts }: RosterMember): string {
  const pairs = [...Object.entries(labels), ...Object.entries(facts)].map(
    ([key, value]) => `${key}=${value}`,
  );
  return [name, addresses[0] ?? '-', ...pairs].map((word) => word.replace(/\s+/g, '_')).join(' ');
}
