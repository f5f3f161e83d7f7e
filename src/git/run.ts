/** Every call of git goes through here: SAFETY.md §2.5. Nothing is inherited, nothing prompts, nothing runs by itself, all ends. */
import { type ExecResult, exec } from '../system/exec.ts';
import { processesMarked, signalProcess } from '../system/processes.ts';
import type { Access } from './access.ts';

export interface GitOptions {
  /** Explicit, so that git never looks for one (and never asks who owns it). */
  readonly gitDir?: string;
  readonly cwd?: string;
  readonly timeoutMs: number;
  /** Ended when it says nothing for so long. */
  readonly stallMs?: number;
  readonly input?: string | Uint8Array;
  /** On top of the profile's environment (`GIT_INDEX_FILE`, the mark of `ownerMark`, another PATH). */
  readonly env?: Readonly<Record<string, string>>;
  /** Without it no protocol is allowed at all. */
  readonly access?: Access;
  readonly maxOutputBytes?: number;
  readonly signal?: AbortSignal;
  readonly onStderr?: (text: string) => void;
  /** No file that git writes may grow larger; it ends with SIGXFSZ then. */
  readonly fileMaxBytes?: number;
  /** A blobless clone fetches what it lacks when it is read: only there, and only together with `access`. */
  readonly lazyFetch?: boolean;
  /** More `key=value` for `git -c`. */
  readonly config?: readonly string[];
}

/** The variable that marks each git process with the state folder that it works for. Children inherit it. */
const OWNER = 'PULLYU_OWNER';

const PROFILE: readonly string[] = [
  'transfer.fsckObjects=true',
  'transfer.bundleURI=false',
  'transfer.credentialsInUrl=die',
  'http.followRedirects=false',
  // Below what a server sends while it still counts objects (a keep-alive every 5 s and its progress), above a dribble.
  'http.lowSpeedLimit=10',
  'http.lowSpeedTime=60',
  'credential.helper=',
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.attributesFile=/dev/null',
  'core.excludesFile=/dev/null',
  'core.useReplaceRefs=false',
  'core.protectHFS=true',
  'core.protectNTFS=true',
  'core.quotePath=false',
  'core.autocrlf=false',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=no',
  'fetch.unpackLimit=1',
  'fetch.writeCommitGraph=false',
  'gc.auto=0',
  'maintenance.auto=false',
  // Git < 2.36 does not know it, but has always synced packs, and loose objects are not made (unpackLimit).
  'core.fsync=all',
  'safe.bareRepository=explicit',
  'sideband.allowControlCharacters=false',
  'advice.detachedHead=false',
];

const PROFILE_ARGS = PROFILE.flatMap((setting) => ['-c', setting]);

/** Environment that marks a git process as working for this state folder: see `killOrphanedGit`. */
export function ownerMark(stateDir: string): Record<string, string> {
  return { [OWNER]: stateDir };
}

/**
 * Runs git to its end. A git that exits non-zero is a result.
 * @throws what `exec` throws when git cannot be started: `troubleFromError` gives that its name.
 */
export function runGit(args: readonly string[], o: GitOptions): Promise<ExecResult> {
  const config = [...(o.config ?? []), ...(o.access?.config ?? [])].flatMap((setting) => ['-c', setting]);
  const gitDir = o.gitDir === undefined ? [] : [`--git-dir=${o.gitDir}`];
  const git = ['git', ...PROFILE_ARGS, ...config, ...gitDir, ...args];
  return exec(limited(git, o.fileMaxBytes), {
    cwd: o.cwd ?? '/',
    env: {
      PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
      LC_ALL: 'C',
      HOME: '/nonexistent',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_ATTR_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: '/bin/false',
      SSH_ASKPASS: '/bin/false',
      GIT_NO_REPLACE_OBJECTS: '1',
      GIT_PROTOCOL_FROM_USER: '0',
      GIT_ALLOW_PROTOCOL: '',
      GIT_OPTIONAL_LOCKS: '0',
      ...(o.lazyFetch ? {} : { GIT_NO_LAZY_FETCH: '1' }),
      ...o.env,
      ...o.access?.env,
    },
    timeoutMs: o.timeoutMs,
    ...(o.stallMs === undefined ? {} : { stallMs: o.stallMs }),
    ...(o.input === undefined ? {} : { input: o.input }),
    ...(o.maxOutputBytes === undefined ? {} : { maxOutputBytes: o.maxOutputBytes }),
    ...(o.signal === undefined ? {} : { signal: o.signal }),
    ...(o.onStderr === undefined ? {} : { onStderr: o.onStderr }),
    ...(o.access?.secretInput === undefined ? {} : { secretInput: o.access.secretInput }),
  });
}

/** A shell in front is the only portable way to a limit and a umask that hold for git alone; it costs about a millisecond. */
function limited(git: readonly string[], fileMaxBytes: number | undefined): readonly string[] {
  const steps: string[] = [];
  // Files of trees are read by scripts of other users.
  if (process.umask() !== 0o022) steps.push('umask 022');
  // POSIX: blocks of 512 bytes.
  if (fileMaxBytes !== undefined) steps.push(`ulimit -f ${Math.max(1, Math.ceil(fileMaxBytes / 512))}`);
  return steps.length === 0 ? git : ['sh', '-c', `${steps.join('; ')}; exec "$@"`, 'sh', ...git];
}

/**
 * Ends every git that an agent which is gone has left at work on this state folder (its own deadline died with it).
 * Call only while holding the host's lock and before any git of our own runs.
 * @returns how many there were.
 */
export function killOrphanedGit(stateDir: string): number {
  return processesMarked(OWNER, stateDir).filter((orphan) => signalProcess(orphan, 'SIGKILL')).length;
}
