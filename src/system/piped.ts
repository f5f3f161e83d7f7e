/** A child process whose input and output flow while it runs. `exec` holds a whole answer in memory; this holds nothing. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { errnoOf, PullyuError } from '../errors.ts';

export interface PipedOptions {
  readonly cwd?: string;
  /** The whole environment of the child. Nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Wall-clock limit. Required: nothing is without a deadline. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface PipedResult {
  /** First cause wins. */
  readonly ended: 'exited' | 'timed-out' | 'aborted';
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Its last 16 KiB. */
  readonly stderr: string;
}

export interface Piped {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when the child is gone, also when nobody has read its output. Rejects when it could not be started. */
  readonly ended: Promise<PipedResult>;
  /** Ends its whole group, TERM then KILL. */
  end(): void;
}

const STDERR_KEPT = 16 * 1024;
const KILL_AFTER_MS = 2_000;

/** Starts a program as leader of its own process group. */
export function startPiped(argv: readonly [string, ...string[]], o: PipedOptions): Piped {
  const [file, ...args] = argv;
  const child = spawn(file, args, {
    cwd: o.cwd,
    env: { ...o.env },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let why: PipedResult['ended'] = 'exited';
  let stderr = '';
  let killTimer: NodeJS.Timeout | undefined;
  const end = (reason: PipedResult['ended']) => {
    if (killTimer !== undefined || child.exitCode !== null || child.signalCode !== null) return;
    why = reason;
    signalGroup(child, 'SIGTERM');
    killTimer = setTimeout(() => signalGroup(child, 'SIGKILL'), KILL_AFTER_MS);
  };
  const deadline = setTimeout(() => end('timed-out'), o.timeoutMs);
  const onAbort = () => end('aborted');
  o.signal?.addEventListener('abort', onAbort, { once: true });
  if (o.signal?.aborted) queueMicrotask(onAbort);
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT);
  });
  // A child may end without reading its input; that is its right.
  child.stdin.on('error', () => {});
  child.stdout.on('error', () => {});
  const cleanUp = () => {
    clearTimeout(deadline);
    clearTimeout(killTimer);
    o.signal?.removeEventListener('abort', onAbort);
  };
  const ended = new Promise<PipedResult>((resolve, reject) => {
    child.on('error', (error) => {
      cleanUp();
      reject(startError(error, file, o.env.PATH ?? ''));
    });
    child.on('exit', (exitCode, signal) => {
      cleanUp();
      // What it said last may still be in the pipe.
      setImmediate(() => resolve({ ended: why, exitCode, signal, stderr }));
      // A grandchild that keeps our pipes open keeps nobody waiting.
      setTimeout(() => {
        child.stdin.destroy();
        child.stderr.destroy();
      }, 1_000).unref();
    });
  });
  ended.catch(() => {});
  return { stdin: child.stdin, stdout: child.stdout, ended, end: () => end('aborted') };
}

function startError(error: Error, file: string, path: string): Error {
  if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'EACCES') return error;
  return new PullyuError('program-missing', `expected the program "${file}", found none that can be run`, {
    hint: `install it, or put it on the PATH (${path})`,
    cause: error,
  });
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone: that is what we wanted.
  }
}
