/** `pullyu logs ACTION`: the output of its last run, harmless to a terminal. As JSON one object, or while following one a line. */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { journalStamp } from '../agent/memo.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { type JournalView, readJournal } from '../journal/read.ts';
import { printable } from '../model/printable.ts';
import type { Run } from '../model/run.ts';
import { delay } from '../system/clock.ts';
import type { CommandContext } from './context.ts';
import { findAction } from './find-action.ts';
import { actionsOfRuns, RAN } from './history.ts';
import { copier } from './output-copier.ts';
import { formatRunJson } from './run-json.ts';

const FOLLOW_EVERY_MS = 100;

export async function runLogs(
  action: string,
  options: { readonly follow?: boolean; readonly json?: boolean },
  context: CommandContext,
): Promise<ExitCode> {
  const { paths, out, signal } = context;
  const journalFile = join(paths.state, 'journal.log');
  const run = findRun(action, readJournal(journalFile).runs());
  const file = join(paths.state, 'runs', run.intent.id, 'output.log');
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    if (run.result?.outcome === 'refused') {
      const why = run.result.note ?? 'no reason was recorded';
      throw new PullyuError(
        'failed',
        `${run.intent.id} was refused before it began: ${printable(why, 400)}`,
        {
          hint: `correct that and push; \`pullyu why ${run.intent.action}\` says when it is tried again`,
        },
      );
    }
    throw new PullyuError('failed', `the output of ${run.intent.id} is no longer kept`, {
      hint: 'limits.runsKeptPerAction and limits.runsMax in host.yaml say how many are',
    });
  }
  try {
    const text = new TextDecoder();
    let whole = '';
    const lines = options.json === true && options.follow === true;
    const take = (piece: string | Uint8Array) => {
      if (options.json !== true) return out.write(piece);
      const more = text.decode(piece as Uint8Array, { stream: true });
      if (!lines) whole += more;
      else if (more !== '') out.write(`${JSON.stringify({ text: more, run: null })}\n`);
    };
    const copy = copier(fd, out.isTerminal && options.json !== true, take);
    let ended = run.result !== null;
    let stamp = '';
    copy();
    while (options.follow === true && !ended && !signal.aborted) {
      await delay(FOLLOW_EVERY_MS, signal);
      // It may be megabytes: read again only when it was written.
      const now = journalStamp(journalFile);
      ended = now !== stamp && !isOpen(readJournal(journalFile), run);
      stamp = now;
      copy();
    }
    if (options.json === true) {
      const last =
        readJournal(journalFile)
          .runs()
          .find((one) => one.intent.id === run.intent.id) ?? run;
      const end = { text: whole + text.decode(), run: formatRunJson(last, paths.state) };
      if (lines) out.write(`${JSON.stringify(end)}\n`);
      else out.json(end);
    }
  } finally {
    closeSync(fd);
  }
  return EXIT.ok;
}

function isOpen(journal: JournalView, run: Run): boolean {
  return journal.openRuns().some((intent) => intent.id === run.intent.id);
}

function findRun(text: string, runs: readonly Run[]): Run {
  const byId = runs.find((run) => run.intent.id === text);
  if (byId) return byId;
  const { repo, name } = findAction(text, actionsOfRuns(runs), { expected: RAN });
  return runs.find(({ intent }) => intent.repo === repo && intent.action === name)!;
}
