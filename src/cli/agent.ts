/** `pullyu agent`: the daemon. */

import { runDaemon } from '../agent/daemon.ts';
import { takeLock } from '../agent/session.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { showLife } from '../heartbeat/daemon.ts';
import { isLate } from '../heartbeat/duty.ts';
import { createNotifier } from '../heartbeat/notify.ts';
import { createProof } from '../heartbeat/proven.ts';
import type { AgentEvent } from '../model/event.ts';
import { delay } from '../system/clock.ts';
import type { Lock } from '../system/lock.ts';
import type { CommandContext } from './context.ts';
import { formatEvent, formatEventJson } from './event-lines.ts';

export interface AgentOptions {
  /** One JSON object a line instead of text. */
  readonly json?: boolean;
}

/** How long a new agent waits for a look that is at work to end. Another agent is never waited for. */
const LOCK_WAIT_MS = 10 * 60_000;

export async function runAgent(options: AgentOptions, context: CommandContext): Promise<ExitCode> {
  const { paths, clock, env, signal, out } = context;
  // A log on a full disk must not end the agent.
  process.stderr.on('error', () => {});
  let lastLife = clock.now();
  let intervalMs = 60_000;
  const notifier = createNotifier({
    env,
    pid: process.pid,
    isAlive: () => !isLate(clock.now(), lastLife, intervalMs),
    onProblem: (text) => out.notice(`warning: ${text}`),
  });
  const emit = (event: AgentEvent) => {
    if (event.type === 'agent-started') intervalMs = event.intervalMs;
    if (event.type === 'progress' || event.type === 'cloning') {
      lastLife = clock.now();
      showLife(paths.state, lastLife);
      if (event.type === 'progress' && !out.isTerminal) return;
    }
    const line = options.json ? formatEventJson(event, clock.now()) : formatEvent(event, out);
    if (line !== null)
      out.line(options.json || out.isTerminal ? line : `${new Date(clock.now()).toISOString()} ${line}`);
  };
  const proof = createProof({ state: paths.state, env }, (text) => out.notice(`warning: ${text}`));
  let failures = 0;
  let lock: Lock | null = null;
  let waitsFor = '';
  try {
    lock = await waitForLock(context, (text) => {
      lastLife = clock.now();
      if (text === waitsFor) return;
      waitsFor = text;
      // Now already: a systemd that has to wait gives the agent up, and `pullyu install` with it.
      notifier.ready();
      notifier.status(text);
    });
    if (lock === null) return EXIT.ok;
    notifier.ready();
    const why = await runDaemon(
      lock,
      { paths, clock, env: withoutSupervisor(env), signal, emit, mode: 'agent' },
      {
        onLook(text) {
          lastLife = clock.now();
          notifier.status(text);
        },
        onReport(report) {
          // One that was cut off says nothing, least of all that this version reaches a remote.
          if (report.exitCode === EXIT.interrupted) return null;
          failures = report.failures > 0 ? failures + 1 : 0;
          const makesWay = proof.judge({ worked: failures === 0, failures, now: clock.now() });
          return makesWay ? 'another version of pullyu is to be started in its place' : null;
        },
        onLife() {
          lastLife = clock.now();
          showLife(paths.state, lastLife);
        },
      },
    );
    emit({ type: 'agent-stopping', why: why ?? 'it was told to' });
    notifier.stopping();
    return EXIT.ok;
  } finally {
    lock?.release();
    await notifier.close();
  }
}

/**
 * @param onWait Told again and again while a look is waited for.
 * @returns null when it was told to end before. @throws PullyuError `busy` when another agent is at work.
 */
async function waitForLock(context: CommandContext, onWait: (text: string) => void): Promise<Lock | null> {
  const deadline = context.clock.monotonic() + LOCK_WAIT_MS;
  let said = false;
  while (!context.signal.aborted) {
    const taken = takeLock(context.paths, 'agent');
    if ('lock' in taken) return taken.lock;
    const { holder } = taken;
    if (holder?.command === 'agent' || context.clock.monotonic() > deadline) {
      throw new PullyuError(
        'busy',
        `an agent is at work on this host already (process ${holder?.pid ?? 'unknown'})`,
        {
          hint: 'one agent is enough; `pullyu status` shows what it does',
        },
      );
    }
    const text = `waits for pullyu ${holder?.command ?? ''} (process ${holder?.pid ?? 'unknown'}) to end`;
    if (!said) context.out.notice(text);
    said = true;
    onWait(text);
    await delay(100, context.signal);
  }
  return null;
}

/** What systemd says to the agent is not for its children. */
function withoutSupervisor(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const { NOTIFY_SOCKET: _socket, WATCHDOG_USEC: _usec, WATCHDOG_PID: _pid, ...rest } = env;
  return rest;
}
