import type { HeartbeatContext } from '../heartbeat/context.ts';
import type { HeartbeatReport } from '../heartbeat/install-heartbeat.ts';
import type { KnownHost } from '../heartbeat/read-doctor-facts.ts';

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
