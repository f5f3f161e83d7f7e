import { EXIT, type ExitCode } from '../errors.ts';
import { runDoctorChecks, worstOf } from '../heartbeat/doctor.ts';
import type { Finding } from '../heartbeat/finding.ts';
import { readDoctorFacts } from '../heartbeat/read-doctor-facts.ts';
import type { HeartbeatCommandContext } from './heartbeat-context.ts';

export interface DoctorCommandOptions {
  readonly system?: boolean;
  /** Do not ask remotes. */
  readonly offline?: boolean;
}

/** `pullyu doctor`: what is wrong with this host, and what to do. Changes nothing. Exits 1 when something is wrong; a warning is not. */
export async function runDoctor(
  options: DoctorCommandOptions,
  context: HeartbeatCommandContext,
): Promise<ExitCode> {
  const facts = await readDoctorFacts({ ...options, readHost: context.readHost }, context);
  const findings = runDoctorChecks(facts);
  const status = worstOf(findings);
  context.write(context.json ? `${JSON.stringify({ status, findings })}\n` : formatFindings(findings));
  return status === 'fail' ? EXIT.failed : EXIT.ok;
}

/** What is good on one line each; what is not also with what was expected and what to do. */
export function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, status, found, expected, hint }) => [
    `${status.padEnd(4)}  ${check.padEnd(width)}  ${found}`,
    ...(expected === null ? [] : [`${' '.repeat(width + 6)}  expected: ${expected}`]),
    ...(hint === null ? [] : [`${' '.repeat(width + 6)}  hint: ${hint}`]),
  ]);
  return `${lines.join('\n')}\n`;
}
