import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import type { HeartbeatKind } from '../heartbeat/install.ts';
import { installHeartbeat } from '../heartbeat/install-heartbeat.ts';
import { type HeartbeatCommandContext, printReport, writableFolders } from './heartbeat-context.ts';

export interface InstallCommandOptions {
  readonly heartbeat?: string;
  readonly system?: boolean;
  /** Second of the minute. */
  readonly offset?: string;
}

/** `pullyu install`: the heartbeat of a host that is bootstrapped, or its repair. */
export async function runInstall(
  options: InstallCommandOptions,
  context: HeartbeatCommandContext,
): Promise<ExitCode> {
  const known = context.readHost();
  if (known === null || known.config.repos.length === 0) {
    throw new PullyuError(
      'not-bootstrapped',
      `expected the repos of this host in ${context.paths.hostFile}, found none`,
      {
        hint: 'pullyu bootstrap URL also installs the heartbeat',
      },
    );
  }
  const report = await installHeartbeat(
    {
      heartbeat: parseHeartbeatKind(options.heartbeat ?? 'auto'),
      intervalMs: known.config.intervalMs,
      writable: writableFolders(known.config),
      system: options.system === true,
      ...(options.offset === undefined ? {} : { offsetSeconds: parseOffset(options.offset) }),
    },
    context,
  );
  printReport(report, context);
  return EXIT.ok;
}

const KINDS = ['auto', 'systemd', 'cron', 'both', 'none'] as const satisfies readonly (
  | HeartbeatKind
  | 'auto'
)[];

/** @throws PullyuError `usage`. */
export function parseHeartbeatKind(text: string): HeartbeatKind | 'auto' {
  const kind = KINDS.find((known) => known === text);
  if (kind !== undefined) return kind;
  throw new PullyuError(
    'usage',
    `expected a heartbeat of ${KINDS.join(', ')}, found ${JSON.stringify(text)}`,
    {
      hint: '--heartbeat auto takes systemd where it runs, else cron',
    },
  );
}

function parseOffset(text: string): number {
  if (/^\d{1,2}$/.test(text) && Number(text) < 60) return Number(text);
  throw new PullyuError('usage', `expected an offset of 0 to 59 seconds, found ${JSON.stringify(text)}`);
}
