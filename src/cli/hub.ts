/** `pullyu hub`: serves until the first SIGINT or SIGTERM, then lets what runs come to its end. */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EXIT, type ExitCode, errnoOf, PullyuError } from '../errors.ts';
import { createHub, type Hub } from '../hub/hub.ts';
import type { HubEvent } from '../hub/hub-event.ts';
import { type Mirror, startMirror } from '../hub/mirror.ts';
import { serve } from '../hub/serve.ts';
import type { TlsPaths } from '../hub/tls-files.ts';
import { readTokens } from '../hub/token-file.ts';
import type { CommandContext } from './context.ts';
import { type MirrorOptions, parseMirrors } from './hub-mirrors.ts';

export interface HubCommand extends MirrorOptions {
  readonly repos?: string;
  readonly listen: string;
  readonly anonymousRead?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly json?: boolean;
}

/** What runs when the hub is told to end may go on for so long. */
const STOP_WITHIN_MS = 10_000;

/** Of the terminal, or of whoever reads the lines of `--json`. */
type Line = HubEvent | { readonly type: 'listening'; readonly url: string } | { readonly type: 'stopping' };

export async function runHub(o: HubCommand, context: CommandContext): Promise<ExitCode> {
  const repos = reposFolder(o.repos, context);
  const { host, port } = parseListen(o.listen);
  const tls = tlsPaths(o, context);
  const tell = (line: Line) => {
    const time = new Date(context.clock.now()).toISOString();
    if (o.json) context.out.line(JSON.stringify({ time, ...line }));
    else context.out.line(`${time.replace(/\.\d+Z$/, 'Z')} ${sentenceOf(line)}`);
  };
  const wanted = parseMirrors(o, context.cwd);
  // Asked now, so that a list that cannot be read is told to whoever starts the hub.
  const tokens = readTokens(repos);
  let hub: Hub | null = null;
  const mirrors: (Mirror & { readonly name: string; readonly hookSecret: string | null })[] = [];
  for (const { hookSecret, ...settings } of wanted) {
    const { name } = settings;
    const mirror = await startMirror(settings, {
      folder: join(repos, `${name}.git`),
      clock: context.clock,
      env: context.env,
      onChanged: () => {
        hub?.changed(name);
        tell({ type: 'mirrored', repository: name });
      },
      onTrouble: (trouble) =>
        tell({ type: 'mirror-trouble', repository: name, message: trouble?.message ?? null }),
    });
    mirrors.push({ ...mirror, name, hookSecret });
  }
  hub = createHub({ repos, anonymousRead: o.anonymousRead === true, mirrors, clock: context.clock, tell });
  const serving = await serve(hub, { host, port, tls }).catch(async (error: unknown) => {
    await Promise.all(mirrors.map((mirror) => mirror.close()));
    throw listenError(error, o.listen) ?? error;
  });
  const shown = host.includes(':') ? `[${host}]` : host;
  tell({ type: 'listening', url: `${tls === null ? 'http' : 'https'}://${shown}:${serving.port}/` });
  if (tokens.length === 0 && !o.json)
    context.out.notice(
      'note: there are no tokens yet, so nobody can push; pullyu hub token create makes one',
    );
  await new Promise<void>((done) => {
    if (context.signal.aborted) done();
    context.signal.addEventListener('abort', () => done(), { once: true });
  });
  tell({ type: 'stopping' });
  await Promise.all([serving.close(STOP_WITHIN_MS), ...mirrors.map((mirror) => mirror.close())]);
  return EXIT.ok;
}

function sentenceOf(line: Line): string {
  switch (line.type) {
    case 'listening':
      return `listens on ${line.url}`;
    case 'stopping':
      return 'stops, and lets what runs come to its end';
    case 'pushed':
      return `${line.repository}: ${line.refs.join(', ')} pushed with token ${line.token} from ${line.address}`;
    case 'guessing':
      return `wrong tokens come from ${line.address}`;
    case 'busy':
      return `${line.repository}: no place for another ${line.lane}, told to come again`;
    case 'mirrored':
      return `${line.repository}: the mirror has new refs`;
    case 'mirror-trouble':
      return line.message === null
        ? `${line.repository}: the mirror is well again`
        : `${line.repository}: the mirror stays as it is: ${line.message}`;
    case 'failed':
      return `${line.repository}: ${line.message}`;
  }
}

/** @throws PullyuError */
export function reposFolder(text: string | undefined, context: Pick<CommandContext, 'cwd'>): string {
  if (text === undefined)
    throw new PullyuError('usage', 'expected --repos DIR, the folder of the bare repositories, found none', {
      hint: 'pullyu hub --help',
    });
  const folder = resolve(context.cwd, text);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
  throw new PullyuError('usage', `expected a folder for --repos, found none at ${folder}`, {
    hint: `mkdir ${folder} && git init --bare ${folder}/it.git`,
  });
}

/** `127.0.0.1:7420`, `[::1]:7420`, `hub.example.com:443`. */
function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match !== null && port <= 65_535) return { host: (match[1] ?? match[2])!, port };
  throw new PullyuError('usage', `expected ADDRESS:PORT for --listen, found ${JSON.stringify(text)}`, {
    hint: 'such as 127.0.0.1:7420, 0.0.0.0:443 or [::]:443',
  });
}

function tlsPaths(o: HubCommand, context: CommandContext): TlsPaths | null {
  if (o.tlsCert === undefined && o.tlsKey === undefined) return null;
  if (o.tlsCert !== undefined && o.tlsKey !== undefined)
    return { cert: resolve(context.cwd, o.tlsCert), key: resolve(context.cwd, o.tlsKey) };
  throw new PullyuError('usage', 'expected --tls-cert and --tls-key together, found one of them', {
    hint: 'give both, or neither',
  });
}

function listenError(error: unknown, listen: string): PullyuError | null {
  switch (errnoOf(error)) {
    case 'EADDRINUSE':
      return new PullyuError('failed', `expected to listen on ${listen}, found another program there`, {
        hint: 'end that one, or take another port with --listen',
      });
    case 'EACCES':
      return new PullyuError('no-permission', `no permission to listen on ${listen}`, {
        hint: 'ports below 1024 are for root; take another one, or put a proxy in front',
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new PullyuError('usage', `expected an address of this machine in --listen, found ${listen}`, {
        hint: '0.0.0.0 and [::] stand for all of them',
      });
    default:
      return null;
  }
}
