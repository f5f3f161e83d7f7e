/** What an operator asks of the agent: written to its inbox, and carried out at once by whoever can. */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { intentOf } from '../agent/execute.ts';
import { findCommit } from '../agent/find-commit.ts';
import { dropRequest, postRequest, type Request, readRequests, recordsOfRequest } from '../agent/requests.ts';
import { makeRunId } from '../agent/run-id.ts';
import { takeLock } from '../agent/session.ts';
import { askAgent } from '../agent/socket.ts';
import { readPicture, readPlan } from '../agent/status.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { openJournal } from '../journal/open.ts';
import { isCommitId } from '../model/ids.ts';
import type { Step } from '../model/plan.ts';
import { printable } from '../model/printable.ts';
import { formatTime } from '../plan/sentence.ts';
import { delay, readBootId } from '../system/clock.ts';
import type { CommandContext } from './context.ts';
import { findAction } from './find-action.ts';

interface Json {
  readonly json?: boolean;
}

/** What was asked for, as docs/json.md has it. */
interface Asked {
  readonly request: Request['type'];
  /** null: there was nothing to ask for. */
  readonly taken: Taken | null;
  readonly repo?: string;
  readonly action?: string;
  readonly commit?: string;
  /** Milliseconds since 1970. */
  readonly until?: number;
  readonly reason?: string;
}

/** For people its lines, for programs every field, null where it has no meaning. */
function tell(asked: Asked, { json }: Json, { out }: CommandContext, lines: readonly string[]): ExitCode {
  const { request, taken, repo = null, action = null, commit = null, reason = null } = asked;
  const until = asked.until === undefined ? null : new Date(asked.until).toISOString();
  if (json) out.json({ request, taken, repo, action, commit, until, reason });
  else for (const line of lines) out.line(line);
  return EXIT.ok;
}

/** For an agent at work to take a request; it asks between two steps and at each look. */
const TAKEN_WITHIN_MS = 3_000;

export async function runRedo(text: string, options: Json, context: CommandContext): Promise<ExitCode> {
  const picture = await readPicture(context.paths, context.clock);
  const { actions } = await readPlan(context.paths, picture, context.clock, context.env);
  const { repo, name } = findAction(text, actions);
  const taken = await carryOut({ type: 'redo', repo, action: name }, context);
  return tell({ request: 'redo', taken, repo, action: name }, options, context, [
    `${repo}/${name} runs at the next look${taken === 'agent' ? ', which is now' : '; `pullyu look` makes one now'}`,
  ]);
}

/** The operator did by hand what the next open step of the action is about: it counts as that step's success. */
export async function runDone(
  text: string,
  options: Json & { readonly note: string },
  context: CommandContext,
): Promise<ExitCode> {
  const picture = await readPicture(context.paths, context.clock);
  const { plan, actions } = await readPlan(context.paths, picture, context.clock, context.env);
  const { repo, name } = findAction(text, actions);
  const step = plan.steps.find((one) => one.repo === repo && one.action === name && OPEN.has(one.reason));
  if (step === undefined) {
    const says = plan.steps.find((one) => one.repo === repo && one.action === name)?.sentence;
    throw new PullyuError(
      'refused',
      `expected ${repo}/${name} to have failed or to be in doubt, found: ${says ?? 'no step of it'}`,
      {
        hint: 'only what the agent did not bring to an end can be said to be done',
      },
    );
  }
  const now = context.clock.now();
  const intent = intentOf(step, {
    id: makeRunId(now, context.clock.random),
    bootId: readBootId(),
    now,
    reason: 'manual',
  });
  const note = `done by hand: ${options.note}`;
  const result = { id: intent.id, outcome: 'ok', exitCode: null, signal: null, endedAt: now, note } as const;
  const taken = await carryOut({ type: 'done', intent, result }, context);
  return tell({ request: 'done', taken, repo, action: name, commit: step.commit }, options, context, [
    `${repo}/${name} counts as done at ${step.commit}${taken === 'later' ? ' as soon as the agent comes to it' : ''}`,
  ]);
}

/** What waits for a human, or was tried in vain. */
const OPEN: ReadonlySet<Step['reason']> = new Set([
  'parked',
  'unknown',
  'backing-off',
  'retry',
  'interrupted',
]);

export async function runPause(
  options: Json & { readonly for: string; readonly reason: string },
  context: CommandContext,
): Promise<ExitCode> {
  const { parseDuration } = await import('../config/duration.ts');
  const ms = parseDuration(options.for);
  if (ms === null || ms <= 0) {
    throw new PullyuError('usage', `expected a duration for --for, found ${JSON.stringify(options.for)}`, {
      hint: 'such as 30m, 2h or 1d',
    });
  }
  const since = context.clock.now();
  await readPicture(context.paths, context.clock);
  const until = since + ms;
  const { reason } = options;
  const taken = await carryOut({ type: 'pause', reason, since, until }, context);
  return tell({ request: 'pause', taken, until, reason }, options, context, [
    `paused until ${formatTime(until)}: ${printable(reason)}`,
    'looks go on and say what would be done; `pullyu resume` ends the pause before',
  ]);
}

export async function runResume(options: Json, context: CommandContext): Promise<ExitCode> {
  const picture = await readPicture(context.paths, context.clock);
  if (picture.pause === null)
    return tell({ request: 'resume', taken: null }, options, context, ['there was no pause']);
  const taken = await carryOut({ type: 'resume' }, context);
  return tell({ request: 'resume', taken }, options, context, [
    taken === 'agent' ? 'resumed' : 'resumed; the next look does what is due',
  ]);
}

/** @param text A full id, or the beginning of one that is known here. */
export async function runAccept(
  text: string,
  options: Json & { readonly repo?: string },
  context: CommandContext,
): Promise<ExitCode> {
  if (!/^[0-9a-fA-F]{7,64}$/.test(text)) {
    throw new PullyuError(
      'usage',
      `expected a commit id of 7 or more hex digits, found ${JSON.stringify(text)}`,
      { hint: '`pullyu status --json` shows the commit that was seen, as repos[].seen' },
    );
  }
  const { view } = await readPicture(context.paths, context.clock);
  const names = view.config.repos.map((repo) => repo.name);
  const repo = options.repo ?? (names.length === 1 ? names[0]! : null);
  if (repo === null || !names.includes(repo)) {
    throw new PullyuError(
      'unknown-repo',
      `expected --repo to be one of ${names.join(', ')}, found ${options.repo === undefined ? 'none' : JSON.stringify(options.repo)}`,
    );
  }
  const { paths, clock, env } = context;
  const commit = isCommitId(text)
    ? text
    : (await findCommit(paths, view.config, text, { repo, clock, env })).id;
  const taken = await carryOut({ type: 'accept', repo, commit }, context);
  return tell({ request: 'accept', taken, repo, commit }, options, context, [
    `${repo} may move to ${commit}${taken === 'agent' ? '' : ' at the next look'}`,
  ]);
}

/** `agent`: a daemon took it and looks now. `here`: this process recorded it. `later`: whoever is at work has it in its inbox. */
export type Taken = 'agent' | 'here' | 'later';

export async function carryOut(request: Request, context: CommandContext): Promise<Taken> {
  const { paths, clock } = context;
  const file = postRequest(
    paths.state,
    request,
    `${String(clock.now()).padStart(15, '0')}-${randomBytes(4).toString('hex')}`,
  );
  const taken = takeLock(paths, 'request');
  if ('lock' in taken) {
    try {
      const journal = openJournal(join(paths.state, 'journal.log'), { now: clock.now });
      try {
        for (const pending of readRequests(paths.state)) {
          for (const record of pending.request === null ? [] : recordsOfRequest(pending.request))
            journal.append(record);
          dropRequest(pending);
        }
      } finally {
        journal.close();
      }
    } finally {
      taken.lock.release();
    }
    return 'here';
  }
  void askAgent(paths.state, 'POST', '/look', TAKEN_WITHIN_MS);
  for (let waited = 0; waited < TAKEN_WITHIN_MS && existsSync(file); waited += 20)
    await delay(20, context.signal);
  return existsSync(file) ? 'later' : 'agent';
}
