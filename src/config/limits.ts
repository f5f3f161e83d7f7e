/** What is taken when nothing is written. */
import type { RetryPolicy, RunLimits } from '../model/action.ts';
import type { Limits } from '../model/host.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

export const defaultLimits: Limits = {
  freeSpaceMinBytes: 100 * MiB,
  fetchMaxBytes: 8 * GiB,
  outputMaxBytes: 1 * MiB,
  runsKeptPerAction: 20,
  runsMaxBytes: 256 * MiB,
  treeMaxFiles: 1_000_000,
  treeMaxBytes: 16 * GiB,
  probeTimeoutMs: 15_000,
  fetchStallMs: 60_000,
  fetchTimeoutMs: 600_000,
};

/** systemd's own for processes; for memory so much that a run alone cannot take the whole machine. */
export const defaultRunLimits: Required<RunLimits> = { memory: '90%', processes: '15%', files: null };

export const defaultRetry: RetryPolicy = { delayMs: 10_000, delayMaxMs: 600_000, attempts: 8 };

export const defaultTimeoutMs = 600_000;

/** Of a presence trigger. */
export const defaultSettleMs = 10_000;

/** Of one configuration file. */
export const CONFIG_MAX_BYTES = 1 * MiB;

/** Of hosts.yaml, which a program may write. */
export const HOSTS_MAX_BYTES = 8 * MiB;
