/** The one table of what git and ssh say when something is wrong, and what it means for us. LC_ALL=C makes it English. */
import { errnoOf, PullyuError } from '../errors.ts';
import { printable } from '../model/printable.ts';
import { type Trouble, type TroubleCode, trouble } from '../model/trouble.ts';
import type { ExecResult } from '../system/exec.ts';

export interface GitContext {
  /** What was being done, to continue "git could not ...": `fetch from the remote`. */
  readonly doing: string;
  /** The remote that was asked, without credentials; null when only the clone was read. */
  readonly remote?: string | null;
}

interface Row {
  readonly says: RegExp;
  readonly code: TroubleCode;
  readonly hint?: string;
  /** Only when a remote was asked. */
  readonly remoteOnly?: true;
}

const SLOW = 'the next look tries again; look at the load of the host and of its disk when it lasts';
/** Of a mount point, or of a file that a file server keeps for a program which still reads it. */
const BUSY = 'unmount it, or end the program that uses it; the next look tries again';
const NO_MEMORY = 'most likely the host ran out of memory; give it more, or set `clone: blobless`';

/** The first row that matches wins: causes before their consequences, ours before the remote's. */
const TABLE: readonly Row[] = [
  {
    says: /No space left on device|Disk quota exceeded|ENOSPC/i,
    code: 'disk-full',
    hint: 'free some space; the next look goes on by itself',
  },
  { says: /Read-only file system/i, code: 'read-only', hint: 'remount it read-write' },
  { says: /(Device or )?resource busy/i, code: 'git-failed', hint: BUSY },
  {
    says: /died of signal 25|File size limit exceeded|exceeds maximum allowed size/i,
    code: 'limit',
    hint: 'raise limits.fetchMax in host.yaml when the repository may be this large',
  },
  {
    says: /out of memory|Cannot allocate memory|died of signal 9\b/i,
    code: 'git-failed',
    hint: NO_MEMORY,
  },
  {
    says: /filter '?[^\n]*lfs[^\n]* failed|Error downloading object|Smudge error/i,
    code: 'unreachable',
    hint: 'a large file could not be fetched; for https, git-lfs needs credentialHelper (it cannot read a credentials file)',
  },
  {
    says: /dubious ownership/i,
    code: 'no-permission',
    hint: 'the files of the remote belong to another user than the one that pullyu runs as',
  },
  {
    says: /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i,
    code: 'host-key',
    hint: 'compare the key with what the server shows its owner, then write it into ssh.knownHosts (ssh-keyscan)',
  },
  { says: /error: (\d+ )?(429|503)\b|Too Many Requests/i, code: 'slow-down', remoteOnly: true },
  {
    says: /Could not resolve (host|proxy)|Name or service not known|Temporary failure in name resolution|nodename nor servname|No address associated with hostname|unable to look up/i,
    code: 'dns',
  },
  {
    says: /Authentication failed|could not read (Username|Password)|terminal prompts disabled|error: 401\b|Permission denied \([^)]*(publickey|password|keyboard)|Too many authentication failures|error: 407\b/i,
    code: 'auth-refused',
    hint: 'check `credentials`, credentialHelper or ssh.key of the repo: missing, expired or unknown there',
  },
  { says: /error: 403\b|access denied or repository not exported|DENIED by/i, code: 'forbidden' },
  {
    says: /error: 40[46]\b|error: 410\b|repository '[^']*' not found|Repository not found|does not appear to be a git repository|repository '[^']*' does not exist/i,
    code: 'not-found',
  },
  { says: /unable to update url base from redirection|error: 30\d\b/i, code: 'redirected' },
  {
    says: /SSL certificate|server certificate verification failed|SSL_ERROR|gnutls_handshake|SSL routines|TLS connect|certificate has expired|unable to get local issuer|error setting certificate|certificate subject name/i,
    code: 'tls',
  },
  {
    says: /error: 5\d\d\b|corruption on the remote side|remote: fatal/i,
    code: 'server-error',
    remoteOnly: true,
  },
  {
    says: /not valid: is this a git repository|invalid server response|bad line length character|protocol error: unexpected|invalid content-type|unexpected response to/i,
    code: 'not-git',
    remoteOnly: true,
  },
  // Ours, although its consequence looks like a cut connection.
  {
    says: /unresolved delta|did not (send all necessary objects|receive expected object)|Could not read [0-9a-f]{40}|unable to read [0-9a-f]{40}/i,
    code: 'clone-broken',
  },
  {
    says: /couldn't find remote ref|not our ref|no such remote ref|unadvertised object/i,
    code: 'ref-missing',
  },
  {
    says: /Operation too slow|Operation timed out|Connection timed out during banner exchange|Timeout, server .* not responding/i,
    code: 'silent',
    remoteOnly: true,
  },
  {
    says: /Connection (refused|reset|closed|timed out)|connect to (host|address)|unable to connect|Failed to connect|No route to host|Network is unreachable|Couldn't connect|port \d+ after \d+ ms/i,
    code: 'unreachable',
    remoteOnly: true,
  },
  {
    says: /early EOF|unexpected disconnect|hung up unexpectedly|RPC failed|Recv failure|Send failure|Empty reply|transfer closed|Could not read from remote repository|expected flush|unexpected EOF|the remote end|pack has bad object at offset|Broken pipe/i,
    code: 'unreachable',
    remoteOnly: true,
  },
  // Alone: what reads the pack ended without a word, and the connection was none the worse.
  { says: /invalid index-pack output/i, code: 'git-failed', hint: NO_MEMORY, remoteOnly: true },
  {
    says: /transport '[^']*' not allowed|is not a valid remote|no such transport|Unable to find remote helper/i,
    code: 'git-failed',
    hint: 'use a remote of http, https, ssh, git or a path',
  },
  { says: /invalid path '|cannot checkout|refusing to work with/i, code: 'hostile-tree' },
  {
    says: /bad object|loose object|object file|unable to read|not a git repository|bad (config|numeric|tree|signature|index)|index file|unable to create '[^']*\.lock|File exists|cannot lock ref|packed-refs|did not send all necessary objects|packfile|pack-objects|inflate|zlib|missing (blob|tree|commit|object)|config (line|file)|resolve reference|broken ref|sha1 pointer|valid object|not a (tree|commit|blob)|bad file|bad revision|ambiguous argument|valid commit|unresolved deltas|could not parse|failed to read|cache entry|HEAD|cannot read|could not read|unable to find|unknown repository extension|repo(sitory)? version|mismatched algorithms/i,
    code: 'clone-broken',
  },
  {
    says: /Permission denied|Operation not permitted/i,
    code: 'no-permission',
    hint: 'run as the user that owns the state folder',
  },
];

/** What a git that did not succeed has met. Never call it for a result that is a success. */
export function troubleFromGit(result: ExecResult, context: GitContext): Trouble {
  const remote = context.remote ?? null;
  const make = (code: TroubleCode, found: string, hint?: string) =>
    trouble(code, `git could not ${context.doing}: ${found}`, { remote, hint: hint ?? null });

  switch (result.ended) {
    case 'timed-out':
      return make(remote === null ? 'git-failed' : 'silent', 'it was ended at its deadline', SLOW);
    case 'stalled':
      return make(remote === null ? 'git-failed' : 'silent', 'it was ended after making no progress', SLOW);
    case 'too-much-output':
      return make('limit', 'it said more than the limit allows');
    case 'aborted':
      return make('git-failed', 'it was stopped', 'the next look goes on by itself');
    case 'exited':
  }
  if (result.exitCode === 126 || result.exitCode === 127) {
    return make(
      'git-missing',
      `no git could be run (${firstComplaint(result.stderr)})`,
      'install git (2.20 or newer)',
    );
  }
  const row = TABLE.find((r) => (remote !== null || !r.remoteOnly) && r.says.test(result.stderr));
  if (row) return make(row.code, firstComplaint(result.stderr, row.says), row.hint);
  if (result.signal === 'SIGXFSZ') return make('limit', 'a file grew larger than the limit allows');
  if (result.signal === 'SIGKILL') return make('git-failed', 'it was killed', NO_MEMORY);
  const how = result.signal === null ? `exit code ${result.exitCode}` : `signal ${result.signal}`;
  const said = firstComplaint(result.stderr);
  return make('git-failed', said === '' ? `it ended with ${how} and said nothing` : `${said} (${how})`);
}

/**
 * The trouble that an exception of starting git (or of our own files) stands for, or null: then it is a surprise.
 * Also finds the trouble in an error made by `troubleError`.
 */
export function troubleFromError(error: unknown, context: GitContext): Trouble | null {
  if (!(error instanceof Error)) return null;
  if (error instanceof TroubleError) return error.trouble;
  const make = (code: TroubleCode, message: string, hint: string | null) =>
    trouble(code, message, { hint, remote: context.remote ?? null });
  const code = errnoOf(error);
  if (error instanceof PullyuError) {
    if (error.code === 'program-missing') return make('git-missing', error.message, error.hint);
    if (error.code === 'disk-full' || error.code === 'read-only' || error.code === 'no-permission') {
      return make(error.code, error.message, error.hint);
    }
    return null;
  }
  if ('syscall' in error && String(error.syscall).startsWith('spawn')) {
    // A file that is no program (ENOEXEC), or no process left (EAGAIN).
    return make(
      code === 'EAGAIN' || code === 'ENOMEM' ? 'git-failed' : 'git-missing',
      `git could not be started to ${context.doing}: ${readable(error.message)}`,
      'check that `git --version` works for this user',
    );
  }
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return make(
        'disk-full',
        `no space is left to ${context.doing}`,
        'free some space; the next look goes on by itself',
      );
    case 'EROFS':
      return make(
        'read-only',
        `the file system is read-only, cannot ${context.doing}`,
        'remount it read-write',
      );
    case 'EBUSY':
      return make('git-failed', `cannot ${context.doing}: ${readable(error.message)}`, BUSY);
    case 'EACCES':
    case 'EPERM':
      return make('no-permission', `no permission to ${context.doing}: ${readable(error.message)}`, null);
    default:
      return null;
  }
}

/** For reads whose answer has no room for a trouble. The loop finds it again with `troubleFromError`. */
export class TroubleError extends PullyuError {
  readonly trouble: Trouble;

  constructor(problem: Trouble) {
    super('failed', problem.message, problem.hint === null ? {} : { hint: problem.hint });
    this.trouble = problem;
  }
}

/**
 * Would throwing the clone away help? Not when the remote, the disk or git itself is to blame. A `git-failed` with a
 * hint has a known cause, which is another one.
 */
export function isCloneTrouble(problem: Trouble): boolean {
  return problem.code === 'clone-broken' || (problem.code === 'git-failed' && problem.hint === null);
}

/** Something in the way is in use: another folder in its place helps, another clone does not. */
export function isBusyTrouble(problem: Trouble): boolean {
  return problem.hint === BUSY;
}

/** The line that says what went wrong, one line, escaped and without credentials. `says` prefers the line that it matches. */
function firstComplaint(stderr: string, says?: RegExp): string {
  const lines = stderr
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const chosen =
    (says && lines.find((line) => says.test(line))) ??
    lines.find((line) => /^(fatal|error):/.test(line)) ??
    lines.at(-1) ??
    '';
  return readable(chosen.replace(/^(fatal|error): /, ''));
}

/** Text of git, fit to be printed: one line, escaped, without the credentials of URLs. */
export function readable(text: string): string {
  return printable(text.replace(/:\/\/[^/\s@]*@/g, '://'), 300);
}
