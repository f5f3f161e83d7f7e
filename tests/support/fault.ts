/** Kills an agent, or lets one of its calls fail, at a step that has a name: see fault-hook.mjs. */
import { readFileSync } from 'node:fs';

export type Fault = (
  | { readonly do: 'kill-before' | 'kill-after' }
  /** Half of what is written, then death. For writes to an open file. */
  | { readonly do: 'tear' }
  /** The call throws, as with a full or failing disk. */
  | { readonly do: 'fail'; readonly code: 'ENOSPC' | 'EDQUOT' | 'EIO' | 'EROFS' | 'EMFILE' }
) &
  (
    | {
        /** `rename repos/it/current`, `spawn git fetch`: as a recording names it. */
        readonly step: string;
        /** Default 1: the first. */
        readonly occurrence?: number;
      }
    /** The step with this number, from 1 on. */
    | { readonly number: number }
  );

export const killAfter = (step: string, occurrence = 1): Fault => ({ do: 'kill-after', step, occurrence });
export const killBefore = (step: string, occurrence = 1): Fault => ({ do: 'kill-before', step, occurrence });
export const tear = (step: string, occurrence = 1): Fault => ({ do: 'tear', step, occurrence });

const hook = new URL('./fault-hook.mjs', import.meta.url);

/** Environment of a command of the host with this root: something happens at a step, or the steps are written to `log`. */
export function faultEnvironment(
  root: string,
  o: { readonly fault?: Fault; readonly log?: string },
): Record<string, string> {
  return {
    NODE_OPTIONS: `--import=${hook.href}`,
    PULLYU_FAULT_ROOT: root,
    ...(o.fault ? { PULLYU_FAULT_AT: JSON.stringify(o.fault) } : {}),
    ...(o.log ? { PULLYU_FAULT_LOG: o.log } : {}),
  };
}

export function readSteps(log: string): string[] {
  return readFileSync(log, 'utf8').split('\n').filter(Boolean);
}
