/** `pullyu look`: one pass, by whoever may: the daemon of this host when there is one, else this process. */
import { join } from 'node:path';
import { askForLook, beatOnce, lookOnce } from '../agent/one-look.ts';
import { busyError, takeLock } from '../agent/session.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import type { Proof } from '../heartbeat/proven.ts';
import type { AgentEvent } from '../model/event.ts';
import { formatTime } from '../plan/sentence.ts';
import { writeFileAtomic } from '../system/files.ts';
import type { CommandContext } from './context.ts';
import { isoTimes, printEvents } from './event-lines.ts';

export interface LookOptions {
  /** Called by cron: stays quiet when all is well, and does nothing while a daemon does its duty. */
  readonly heartbeat?: boolean;
  readonly json?: boolean;
}

const ENOUGH = 3;

export async function runLook(options: LookOptions, context: CommandContext): Promise<ExitCode> {
  const { paths, clock, env, signal } = context;
  const proof = options.heartbeat === true ? await proofFor(context) : null;
  if (options.heartbeat === true) {
    const { takeDuty } = await import('./heartbeat-duty.ts');
    const duty = await takeDuty(context, proof);
    if (duty === 'beat') await beat(context);
    if (duty !== 'look') return EXIT.ok;
  }
  const taken = takeLock(paths, 'look');
  // Somebody was faster than the heartbeat: its duty is being done.
  if (!('lock' in taken) && options.heartbeat === true) return EXIT.ok;
  if (!('lock' in taken)) return lookElsewhere(options, context, taken.holder?.command === 'agent');
  const { lock } = taken;
  const events: AgentEvent[] = [];
  const emit = options.json ? (event: AgentEvent) => void events.push(event) : printEvents(context.out);
  const look = await lookOnce(lock, {
    paths,
    env,
    clock,
    signal,
    emit,
    heartbeat: options.heartbeat === true,
  }).finally(() => lock.release());
  const { exitCode, idle, held, failures } = look;
  // A copy that reached nothing in one look says no less than a daemon in three: the next minute has another turn.
  // One that was cut off says nothing.
  if (exitCode !== EXIT.interrupted)
    proof?.judge({ worked: failures === 0, failures: failures === 0 ? 0 : ENOUGH, now: clock.now() });
  for (const { repo, until } of look.early)
    context.out.notice(
      `${repo}: asked all the same; by itself it would have been left alone until ${formatTime(until)}`,
    );
  if (!options.json && options.heartbeat !== true) {
    for (const step of held) context.out.line(`${step.repo}: ${step.sentence}`);
    context.out.line(summary(idle, exitCode, held.length));
  }
  await look.tellFleet();
  if (options.json)
    context.out.json({ idle, exitCode, events: JSON.parse(JSON.stringify(events, isoTimes)) });
  return exitCode;
}

/** Nobody waits for it: whatever goes wrong is told by the next look. */
async function beat({ paths, env, clock, signal }: CommandContext): Promise<void> {
  const taken = takeLock(paths, 'look');
  if (!('lock' in taken)) return;
  const o = { paths, env, clock, signal, emit: () => {}, heartbeat: true };
  const deliver = await beatOnce(taken.lock, o)
    .catch(() => null)
    .finally(() => taken.lock.release());
  await deliver?.();
}

/** Only the heartbeat proves anything about the program that it calls. */
async function proofFor({ paths, env, out }: CommandContext): Promise<Proof> {
  const { createProof } = await import('../heartbeat/proven.ts');
  return createProof({ state: paths.state, env }, (text) => out.notice(`warning: ${text}`));
}

function summary(idle: boolean, exitCode: ExitCode, held: number): string {
  if (exitCode === EXIT.interrupted) return 'cut off: the next look goes on with it';
  if (exitCode !== EXIT.ok) return 'looked: not all is well, see `pullyu status`';
  if (held > 0) return 'looked: paused, `pullyu resume` ends it';
  return idle ? 'looked: nothing to do' : 'looked: all is well';
}

function answerOf(exitCode: ExitCode): string {
  if (exitCode === EXIT.interrupted) return 'the agent was told to end; the next look goes on';
  return exitCode === EXIT.ok
    ? 'the agent looked: all is well'
    : 'the agent looked: not all is well, see `pullyu status`';
}

/** Somebody else is at work: a daemon looks for us and answers; a one-shot look is told to look once more. */
async function lookElsewhere(
  options: LookOptions,
  context: CommandContext,
  isDaemon: boolean,
): Promise<ExitCode> {
  const { paths } = context;
  writeFileAtomic(join(paths.state, 'dirty'), '', { durable: false });
  if (isDaemon) {
    const answer = await askForLook(paths, context.signal);
    if (answer !== null && answer.exitCode !== EXIT.busy) {
      // What happened meanwhile is in the agent's own log.
      if (options.json) context.out.json({ idle: null, exitCode: answer.exitCode, events: [] });
      else context.out.line(answerOf(answer.exitCode));
      return answer.exitCode;
    }
    if (answer !== null)
      throw new PullyuError('busy', answer.message, {
        hint: '`pullyu status` shows which, `pullyu logs ACTION -f` follows it',
      });
  }
  const { readLockHolder } = await import('../system/lock.ts');
  const { lockFile } = await import('../agent/session.ts');
  throw busyError(readLockHolder(lockFile(paths)));
}
