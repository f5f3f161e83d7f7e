/** `pullyu fleet HOST`: what one host says, what happened on it, and its last failing log. */
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { formatAge } from '../fleet/age.ts';
import { describeFailure, isFailing } from '../fleet/failures.ts';
import type { FleetHost } from '../model/fleet.ts';
import { shortId } from '../model/ids.ts';
import { formatLabels } from '../model/labels.ts';
import type { Presence, PresenceRepo } from '../model/presence.ts';
import { printable } from '../model/printable.ts';
import { formatDuration, formatTime } from '../plan/sentence.ts';
import { examinePresence } from '../presence/examine-presence.ts';
import type { HistoryEntry } from '../presence/store.ts';
import { harmless } from '../runner/output.ts';
import type { CommandContext } from './context.ts';
import { type FleetAccess, must } from './fleet-access.ts';
import { hostJson, iso } from './fleet-json.ts';
import { paintOf } from './fleet-view.ts';
import { formatTable, type Terminal } from './terminal.ts';

interface HostOptions {
  readonly lines: number;
  readonly json?: boolean;
}

/** Newest first, looked through for the last log. */
const LOOKED_THROUGH = 50;
const LOG_MAX_LINES = 60;

interface HostStory {
  readonly host: FleetHost;
  /** The key that signed its presence, as hosts.yaml lists it. */
  readonly key: string | null;
  readonly history: readonly Told[];
  readonly log: { readonly at: number; readonly name: string; readonly text: string } | null;
}

interface Told extends HistoryEntry {
  /** The presence of the entry is signed by the key of the host. */
  readonly isSigned: boolean;
}

/** @throws PullyuError `usage` for a host that is not there. */
export async function showHost(
  name: string,
  hosts: readonly FleetHost[],
  options: HostOptions,
  { reader }: FleetAccess,
  { out, signal, clock }: CommandContext,
): Promise<ExitCode> {
  const host = hosts.find((one) => one.name === name);
  if (host === undefined) {
    const names = hosts.map((one) => printable(one.name, 64));
    throw new PullyuError('usage', `expected a host of the fleet, found ${JSON.stringify(printable(name))}`, {
      hint:
        names.length === 0
          ? 'no host has published anything yet'
          : `there are ${names.slice(0, 20).join(', ')}`,
    });
  }
  const key = reader.keyOf(name);
  const found =
    host.lastContactAt === null
      ? []
      : must(await reader.history(name, Math.max(options.lines, LOOKED_THROUGH), signal));
  const told = found.map((entry): Told => ({ ...entry, isSigned: isSignedBy(key, name, entry) }));
  const failing = told.find((entry) => entry.log !== null);
  const story: HostStory = {
    host,
    key,
    history: told.slice(0, options.lines),
    log: failing?.log ? { at: failing.at, name: failing.log.name, text: failing.log.text } : null,
  };
  if (options.json) out.json(storyJson(story));
  else for (const line of formatStory(story, out, clock.now())) out.line(line);
  return EXIT.ok;
}

function isSignedBy(key: string | null, host: string, { presence }: HistoryEntry): boolean {
  const examined = examinePresence({
    ...presence,
    host,
    token: '',
    seen: { notBefore: null, notAfter: 0 },
    contenders: [],
  });
  return examined.ok && examined.key === key;
}

export function storyJson({ host, key, history, log }: HostStory) {
  const { presence } = host;
  return {
    host: hostJson(host),
    key,
    presence: presence && {
      addresses: presence.addresses,
      state: presence.state,
      agent: presence.agent,
      git: presence.git,
      bootId: presence.bootId,
      sequence: presence.sequence,
      intervalMs: presence.intervalMs,
      heartbeatMs: presence.heartbeatMs,
      clock: iso(presence.clock),
      freeBytes: presence.freeBytes,
      facts: presence.facts,
      actionsOmitted: presence.actionsOmitted,
    },
    history: history.map(({ at, subject, isSigned, log: one }) => ({
      at: iso(at),
      subject,
      signed: isSigned,
      log: one?.name ?? null,
    })),
    log: log && { at: iso(log.at), name: log.name, text: log.text },
  };
}

function formatStory({ host, key, history, log }: HostStory, out: Terminal, now: number): string[] {
  const { name, state, reason, labels, lastContactAt, presence, repos } = host;
  const contact =
    lastContactAt === null ? 'never came' : `last contact ${formatAge(now - lastContactAt)} ago`;
  const why = reason === null ? '' : `: ${reason}`;
  return [
    `${out.bold(printable(name, 64))} is ${paintOf(state, out)(state)}${why}`,
    `${printable(formatLabels(labels), 400)}; ${contact}`,
    ...(presence === null ? [] : formatPresenceLines(presence)),
    ...(key === null ? [] : [out.dim(`key ${key}`)]),
    ...(repos.length === 0 ? [] : ['', ...repos.map((repo) => formatRepo(repo, out))]),
    ...formatActions(presence, out, now),
    ...(history.length === 0 ? [] : ['', ...formatTable(history.map((one) => historyRow(one, out)))]),
    ...(log === null
      ? []
      : ['', out.bold(`${printable(log.name, 100)} at ${formatTime(log.at)}`), ...formatLog(log.text, out)]),
  ];
}

function formatPresenceLines(presence: Presence): string[] {
  const { addresses, facts, agent, git, heartbeatMs, freeBytes } = presence;
  const free = freeBytes === null ? '' : `, ${(freeBytes / 2 ** 30).toFixed(1)} GiB free`;
  const told = Object.entries(facts).map(([key, value]) => `${key}=${value}`);
  return [
    `${addresses.length === 0 ? 'no address' : printable(addresses.slice(0, 8).join(', '))}; agent ${printable(agent, 40)}, git ${printable(git ?? 'unknown', 40)}${free}, heartbeat every ${formatDuration(heartbeatMs)}`,
    ...(told.length === 0 ? [] : [`facts: ${printable(told.join(', '), 600)}`]),
  ];
}

function formatRepo({ name, wanted, applied, trouble }: PresenceRepo, out: Terminal): string {
  const at = applied === null ? 'nothing applied yet' : `applied ${shortId(applied)}`;
  const target = wanted === null || wanted === applied ? '' : `, ${out.yellow(`wants ${shortId(wanted)}`)}`;
  const wrong = trouble === null ? '' : `, ${out.red(trouble.code)}: ${printable(trouble.message, 400)}`;
  return `${out.bold(printable(name, 64))}: ${at}${target}${wrong}`;
}

function formatActions(presence: Presence | null, out: Terminal, now: number): string[] {
  const actions = presence?.actions ?? [];
  if (actions.length === 0) return [];
  const rows = actions.slice(0, 40).map((action) => {
    const failing = isFailing(action);
    const open = action.attempt === 0 ? 'never ran' : 'running';
    const outcome = action.parked ? 'parked' : (action.outcome ?? open);
    return [
      (failing ? out.red : action.outcome === 'ok' ? out.green : out.yellow)(outcome),
      printable(`${action.repo}/${action.name}`, 100),
      action.commit === null ? '-' : shortId(action.commit),
      action.endedAt === null ? '' : `${formatAge(now - action.endedAt)} ago`,
      failing ? out.dim(describeFailure(action)) : '',
    ];
  });
  const more = actions.length - rows.length + presence!.actionsOmitted;
  return ['', ...formatTable(rows), ...(more > 0 ? [out.dim(`${more} more actions`)] : [])];
}

function historyRow({ at, subject, isSigned }: Told, out: Terminal): string[] {
  const doubt = isSigned ? '' : out.red(' (not signed by the key of this host)');
  return [out.dim(formatTime(at)), `${printable(subject)}${doubt}`];
}

/** The end of it: that is where a failure says what it is. */
function formatLog(text: string, out: Terminal): string[] {
  const shown = harmless(text).trimEnd();
  if (shown === '') return [out.dim('nothing was printed')];
  const lines = shown.split('\n');
  const hidden = lines.length - LOG_MAX_LINES;
  return hidden > 0
    ? [out.dim(`... ${hidden} lines before: --json has them`), ...lines.slice(hidden)]
    : lines;
}
