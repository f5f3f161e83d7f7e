/**
 * Tells systemd how the agent is (sd_notify(3)). Node cannot send datagrams to a Unix socket, so the program
 * `systemd-notify` does it, which is there wherever systemd is. Without NOTIFY_SOCKET every call does nothing.
 */
import { delay } from '../system/clock.ts';
import { exec } from '../system/exec.ts';

export interface Notifier {
  /** The agent has begun: send it before the first look, which may take long. */
  ready(): void;
  /** One line for `systemctl status`. Of several in a row only the newest is sent. */
  status(text: string): void;
  stopping(): void;
  /** Waits until what was said has been sent, and feeds the watchdog no more. */
  close(): Promise<void>;
}

export interface NotifierOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** Asked twice in each period of the watchdog: only a true feeds it. Let it say no when no look makes progress. */
  readonly isAlive: () => boolean;
  /** Told once when systemd cannot be told. */
  readonly onProblem: (text: string) => void;
  /** Default `['systemd-notify']`. */
  readonly program?: readonly string[];
}

const SEND_TIMEOUT_MS = 10_000;
const STATUS_MAX_LENGTH = 200;

/** How often the watchdog wants to be fed: half its time, in milliseconds. Null: there is none for this process. */
export function watchdogPeriodMs(env: NotifierOptions['env'], pid: number): number | null {
  const microseconds = Number(env.WATCHDOG_USEC ?? '0');
  if (!Number.isFinite(microseconds) || microseconds <= 0) return null;
  if (env.WATCHDOG_PID !== undefined && Number(env.WATCHDOG_PID) !== pid) return null;
  return Math.max(1, Math.floor(microseconds / 2_000));
}

export function createNotifier(options: NotifierOptions): Notifier {
  const socket = options.env.NOTIFY_SOCKET;
  if (!socket) return { ready() {}, status() {}, stopping() {}, close: async () => {} };

  const stop = new AbortController();
  /** What is still to be said, by variable: a newer status replaces an older one. */
  const waiting = new Map<string, string>();
  let sending: Promise<void> | null = null;
  let complained = false;

  const say = (name: string, value: string) => {
    waiting.set(name, value);
    sending ??= sendAll().finally(() => {
      sending = null;
    });
  };
  const sendAll = async () => {
    while (waiting.size > 0) {
      const words = Array.from(waiting, ([name, value]) => `${name}=${value}`);
      waiting.clear();
      const problem = await send(words, socket, options);
      if (problem !== null && !complained) {
        complained = true;
        options.onProblem(`systemd cannot be told how the agent is: ${problem}`);
      }
    }
  };
  const feed = async (periodMs: number) => {
    while (!stop.signal.aborted) {
      if (options.isAlive()) say('WATCHDOG', '1');
      await delay(periodMs, stop.signal);
    }
  };

  const periodMs = watchdogPeriodMs(options.env, options.pid);
  const feeding = periodMs === null ? Promise.resolve() : feed(periodMs);
  return {
    ready: () => say('READY', '1'),
    status: (text) => say('STATUS', text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, STATUS_MAX_LENGTH)),
    stopping: () => say('STOPPING', '1'),
    async close() {
      stop.abort();
      await feeding;
      await sending;
    },
  };
}

/** @returns what went wrong, or null. */
async function send(
  words: readonly string[],
  socket: string,
  options: NotifierOptions,
): Promise<string | null> {
  try {
    const result = await exec([...(options.program ?? ['systemd-notify']), ...words], {
      env: { PATH: options.env.PATH ?? '/usr/bin:/bin', NOTIFY_SOCKET: socket },
      timeoutMs: SEND_TIMEOUT_MS,
    });
    if (result.exitCode === 0) return null;
    return result.stderr.trim().split('\n')[0] || `systemd-notify ${result.ended}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
