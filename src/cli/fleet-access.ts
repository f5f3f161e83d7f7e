/** The fleet for a command: which stores, who is expected, and what is said about what goes wrong on the way. Works on a host and anywhere else. */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { readValidView } from '../agent/host-view.ts';
import { readIdentity } from '../agent/identity.ts';
import { statusFolder } from '../agent/status-folder.ts';
import { parseDuration } from '../config/duration.ts';
import { defaultLimits } from '../config/limits.ts';
import { whatIsWrongWithNats, whatIsWrongWithRemote } from '../config/remote.ts';
import { PullyuError } from '../errors.ts';
import { decideSshFolder } from '../git/ssh.ts';
import type { FleetHost } from '../model/fleet.ts';
import type { HostConfig, StatusConfig } from '../model/host.ts';
import { type Labels, matchesSelector } from '../model/labels.ts';
import type { ExpectedHost } from '../model/presence.ts';
import { printable } from '../model/printable.ts';
import { NO_ACCESS } from '../model/repo.ts';
import type { Result, Trouble } from '../model/trouble.ts';
import { openStores } from '../presence/open-stores.ts';
import { createFleetReader, type FleetReader } from '../presence/read-fleet.ts';
import type { CommandContext } from './context.ts';
import { readExpected } from './fleet-expected.ts';

/** Of every command that reads the fleet. */
export interface FleetAccessOptions {
  readonly status?: readonly string[];
  readonly credentials?: string;
  readonly sshKey?: string;
  readonly knownHosts?: string;
  readonly hosts?: string;
  readonly label?: Labels;
}

export interface FleetAccess {
  readonly reader: FleetReader;
  /** Of this host; null when it is none. */
  readonly config: HostConfig | null;
  readonly expected: readonly ExpectedHost[] | null;
  /** Hosts with the labels that were asked for. @throws PullyuError `unreachable`, `refused`, `failed`. */
  read(): Promise<readonly FleetHost[]>;
  /** As they look now, without asking anybody. */
  picture(): readonly FleetHost[];
}

/** Closes the reader in any case. */
export async function withFleet<T>(
  options: FleetAccessOptions,
  context: CommandContext,
  work: (fleet: FleetAccess) => Promise<T>,
): Promise<T> {
  const config = await readOwnConfig(context);
  const { status, folders } = decideStatusOf(options, config, context);
  const expected = await readExpected(options.hosts ?? null, config, context);
  const opened = openStores(status, {
    folder: folders.cache,
    env: context.env,
    sshFolder: decideSshFolder(folders.cache, process.getuid?.() ?? 0),
    limits: config?.limits ?? defaultLimits,
    clock: context.clock,
  });
  if (opened.length === 0)
    throw new PullyuError('usage', 'expected a git repository, found only NATS servers');
  const reader = createFleetReader(
    opened.map(({ store }) => store),
    { folder: folders.pins, clock: context.clock },
  );
  const isMeant = ({ labels }: FleetHost) => matchesSelector(options.label ?? null, labels);
  try {
    return await work({
      reader,
      config,
      expected,
      async read() {
        const reading = must(await reader.read(expected, context.signal));
        for (const one of reading.troubles) context.out.notice(`note: ${describeTrouble(one)}`);
        return reading.hosts.filter(isMeant);
      },
      picture: () => reader.picture(expected).filter(isMeant),
    });
  } finally {
    await reader.close();
  }
}

/** null anywhere but on a host. Somebody who may not read its state has none either, and says where to look with --status. */
async function readOwnConfig({ paths }: CommandContext): Promise<HostConfig | null> {
  const id = readIdentity(paths.state);
  return id === null ? null : (await readValidView(paths, id)).view.config;
}

interface Folders {
  /** May be deleted. */
  readonly cache: string;
  /** Which key was seen first for a host. */
  readonly pins: string;
}

function decideStatusOf(
  options: FleetAccessOptions,
  config: HostConfig | null,
  context: CommandContext,
): { status: StatusConfig; folders: Folders } {
  const given = options.status ?? (context.env.PULLYU_STATUS ?? '').split(/[\s,]+/).filter(Boolean);
  if (given.length > 0)
    return { status: statusOf(given, options, context), folders: foldersOf(given, context) };
  if (config?.status) {
    const folder = join(statusFolder(context.paths), 'commands');
    return { status: config.status, folders: { cache: folder, pins: folder } };
  }
  throw new PullyuError(
    'usage',
    config === null
      ? 'expected to be told where the hosts publish, found neither --status nor PULLYU_STATUS'
      : 'expected `status` in host.yaml, or --status URL, found neither',
    { hint: '--status https://git.example.com/status.git; docs/fleet.md tells how hosts begin to publish' },
  );
}

function statusOf(
  given: readonly string[],
  { credentials, sshKey, knownHosts }: FleetAccessOptions,
  { cwd }: CommandContext,
): StatusConfig {
  const path = (text: string | undefined) => (text === undefined ? null : resolve(cwd, text));
  const servers = given.filter((url) => /^(?:nats|tls):\/\//.test(url));
  const shards = given.filter((url) => !servers.includes(url));
  const [wrong] = [...servers.map(whatIsWrongWithNats), ...shards.map(whatIsWrongWithRemote)].filter(
    (one) => one !== null,
  );
  if (wrong !== undefined) {
    throw new PullyuError('usage', `--status: ${wrong}`, {
      hint: 'user and password, or a token, belong in the file that --credentials names',
    });
  }
  const isForGit = shards.length > 0;
  return {
    shards,
    access: {
      ...NO_ACCESS,
      credentialsFile: isForGit ? path(credentials) : null,
      sshKey: path(sshKey),
      sshKnownHosts: path(knownHosts),
    },
    nats:
      servers.length === 0
        ? null
        : {
            servers,
            credentialsFile: isForGit ? null : path(credentials),
            tlsCa: null,
            tlsCert: null,
            tlsKey: null,
          },
    heartbeatMs: parseDuration('5m')!,
    facts: null,
  };
}

/** With --root below it, else the person's own folders: root has some too, and a laptop is no host. */
function foldersOf(given: readonly string[], { paths, env }: CommandContext): Folders {
  const name = createHash('sha256').update(given.join(' ')).digest('hex').slice(0, 16);
  if (paths.root !== null) {
    const folder = join(paths.root, 'var/lib/pullyu-fleet', name);
    return { cache: folder, pins: folder };
  }
  const home = env.HOME && isAbsolute(env.HOME) ? env.HOME : homedir();
  const xdg = (variable: string, fallback: string) => {
    const value = env[variable];
    return join(value && isAbsolute(value) ? value : join(home, fallback), 'pullyu/fleet', name);
  };
  return { cache: xdg('XDG_CACHE_HOME', '.cache'), pins: xdg('XDG_STATE_HOME', '.local/state') };
}

const REFUSED: ReadonlySet<Trouble['code']> = new Set(['auth-refused', 'forbidden', 'not-found', 'host-key']);
const UNREACHABLE: ReadonlySet<Trouble['code']> = new Set([
  'dns',
  'unreachable',
  'silent',
  'tls',
  'slow-down',
  'server-error',
  'redirected',
  'not-git',
  'empty-answer',
]);

/** The value, or what was wrong as an error of the command. */
export function must<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  const { code, message, hint } = result.trouble;
  const kind = UNREACHABLE.has(code) ? 'unreachable' : REFUSED.has(code) ? 'refused' : 'failed';
  throw new PullyuError(kind, message, hint === null ? {} : { hint });
}

export function describeTrouble({ code, message }: Trouble): string {
  return `${code}: ${printable(message, 400)}`;
}
