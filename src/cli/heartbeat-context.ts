import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { readHostView } from '../agent/host-view.ts';
import { readIdentity } from '../agent/identity.ts';
import { PullyuError } from '../errors.ts';
import type { HeartbeatContext } from '../heartbeat/context.ts';
import type { HeartbeatReport } from '../heartbeat/install-heartbeat.ts';
import type { KnownHost } from '../heartbeat/read-doctor-facts.ts';
import type { HostConfig } from '../model/host.ts';
import type { HostId } from '../model/ids.ts';
import type { CommandContext } from './context.ts';

/** What the commands about the heartbeat get from `main`. */
export interface HeartbeatCommandContext extends HeartbeatContext {
  readonly json: boolean;
  /** To standard output, as it is. */
  readonly write: (text: string) => void;
  /** @throws PullyuError `host-config`. null: there is no host.yaml. */
  readonly readHost: () => KnownHost | null;
}

export function printReport(report: HeartbeatReport, context: HeartbeatCommandContext): void {
  if (context.json) {
    context.write(
      `${JSON.stringify({ heartbeat: report.kind, steps: report.steps, notes: report.notes })}\n`,
    );
    return;
  }
  for (const { did, what } of report.steps) context.write(`${did} ${what}\n`);
  if (report.steps.length === 0) context.write('nothing to do\n');
  for (const note of report.notes) context.write(`${note}\n`);
}

/** Folders that the agent writes into beside its state. The sandbox of its unit has to let it. */
export function writableFolders({ metrics }: Pick<HostConfig, 'metrics'>): string[] {
  return metrics == null ? [] : [dirname(metrics.file)];
}

/** Which program a heartbeat has to start: this one. */
export function heartbeatContext(context: CommandContext): HeartbeatContext {
  return {
    paths: context.paths,
    env: context.env,
    uid: process.getuid?.() ?? 0,
    clock: context.clock,
    launcher: { node: process.execPath, bin: realpathSync(process.argv[1] ?? '') },
  };
}

/** host.yaml is read now; whether it could be is told when it is asked for. */
export async function heartbeatCommandContext(
  context: CommandContext,
  json: boolean,
): Promise<HeartbeatCommandContext> {
  const known = await readKnownHost(context);
  return {
    ...heartbeatContext(context),
    json,
    write: (text) => context.out.write(text),
    readHost() {
      if (known instanceof PullyuError) throw known;
      return known;
    },
  };
}

async function readKnownHost(context: CommandContext): Promise<KnownHost | null | PullyuError> {
  try {
    const view = await readHostView(context.paths, readIdentity(context.paths.state) ?? ('' as HostId), null);
    return { config: view.config, labels: view.host.labels };
  } catch (error) {
    if (!(error instanceof PullyuError)) throw error;
    return error.code === 'not-bootstrapped' ? null : error;
  }
}
