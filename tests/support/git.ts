import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An author, a clock and no configuration of this machine: the same commands give the same commit ids everywhere. */
export const gitEnvironment = {
  PATH: process.env.PATH ?? '/usr/bin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C.UTF-8',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_AUTHOR_NAME: 'Ada Example',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada Example',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
} as const;

export interface GitOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  readonly input?: string | Buffer;
  readonly timeoutMs?: number;
}

/** Runs real git and returns its trimmed output. @throws Error with git's own words when it fails. */
export async function git(args: readonly string[], options: GitOptions = {}): Promise<string> {
  const promise = run('git', ['-c', 'protocol.file.allow=always', ...args], {
    cwd: options.cwd,
    env: { ...gitEnvironment, ...options.env },
    timeout: options.timeoutMs ?? 60_000,
    maxBuffer: 256 * 1024 * 1024,
  });
  promise.child.stdin?.on('error', () => {}).end(options.input ?? '');
  const { stdout } = await promise;
  return stdout.trim();
}
