/** `pullyu agent` of the demo's host, and what it says, line by line with the times that it gives them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { delay } from '../system/clock.ts';

export interface AgentLine {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly text: string;
  /** Goes on with the line before. */
  readonly isMore?: boolean;
}

export interface Agent {
  /** All that it has said so far; what belongs to one event has one time. */
  lines(): readonly AgentLine[];
  /** Called with each further line, until the end. */
  onLine(hear: (line: AgentLine) => void): void;
  isRunning(): boolean;
  close(): Promise<void>;
}

const LINES_KEPT = 2_000;
const STOP_MS = 5_000;

export function startAgent(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
): Agent {
  const [file, ...args] = argv;
  // A group of its own: Ctrl-C is for the demo, which then ends the agent in its own time.
  const child: ChildProcess = spawn(file!, args, {
    cwd,
    env: { ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: AgentLine[] = [];
  let hear: (line: AgentLine) => void = () => {};
  let running = true;
  const add = (text: string) => {
    const stamped = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) (.*)$/.exec(text);
    const line = stamped
      ? { at: Date.parse(stamped[1]!), text: stamped[2]! }
      : { at: lines.at(-1)?.at ?? Date.now(), text, isMore: true };
    lines.push(line);
    if (lines.length > LINES_KEPT) lines.shift();
    hear(line);
  };
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop()!;
      parts.forEach(add);
    });
  }
  child.once('exit', (code, signal) => {
    running = false;
    add(`(the agent ended, ${signal ?? `exit code ${code}`})`);
  });
  child.once('error', (error) => {
    running = false;
    add(`(the agent could not be started: ${error.message})`);
  });
  return {
    lines: () => lines,
    onLine: (listener) => {
      hear = listener;
    },
    isRunning: () => running,
    async close() {
      hear = () => {};
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        if (!running) return;
        const waiting = new AbortController();
        child.kill(signal);
        await Promise.race([once(child, 'exit'), delay(STOP_MS, waiting.signal)]);
        waiting.abort();
      }
    },
  };
}
