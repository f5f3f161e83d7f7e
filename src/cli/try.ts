/** `pullyu try`: test a change on this very host before it is pushed. */
import { askAgent } from '../agent/socket.ts';
import { readPicture } from '../agent/status.ts';
import { beginTry, openTries, readTryStatus, runTry, type TryStatus } from '../agent/try.ts';
import type { TryContext } from '../agent/try-context.ts';
import { endTry } from '../agent/try-end.ts';
import { pushTry } from '../agent/try-push.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { shortId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import type { RepoConfig } from '../model/repo.ts';
import { type TriedAction, verdictOf } from '../plan/try-verdict.ts';
import type { CommandContext } from './context.ts';
import { formatEvent } from './event-lines.ts';
import { carryOut } from './operator.ts';
import { type OutputView, showOutput } from './output-copier.ts';
import { endOnSignal, formatResult } from './run.ts';
import { formatUnrecordedJson } from './run-json.ts';
import { formatTable, type Terminal } from './terminal.ts';

/** Only so long is a daemon given to hear that there is something new. */
export const WAKE_MS = 300;

export async function runTryBegin(
  name: string | undefined,
  options: { readonly json?: boolean },
  context: CommandContext,
): Promise<ExitCode> {
  const c = await tryContext(context);
  const { repos } = c.picture.view.config;
  const { view, isNew } = await beginTry(chooseRepo(name, repos, repos), c);
  const { repo, path, branch, follows, base } = view;
  const { out } = context;
  if (options.json) {
    out.json({ repo, path, branch, follows, base });
    return EXIT.ok;
  }
  out.line(path);
  out.notice(
    `${repo}: ${isNew ? 'a checkout' : 'the open checkout'} at ${shortId(base)} on the branch ${branch}`,
  );
  out.notice('edit it there, then: pullyu try run ACTION, pullyu try push -m MESSAGE, pullyu try end');
  return EXIT.ok;
}

export async function runTryRun(
  text: string,
  options: { readonly json?: boolean },
  context: CommandContext,
): Promise<ExitCode> {
  const { out } = context;
  const c = await tryContext(context);
  const { repo, action } = chooseAction(text, c);
  let view: OutputView | null = null;
  const stop = new AbortController();
  const report = await runTry(
    repo,
    action,
    {
      onRun(run) {
        view = showOutput(run.outputFile, options.json ? out.beside : out);
        endOnSignal(context, stop.signal, () => run.intent.id);
      },
    },
    c,
  ).finally(() => {
    stop.abort();
    view?.finish();
  });
  const { result, startedAt } = report;
  if (options.json) {
    out.json(formatUnrecordedJson(repo.name, report));
    return result.outcome === 'ok' ? EXIT.ok : EXIT.failed;
  }
  out.notice(formatResult(`${repo.name}/${action} in the try`, result, result.endedAt - startedAt));
  if (report.action.kind === 'once')
    out.notice(
      `note: ${action} is to be run once; this run does not count, so the agent runs it when it is pushed`,
    );
  return result.outcome === 'ok' ? EXIT.ok : EXIT.failed;
}

export async function runTryPush(
  options: {
    readonly branch?: string;
    readonly message?: string;
    readonly force?: boolean;
    readonly repo?: string;
    readonly json?: boolean;
  },
  context: CommandContext,
): Promise<ExitCode> {
  const { out, paths } = context;
  const c = await tryContext(context);
  const repo = chooseOpen(options.repo, c);
  const report = await pushTry(
    repo,
    {
      branch: options.branch ?? null,
      message: options.message ?? null,
      force: options.force === true,
    },
    c,
  );
  if (options.branch === undefined) await askAgent(paths.state, 'POST', '/look', WAKE_MS);
  if (options.json) {
    const { branch, commit, rebased, notHere } = report;
    out.json({ branch, commit, rebased, notHere });
    return EXIT.ok;
  }
  for (const name of report.notHere)
    out.notice(`note: ${printable(name)} is not for this host, so nobody tried it`);
  if (report.rebased !== null)
    out.line(
      `${report.branch} had moved from ${shortId(report.rebased.from)} to ${shortId(report.rebased.to)}; the try is on top of it now`,
    );
  out.line(`pushed ${shortId(report.commit)} to ${report.branch}`);
  if (options.branch === undefined) {
    out.notice(
      'the hosts that it concerns take it at their next look; `pullyu try end` removes the checkout',
    );
  }
  return EXIT.ok;
}

export async function runTryStatus(
  options: { readonly json?: boolean; readonly repo?: string },
  context: CommandContext,
): Promise<ExitCode> {
  const { out } = context;
  const c = await tryContext(context);
  const open = openTries(c.paths, c.picture.view.config.repos);
  const wanted = options.repo === undefined ? open : [chooseOpen(options.repo, c)];
  const found: TryStatus[] = [];
  for (const repo of wanted) found.push(await readTryStatus(repo, c));
  if (options.json) out.json({ tries: found.map(tryJson) });
  else if (found.length === 0) out.line('no try is open');
  else for (const status of found) for (const line of formatTry(status, out)) out.line(line);
  return EXIT.ok;
}

export async function runTryEnd(
  options: { readonly force?: boolean; readonly repo?: string; readonly json?: boolean },
  context: CommandContext,
): Promise<ExitCode> {
  const c = await tryContext(context);
  const repo = chooseOpen(options.repo, c);
  const { branch, redo } = await endTry(repo, options.force === true, c);
  if (options.json) context.out.json({ branch, redo });
  else context.out.line(`${branch} is gone`);
  for (const action of redo) {
    await carryOut({ type: 'redo', repo: repo.name, action }, context);
    if (options.json) continue;
    context.out.line(
      `${repo.name}/${printable(action)} runs at the next look, so that this host is again as the tracked commit says`,
    );
  }
  return EXIT.ok;
}

export async function tryContext(context: CommandContext): Promise<TryContext> {
  const { paths, env, clock, signal, out } = context;
  return {
    paths,
    env,
    clock,
    signal,
    picture: await readPicture(paths, clock),
    emit(event) {
      if (event.type === 'progress' && !out.isTerminal) return;
      const line = formatEvent(event, out);
      if (line !== null) out.notice(line);
    },
  };
}

function chooseOpen(name: string | undefined, c: TryContext): RepoConfig {
  const { repos } = c.picture.view.config;
  const open = openTries(c.paths, repos);
  if (name !== undefined) return chooseRepo(name, repos, repos);
  if (open.length === 0)
    throw new PullyuError('usage', 'expected an open try, found none', {
      hint: 'pullyu try [REPO] opens one',
    });
  return chooseRepo(undefined, open, repos);
}

export function chooseRepo(
  name: string | undefined,
  candidates: readonly RepoConfig[],
  repos: readonly RepoConfig[],
  hint = 'name it: pullyu try REPO, or --repo REPO',
): RepoConfig {
  const names = repos.map((repo) => repo.name).join(', ');
  const found = name === undefined ? null : repos.find((repo) => repo.name === name);
  if (found) return found;
  if (name !== undefined)
    throw new PullyuError(
      'unknown-repo',
      `expected one of the repos ${names}, found ${JSON.stringify(name)}`,
    );
  if (candidates.length === 1) return candidates[0]!;
  throw new PullyuError('unknown-repo', `expected which of the repos ${names} is meant, found nothing`, {
    hint,
  });
}

/** `ACTION` of the only open try, or `REPO/ACTION`. */
function chooseAction(text: string, c: TryContext): { repo: RepoConfig; action: string } {
  const named = c.picture.view.config.repos.find((repo) => text.startsWith(`${repo.name}/`));
  if (named) return { repo: named, action: text.slice(named.name.length + 1) };
  return { repo: chooseOpen(undefined, c), action: text };
}

function tryJson(status: TryStatus) {
  const { repo, path, branch, follows, base, head, edited, ahead, startedAt, actions, objections } = status;
  return {
    repo,
    path,
    branch,
    follows,
    base,
    head,
    edited,
    ahead,
    startedAt: new Date(startedAt).toISOString(),
    actions: actions.map((action) => ({
      name: action.name,
      state: verdictOf(action),
      outcome: action.run?.outcome ?? null,
      exitCode: action.run?.exitCode ?? null,
    })),
    objections,
  };
}

const WORDS: Readonly<Record<ReturnType<typeof verdictOf>, string>> = {
  unchanged: 'unchanged',
  ok: 'worked',
  failed: 'failed',
  never: 'changed, not tried yet',
  edited: 'changed since its last try',
  'not-here': 'changed, not for this host',
};

function formatTry(status: TryStatus, out: Terminal): string[] {
  const many = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`;
  const where = status.follows === null ? '' : ` of ${status.follows}`;
  return [
    `${out.bold(status.repo)}: ${status.branch}, based on ${shortId(status.base)}${where}, ${many(status.edited, 'edited path')}, ${many(status.ahead, 'commit')} to push`,
    status.path,
    ...formatTable(
      status.actions.map((action: TriedAction) => {
        const verdict = verdictOf(action);
        const paint = verdict === 'ok' ? out.green : verdict === 'failed' ? out.red : out.yellow;
        return ['', printable(action.name), paint(WORDS[verdict])];
      }),
    ),
    ...status.objections.map((text) => out.dim(`holds a push back: ${printable(text, 400)}`)),
  ];
}
