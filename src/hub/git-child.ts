/** git at the service of strangers: the calls that the hub makes, with limits on time and memory, and nothing inherited. */
import { type ExecResult, exec } from '../system/exec.ts';
import { type Piped, startPiped } from '../system/piped.ts';
import { formatProtocolVersion, type ProtocolVersion } from './protocol-version.ts';

/** The program's own service of one request: `git upload-pack --stateless-rpc`. */
export interface GitCall {
  readonly service: 'upload-pack' | 'receive-pack';
  readonly folder: string;
  readonly version: ProtocolVersion;
  /** Says what there is and ends. */
  readonly advertise?: boolean;
  readonly timeoutMs: number;
  readonly limits: GitLimits;
  readonly signal?: AbortSignal;
}

export interface GitLimits {
  /** Of the data of each process; packs are mapped and do not count. */
  readonly memoryMaxBytes: number;
  /** Of one push. */
  readonly pushMaxBytes: number;
}

const SETTINGS: readonly string[] = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.attributesFile=/dev/null',
  // An accepted push survives a power cut.
  'core.fsync=all',
  'gc.auto=0',
  'receive.autogc=false',
  'transfer.fsckObjects=true',
  'transfer.advertiseSID=false',
  'uploadpack.allowFilter=true',
  // Protocol v2 gives any object to whoever knows its id. With v0 too, a blobless clone can get what it left out.
  'uploadpack.allowAnySHA1InWant=true',
  'uploadpack.keepAlive=5',
  // Each process works on one core, with a bounded window.
  'pack.threads=1',
  'pack.windowMemory=128m',
  'core.bigFileThreshold=32m',
  'core.packedGitLimit=1g',
];

/** The service as it flows. What it says on stderr is for our log only. */
export function startGit(call: GitCall): Piped {
  return startPiped(argvOf(call), {
    env: environmentOf(call.version),
    timeoutMs: call.timeoutMs,
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  });
}

/** The same for short answers: what is advertised, and the list of refs. */
export function askGit(call: GitCall, input: string | Buffer = ''): Promise<ExecResult> {
  return exec(argvOf(call), {
    env: environmentOf(call.version),
    input,
    timeoutMs: call.timeoutMs,
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  });
}

function argvOf(call: GitCall): [string, ...string[]] {
  const settings = [...SETTINGS, `receive.maxInputSize=${call.limits.pushMaxBytes}`];
  const limit = `ulimit -d ${Math.ceil(call.limits.memoryMaxBytes / 1024)}; exec "$@"`;
  return [
    'sh',
    '-c',
    limit,
    'sh',
    'git',
    ...settings.flatMap((setting) => ['-c', setting]),
    call.service,
    '--stateless-rpc',
    ...(call.advertise ? ['--advertise-refs'] : []),
    call.folder,
  ];
}

function environmentOf(version: ProtocolVersion): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    LC_ALL: 'C',
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: '',
    // What is missing is missing: serving somebody is no reason to fetch.
    GIT_NO_LAZY_FETCH: '1',
    GIT_PROTOCOL: formatProtocolVersion(version),
  };
}
