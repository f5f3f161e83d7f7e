/** Renders events: a line a person likes to read, or a line of JSON for a log collector. */
import type { AgentEvent, EventSink } from '../model/event.ts';
import { shortId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import { formatDuration } from '../plan/sentence.ts';
import type { Terminal } from './terminal.ts';

/** null: nothing that a person wants to see. */
export function formatEvent(
  event: AgentEvent,
  out: Pick<Terminal, 'red' | 'green' | 'yellow' | 'dim' | 'bold'>,
): string | null {
  switch (event.type) {
    case 'agent-started':
      return `agent ${event.version} follows ${formatRepos(event.repos)}, every ${formatDuration(event.intervalMs)}`;
    case 'agent-stopping':
      return `agent ends: ${event.why}`;
    case 'cloning':
      return `${event.repo}: clones ${printable(event.remote)}`;
    case 'progress':
      return out.dim(`${event.repo}: ${printable(event.text)}`);
    case 'target-moved':
      return `${event.repo}: ${event.from === null ? 'starts at' : `${shortId(event.from)} ->`} ${out.bold(shortId(event.to))} ${printable(event.subject)}`;
    case 'tree-published':
      return null;
    case 'trouble-began':
      return `${event.repo}: ${out.red(event.trouble.code)}: ${printable(event.trouble.message, 400)}${event.trouble.hint === null ? '' : `\n  hint: ${printable(event.trouble.hint, 400)}`}`;
    case 'trouble-ended':
      return `${event.repo}: ${out.green('over')}: ${event.trouble.code}, after ${formatDuration(Math.max(0, event.endedAt - event.trouble.since))}`;
    case 'healed':
      return `${event.repo}: ${out.yellow('healed')}: ${printable(event.what, 400)}`;
    case 'run-started':
      // Every look has one of these: only their failures are news.
      return event.reason === 'look' ? null : `${event.repo}: ${event.sentence}`;
    case 'run-adopted':
      return `${event.repo}: ${event.action} was started by an agent that ended; waiting for it`;
    case 'run-ended':
      return event.reason === 'look' && event.outcome === 'ok' ? null : formatRunEnded(event, out);
    case 'applied':
      return `${event.repo}: ${out.green('applied')} ${shortId(event.commit)}`;
    case 'superseded':
      return `${event.repo}: ${shortId(event.to)} is there; what is left of ${shortId(event.from)} gives way`;
    case 'paused':
      return `${out.yellow('paused')} until ${new Date(event.until).toISOString()}: ${printable(event.reason)}`;
    case 'resumed':
      return 'resumed';
    case 'status-trouble-began':
      return `status: ${out.red(event.trouble.code)}: ${printable(event.trouble.message, 400)}${event.trouble.hint === null ? '' : `\n  hint: ${printable(event.trouble.hint, 400)}`}`;
    case 'status-trouble-ended':
      return `status: ${out.green('over')}: ${event.code}`;
    case 'warning':
      return `${out.yellow('warning:')} ${printable(event.text, 400)}`;
  }
}

function formatRunEnded(
  event: Extract<AgentEvent, { type: 'run-ended' }>,
  out: Pick<Terminal, 'red' | 'green' | 'dim'>,
): string {
  const good = event.outcome === 'ok';
  const code = event.exitCode === null || good ? '' : `, exit code ${event.exitCode}`;
  const head = `${event.repo}: ${event.action} ${good ? out.green('ok') : out.red(event.outcome)}${code} in ${formatDuration(event.durationMs)}`;
  const note = event.note === null ? '' : ` (${printable(event.note, 400)})`;
  const lines = event.tail
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-5);
  return [`${head}${note}`, ...lines.map((line) => out.dim(`  | ${line}`))].join('\n');
}

/** One line of JSON: `time` (ISO) first. */
export function formatEventJson(event: AgentEvent, now: number): string {
  return JSON.stringify({ time: new Date(now).toISOString(), ...event }, isoTimes);
}

const TIMES = new Set(['since', 'until', 'endedAt']);

/** For JSON.stringify: times of events in ISO form, as everywhere in what --json prints. */
export function isoTimes(key: string, value: unknown): unknown {
  return TIMES.has(key) && typeof value === 'number' ? new Date(value).toISOString() : value;
}

/** To standard output, as they come. */
export function printEvents(out: Terminal): EventSink {
  return (event) => {
    if (event.type === 'progress' && !out.isTerminal) return;
    const line = formatEvent(event, out);
    if (line !== null) out.line(line);
  };
}

/** With the word: `it` is the usual name of a repo. */
function formatRepos(names: readonly string[]): string {
  if (names.length === 0) return 'no repo';
  return `the ${names.length === 1 ? 'repo' : 'repos'} ${names.join(', ')}`;
}
