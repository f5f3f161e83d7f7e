/** What may be wrong with a host, as findings. Pure: facts in, findings out. */

import type { HeartbeatFacts } from './doctor-heartbeat.ts';
import { judgeHeartbeat } from './doctor-heartbeat.ts';
import type { HostFacts } from './doctor-host.ts';
import { judgeHost } from './doctor-host.ts';
import type { MachineFacts } from './doctor-machine.ts';
import { judgeMachine } from './doctor-machine.ts';
import type { RepoFacts } from './doctor-repos.ts';
import { judgeRepos } from './doctor-repos.ts';
import type { StatusFacts } from './doctor-status.ts';
import { judgeStatus } from './doctor-status.ts';
import type { Finding } from './finding.ts';

export interface DoctorFacts {
  readonly machine: MachineFacts;
  readonly host: HostFacts;
  readonly heartbeat: HeartbeatFacts;
  readonly repos: readonly RepoFacts[];
  /** Empty without `status` in host.yaml. */
  readonly status: readonly StatusFacts[];
}

/** Every check, those of the machine first: what is wrong below explains what is wrong above. */
export function runDoctorChecks(facts: DoctorFacts): Finding[] {
  return [
    ...judgeMachine(facts.machine),
    ...judgeHost(facts.host),
    ...judgeHeartbeat(facts.heartbeat),
    ...judgeRepos(facts.repos),
    ...judgeStatus(facts.status),
  ];
}

/** The worst of all findings. */
export function worstOf(findings: readonly Finding[]): Finding['status'] {
  if (findings.some((finding) => finding.status === 'fail')) return 'fail';
  return findings.some((finding) => finding.status === 'warn') ? 'warn' : 'ok';
}
