/** `pullyu history`: runs, newest first, from the journal. */
import { join } from 'node:path';
import { EXIT, type ExitCode } from '../errors.ts';
import { readJournal } from '../journal/read.ts';
import { shortId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import type { Run } from '../model/run.ts';
import { formatDuration, formatTime } from '../plan/sentence.ts';
import type { CommandContext } from './context.ts';
import { findAction, type NamedAction } from './find-action.ts';
import { formatRunJson } from './run-json.ts';
import { formatTable, type Terminal } from './terminal.ts';

export interface HistoryOptions {
  readonly lines: number;
  readonly failed?: boolean;
  readonly json?: boolean;
}

export async function runHistory(
  action: string | undefined,
  options: HistoryOptions,
  context: CommandContext,
): Promise<ExitCode> {
  const { paths, out } = context;
  const all = readJournal(join(paths.state, 'journal.log')).runs();
  const named = action === undefined ? null : findAction(action, actionsOfRuns(all), { expected: RAN });
  const runs = all
    .filter(({ intent }) => named === null || (intent.action === named.name && intent.repo === named.repo))
    .filter(({ result }) => options.failed !== true || (result !== null && result.outcome !== 'ok'))
    .slice(0, options.lines);
  if (options.json) {
    out.json(runs.map((run) => formatRunJson(run, paths.state)));
    return EXIT.ok;
  }
  if (runs.length === 0) out.line('no runs');
  for (const line of formatTable(runs.map((run) => historyRow(run, out)))) out.line(line);
  return EXIT.ok;
}

/** What `actionsOfRuns` are. */
export const RAN = 'an action that ran on this host';

/** Those that ever ran here, each once. */
export function actionsOfRuns(runs: readonly Run[]): NamedAction[] {
  const named = new Map(
    runs.map(({ intent }) => [`${intent.repo}/${intent.action}`, { repo: intent.repo, name: intent.action }]),
  );
  return [...named.values()];
}

function historyRow({ intent, result }: Run, out: Terminal): string[] {
  const outcome =
    result === null
      ? out.yellow('open')
      : result.outcome === 'ok'
        ? out.green('ok')
        : out.red(result.outcome);
  const code =
    result === null || result.exitCode === null || result.exitCode === 0
      ? ''
      : `exit code ${result.exitCode}`;
  const what = intent.purpose === 'undo' ? `${intent.action} (undo)` : intent.action;
  const took = result === null ? '' : formatDuration(Math.max(0, result.endedAt - intent.startedAt));
  const note = [code, result?.note ? printable(result.note) : ''].filter((text) => text !== '').join(', ');
  return [
    formatTime(intent.startedAt),
    outcome,
    `${intent.repo}/${what}`,
    shortId(intent.commit),
    intent.reason,
    took,
    note,
  ];
}
