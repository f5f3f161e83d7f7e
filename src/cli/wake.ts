import { resolve } from 'node:path';
import { readValidView } from '../agent/host-view.ts';
import { readIdentity } from '../agent/identity.ts';
import { whatIsWrongWithNats } from '../config/remote.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import type { NatsConfig } from '../model/host.ts';
import { type CommitId, isCommitId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import { isWakeRef, type Wake } from '../model/wake.ts';
import { isNatsName } from '../presence/nats-names.ts';
import { publishWake } from '../presence/wakes.ts';
import { timeoutSignal } from '../system/clock.ts';
import type { CommandContext } from './context.ts';
import { must } from './fleet-access.ts';

export interface WakeCommandOptions {
  readonly ref?: string | undefined;
  readonly commit?: string | undefined;
  readonly nats?: readonly string[] | undefined;
  readonly credentials?: string | undefined;
  readonly tlsCa?: string | undefined;
  readonly json?: boolean | undefined;
}

const TIMEOUT_MS = 10_000;

/** `pullyu wake`: hosts that follow the repo look now. @throws PullyuError `usage`, `unreachable`, `refused`, `failed`. */
export async function runWake(
  repo: string,
  options: WakeCommandOptions,
  context: CommandContext,
): Promise<ExitCode> {
  const wake = parseWanted(repo, options);
  const config = await decideNats(options, context);
  const signal = AbortSignal.any([context.signal, timeoutSignal(TIMEOUT_MS)]);
  must(await publishWake(config, wake, { clock: context.clock, signal }));
  const { servers } = config;
  if (options.json) context.out.json({ ...wake, servers });
  else context.out.line(`hosts that follow ${repo} were told to look, by ${servers.join(', ')}`);
  return EXIT.ok;
}

function parseWanted(repo: string, { ref, commit }: WakeCommandOptions): Wake {
  const usage = (text: string, hint?: string) =>
    new PullyuError('usage', text, hint === undefined ? {} : { hint });
  if (!isNatsName(repo))
    throw usage(`expected the name of a repo as in host.yaml, found "${printable(repo, 100)}"`);
  if (ref !== undefined && !isWakeRef(ref))
    throw usage(`--ref: expected a branch or tag such as main, found "${printable(ref, 100)}"`);
  if (commit !== undefined && !isCommitId(commit))
    throw usage(
      `--commit: expected a full commit id, found "${printable(commit, 100)}"`,
      'git rev-parse HEAD prints it',
    );
  // What a hook gets when a ref was removed.
  const moved = commit === undefined || /^0+$/.test(commit) ? null : (commit as CommitId);
  return { repo, ref: ref ?? null, commit: moved };
}

/** By --nats, by PULLYU_NATS, else as this host is configured. */
async function decideNats(options: WakeCommandOptions, context: CommandContext): Promise<NatsConfig> {
  const { env, cwd, paths } = context;
  const servers = options.nats ?? (env.PULLYU_NATS ?? '').split(/[\s,]+/).filter(Boolean);
  const path = (text: string | undefined) => (text === undefined ? null : resolve(cwd, text));
  if (servers.length > 0) {
    const wrong = servers.map(whatIsWrongWithNats).find((one) => one !== null);
    if (wrong !== undefined) throw new PullyuError('usage', `--nats: ${wrong}`);
    const credentialsFile = path(options.credentials ?? env.PULLYU_NATS_CREDENTIALS);
    return { servers, credentialsFile, tlsCa: path(options.tlsCa), tlsCert: null, tlsKey: null };
  }
  const id = readIdentity(paths.state);
  const nats = id === null ? null : ((await readValidView(paths, id)).view.config.status?.nats ?? null);
  if (nats !== null) return nats;
  throw new PullyuError(
    'usage',
    'expected to be told which servers of NATS pass the wake on, found neither --nats, PULLYU_NATS nor status.nats in host.yaml',
    { hint: '--nats nats://a.example.com:4222; docs/nats.md tells more' },
  );
}
