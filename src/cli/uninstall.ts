import { EXIT, type ExitCode } from '../errors.ts';
import { uninstallHeartbeat } from '../heartbeat/uninstall-heartbeat.ts';
import { type HeartbeatCommandContext, printReport } from './heartbeat-context.ts';

export interface UninstallCommandOptions {
  readonly purge?: boolean;
  readonly system?: boolean;
}

/** `pullyu uninstall`: nothing calls the agent any more. What actions did to the machine stays. */
export async function runUninstall(
  options: UninstallCommandOptions,
  context: HeartbeatCommandContext,
): Promise<ExitCode> {
  printReport(await uninstallHeartbeat(options, context), context);
  return EXIT.ok;
}
