/**
 * `pullyu run ACTION`: one action, now, in the foreground.
 *
 * `--as-agent`: exactly as the agent would run it (user, environment, tree, empty standard input), and recorded with the reason `manual`.
 * A daemon of this host does it itself; without one this process does. Otherwise: the same user, tree and variables, but on the person's
 * terminal and with the person's PATH. That proves nothing about the agent, so it is not recorded. `--tree DIR` takes the files, and the
 * definition of the action, from a directory; that is no commit which the host follows, so it is never recorded.
 */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { busyHere, takeLockOrAgent, withoutOthers } from '../agent/quiet.ts';
import { openSession } from '../agent/session.ts';
import { type AgentAnswer, askAgent, type RunAnswer } from '../agent/socket.ts';
import { openSource } from '../agent/source.ts';
import { type HostPicture, readPicture, readPlan } from '../agent/status.ts';
import { runInTree } from '../agent/tree-run.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import type { AgentEvent } from '../model/event.ts';
import { type RunId, shortId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import type { RepoConfig } from '../model/repo.ts';
import type { Run, RunResult } from '../model/run.ts';
import { formatDuration } from '../plan/sentence.ts';
import { readRunFile, runFiles } from '../runner/run-files.ts';
import { terminateRun } from '../runner/terminate.ts';
import { delay } from '../system/clock.ts';
import type { Lock } from '../system/lock.ts';
import type { CommandContext } from './context.ts';
import { formatEvent } from './event-lines.ts';
import { findAction, type NamedAction } from './find-action.ts';
import { type OutputView, showOutput } from './output-copier.ts';
import { formatRunJson, formatUnrecordedJson } from './run-json.ts';

export interface RunOptions {
  readonly asAgent?: boolean;
  readonly tree?: string;
  /** How it ended, on standard output; what it prints goes to standard error. */
  readonly json?: boolean;
}

const FIND_RUN_EVERY_MS = 50;
/** The agent answers when the run is over; its own deadline ends it before this. */
const RUN_SLACK_MS = 5 * 60_000;

export async function runRun(text: string, options: RunOptions, context: CommandContext): Promise<ExitCode> {
  const { paths, clock, env, out } = context;
  const picture = await readPicture(paths, clock);
  if (picture.pause !== null) out.notice('note: this host is paused; what a person runs is not held back');
  if (options.tree !== undefined) {
    const folder = resolve(context.cwd, options.tree);
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new PullyuError(
        'usage',
        `expected a folder after --tree, found none at ${JSON.stringify(folder)}`,
      );
    }
    const { repo, name } = splitName(text, picture);
    return runUnrecorded(
      { repo, name, folder, asAgent: options.asAgent === true, json: options.json === true },
      picture,
      context,
    );
  }
  const { actions } = await readPlan(paths, picture, clock, env);
  const action = findAction(text, actions);
  if (options.asAgent)
    return runRecorded({ ...action, json: options.json === true }, action.timeoutMs, context);
  if (action.kind === 'once') {
    throw new PullyuError(
      'refused',
      `${action.name} is to be run once, and a run on a terminal is not recorded`,
      {
        hint: `pullyu run ${text} --as-agent`,
      },
    );
  }
  const repo = picture.view.config.repos.find((one) => one.name === action.repo)!;
  const source = openSource(paths, repo, { limits: picture.view.config.limits, env, clock });
  const current = await source.current();
  source.close();
  if (current === null)
    throw new PullyuError('failed', `${repo.name} has no tree yet`, { hint: 'pullyu look' });
  return runUnrecorded(
    { repo, name: action.name, folder: current.path, asAgent: false, json: options.json === true },
    picture,
    context,
  );
}

/** `REPO/NAME`, or `NAME` where the host follows one repo: its actions are not those of the published tree. */
function splitName(text: string, picture: HostPicture): { repo: RepoConfig; name: string } {
  const { repos } = picture.view.config;
  const named = repos.find((repo) => text.startsWith(`${repo.name}/`));
  if (named) return { repo: named, name: text.slice(named.name.length + 1) };
  if (repos.length === 1) return { repo: repos[0]!, name: text };
  throw new PullyuError('unknown-repo', `expected REPO/ACTION, found ${JSON.stringify(text)}`, {
    hint: `the repos of this host are ${repos.map((repo) => repo.name).join(', ')}`,
  });
}

interface Unrecorded {
  readonly repo: RepoConfig;
  readonly name: string;
  readonly folder: string;
  readonly asAgent: boolean;
  readonly json: boolean;
}

/** An action, and how its end is told. */
type Asked = NamedAction & { readonly json: boolean };

async function runUnrecorded(
  { repo, name, folder, asAgent, json }: Unrecorded,
  picture: HostPicture,
  context: CommandContext,
): Promise<ExitCode> {
  const { paths, clock, env, signal, out } = context;
  const report = await withoutOthers(paths, 'run', signal, async () => {
    let view: OutputView | null = null;
    const stop = new AbortController();
    try {
      return await runInTree({
        paths,
        picture,
        repo,
        folder,
        action: name,
        asAgent,
        stdoutToStderr: json,
        env,
        clock,
        signal,
        onRun(run) {
          view = showOutput(run.outputFile, json ? out.beside : out);
          endOnSignal(context, stop.signal, () => run.intent.id);
        },
      });
    } finally {
      stop.abort();
      (view as OutputView | null)?.finish();
    }
  });
  const key = `${repo.name}/${name}`;
  if (json) out.json(formatUnrecordedJson(repo.name, report));
  else out.notice(formatResult(key, report.result, report.result.endedAt - report.startedAt));
  const why = asAgent ? `${printable(folder)} is no commit of this host` : 'it ran on a terminal';
  if (!json) out.notice(`not recorded: ${why}; whether ${name} is due has not changed`);
  return report.result.outcome === 'ok' ? EXIT.ok : EXIT.failed;
}

async function runRecorded(action: Asked, timeoutMs: number, context: CommandContext): Promise<ExitCode> {
  const taken = await takeLockOrAgent(context.paths, 'run', context.signal);
  const run =
    taken.kind === 'agent'
      ? await askAgentToRun(action, timeoutMs, context)
      : await runAsAgent(taken.lock, action, context);
  const key = `${action.repo}/${action.name}`;
  if (run === null || run.result === null) {
    throw new PullyuError('failed', `${key} goes on without us: the agent was told to end`, {
      hint: `\`pullyu logs ${action.name} -f\` follows it`,
    });
  }
  const { out } = context;
  const { intent, result } = run;
  if (action.json) out.json({ recorded: true, ...formatRunJson(run, context.paths.state) });
  else
    out.notice(
      formatResult(`${key} at ${shortId(intent.commit)}`, result, result.endedAt - intent.startedAt),
    );
  return result.outcome === 'ok' ? EXIT.ok : EXIT.failed;
}

/** No daemon: we are the agent for the time of one run. */
async function runAsAgent(lock: Lock, action: Asked, context: CommandContext): Promise<Run | null> {
  const { paths, env, clock, out } = context;
  const stop = new AbortController();
  let view: OutputView | null = null;
  try {
    const session = await openSession(lock, {
      paths,
      env,
      clock,
      emit: (event) => noteEvent(event, context),
      // A person's Ctrl-C ends the run, and we stay to record how it ended.
      signal: stop.signal,
      mode: 'look',
    });
    try {
      return await session.looker.runByHand(action.repo, action.name, {
        onRun(run) {
          view = showOutput(run.outputFile, action.json ? out.beside : out);
          endOnSignal(context, stop.signal, () => run.intent.id);
        },
      });
    } finally {
      (view as OutputView | null)?.finish();
      session.close();
    }
  } finally {
    stop.abort();
    lock.release();
  }
}

/** What else happens than the run itself. */
function noteEvent(event: AgentEvent, { out }: CommandContext): void {
  if (event.type === 'run-started' || event.type === 'run-ended' || event.type === 'progress') return;
  const line = formatEvent(event, out);
  if (line !== null) out.notice(line);
}

/** The daemon runs it; we show what it prints. */
async function askAgentToRun(action: Asked, timeoutMs: number, context: CommandContext): Promise<Run | null> {
  const { paths, out } = context;
  const stop = new AbortController();
  const shown: { id: RunId | null; view: OutputView | null } = { id: null, view: null };
  const show = (id: RunId) => {
    shown.view?.finish();
    shown.id = id;
    shown.view = showOutput(outputOf(paths.state, id), action.json ? out.beside : out);
  };
  const path = `/run?${new URLSearchParams({ repo: action.repo, action: action.name })}`;
  const asking = askAgent<RunAnswer>(paths.state, 'POST', path, timeoutMs + RUN_SLACK_MS);
  endOnSignal(context, stop.signal, () => shown.id);
  void asking.finally(() => stop.abort());
  while (!stop.signal.aborted) {
    const open = (await askAgent<AgentAnswer>(paths.state, 'GET', '/state', 2_000))?.openRun as RunId | null;
    if (open && open !== shown.id && isRunOf(paths.state, open, action)) show(open);
    await delay(FIND_RUN_EVERY_MS, stop.signal);
  }
  const answer = await asking;
  // It may have been over before we found it.
  if (answer !== null && 'run' in answer && answer.run && answer.run.intent.id !== shown.id)
    show(answer.run.intent.id);
  shown.view?.finish();
  if (answer === null) throw busyHere(null);
  if ('run' in answer) return answer.run;
  throw new PullyuError(answer.code, answer.message, answer.hint === null ? {} : { hint: answer.hint });
}

function isRunOf(state: string, id: RunId, action: NamedAction): boolean {
  const file = readRunFile(runFiles(join(state, 'runs', id)).spec);
  return file !== null && file.repo === action.repo && file.action === action.name;
}

function outputOf(state: string, id: RunId): string {
  return runFiles(join(state, 'runs', id)).output;
}

/** The first Ctrl-C ends the run; the second one ends us, and the run goes on as the agent's. */
export function endOnSignal(context: CommandContext, over: AbortSignal, runOf: () => RunId | null): void {
  const end = () => {
    const id = runOf();
    if (id === null || over.aborted) return;
    context.out.notice('ends the run');
    void terminateRun(join(context.paths.state, 'runs', id), id);
  };
  context.signal.addEventListener('abort', end, { once: true });
  over.addEventListener('abort', () => context.signal.removeEventListener('abort', end), { once: true });
  if (context.signal.aborted) end();
}

export function formatResult(
  what: string,
  result: Pick<RunResult, 'outcome' | 'exitCode' | 'note'>,
  durationMs: number,
): string {
  const code = result.outcome === 'ok' || result.exitCode === null ? '' : `, exit code ${result.exitCode}`;
  const note = result.note === null ? '' : ` (${printable(result.note, 400)})`;
  return `${what}: ${result.outcome}${code} in ${formatDuration(Math.max(0, durationMs))}${note}`;
}
