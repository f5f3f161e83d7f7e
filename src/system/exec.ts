/** Child processes that we wait for (git, ssh, crontab, ...). Runs of actions are in runner/: they outlive us, these do not. */
import { type ChildProcess, spawn } from 'node:child_process';
import { errnoOf, PullyuError } from '../errors.ts';

export interface ExecOptions {
  readonly cwd?: string;
  /** The whole environment of the child. Nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Written to standard input; without it standard input is empty. */
  readonly input?: string | Uint8Array;
  /** Wall-clock limit. Required: nothing is without a deadline. */
  readonly timeoutMs: number;
  /** Ended when neither stdout nor stderr said anything for this long. */
  readonly stallMs?: number;
  /** Of stdout; more ends the child. Default 64 MiB. stderr keeps its last 64 KiB. */
  readonly maxOutputBytes?: number;
  readonly signal?: AbortSignal;
  /** Called with each piece of stderr, for progress. */
  readonly onStderr?: (text: string) => void;
  /** Readable by the child as file descriptor 3, once. For secrets, which must not be in argv or environment. */
  readonly secretInput?: string;
}

/** Why a child did not end by itself. First cause wins. */
export type Ended = 'exited' | 'timed-out' | 'stalled' | 'too-much-output' | 'aborted';

/** A child that exits non-zero is a result, not an exception. */
export interface ExecResult {
  readonly ended: Ended;
  /** null when it was ended by a signal. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const STDERR_KEPT = 64 * 1024;
const KILL_AFTER_MS = 2_000;

/**
 * Runs a program to its end, as leader of its own process group; a deadline ends the whole group, TERM then KILL.
 * @throws PullyuError `program-missing` when it cannot be started.
 */
export function exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    const [file, ...args] = argv;
    if (file === undefined) throw new TypeError('exec: empty argv');
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: { ...options.env },
      detached: true,
      stdio: [
        options.input === undefined ? 'ignore' : 'pipe',
        'pipe',
        'pipe',
        options.secretInput === undefined ? 'ignore' : 'pipe',
      ],
    });
    const stdout: Buffer[] = [];
    let stdoutBytes = 0;
    let stderr = '';
    let ended: Ended = 'exited';
    let killTimer: NodeJS.Timeout | undefined;
    let stallTimer: NodeJS.Timeout | undefined;

    const end = (why: Ended) => {
      if (ended !== 'exited' || child.exitCode !== null || child.signalCode !== null) return;
      ended = why;
      signalGroup(child, 'SIGTERM');
      killTimer = setTimeout(() => signalGroup(child, 'SIGKILL'), KILL_AFTER_MS);
    };
    const touch = () => {
      if (options.stallMs === undefined) return;
      clearTimeout(stallTimer);
      stallTimer = setTimeout(() => end('stalled'), options.stallMs);
    };
    const deadline = setTimeout(() => end('timed-out'), options.timeoutMs);
    const onAbort = () => end('aborted');
    options.signal?.addEventListener('abort', onAbort, { once: true });
    if (options.signal?.aborted) queueMicrotask(onAbort);
    touch();

    child.stdout?.on('data', (chunk: Buffer) => {
      touch();
      stdoutBytes += chunk.length;
      if (stdoutBytes > (options.maxOutputBytes ?? 64 * 1024 * 1024)) end('too-much-output');
      else stdout.push(chunk);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      touch();
      stderr = (stderr + text).slice(-STDERR_KEPT);
      options.onStderr?.(text);
    });
    // A child may end without reading its input; that is its right.
    child.stdin?.on('error', () => {}).end(options.input);
    const secret = child.stdio[3];
    if (secret && 'end' in secret) secret.on('error', () => {}).end(options.secretInput);

    const cleanUp = () => {
      clearTimeout(deadline);
      clearTimeout(killTimer);
      clearTimeout(stallTimer);
      options.signal?.removeEventListener('abort', onAbort);
    };
    child.on('error', (error) => {
      cleanUp();
      reject(
        errnoOf(error) === 'ENOENT' || errnoOf(error) === 'EACCES'
          ? new PullyuError('program-missing', `expected the program "${file}", found none that can be run`, {
              hint: `install it, or put it on the PATH (${options.env.PATH ?? ''})`,
              cause: error,
            })
          : error,
      );
    });
    child.on('close', (exitCode, signal) => {
      cleanUp();
      resolve({ ended, exitCode, signal, stdout: Buffer.concat(stdout), stderr });
    });
    // A grandchild that keeps our pipes open must not keep us waiting for end-of-file.
    child.on('exit', () => {
      setTimeout(() => {
        for (const stream of child.stdio) stream?.destroy();
      }, 1_000).unref();
    });
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
