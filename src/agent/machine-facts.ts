/** What the machine is, as its presence says it. Asked at each presence; what takes time is asked beside and used the next time. */
import { readGitVersion } from '../git/version.ts';
import { readAddresses, readOperatorFacts } from '../presence/own-facts.ts';
import { freeBytes } from '../system/files.ts';
import type { AgentContext } from './context.ts';
import type { MachineFacts } from './own-presence.ts';

export interface Machine {
  read(): MachineFacts;
  /** When what `read` asked for is there. */
  asked(): Promise<void>;
}

/** A presence is put together at every look; a program of the operator is not started that often. */
const ASK_EVERY_MS = 10_000;

/** @param program The operator's `facts` of host.yaml. */
export function createMachineFacts(
  { paths, env, emit, signal, clock }: AgentContext,
  program: () => string | null,
): Machine {
  let git: string | null = null;
  let facts: MachineFacts['facts'] = null;
  let asking: Promise<void> | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;
  let complained: string | null = null;

  const ask = async () => {
    if (git === null) {
      const version = await readGitVersion(env.PATH === undefined ? {} : { PATH: env.PATH });
      if (version.ok) git = version.value.join('.');
    }
    const file = program();
    if (file === null) {
      facts = {};
      return;
    }
    const answer = await readOperatorFacts(file, { env, signal });
    if (answer.ok) facts = answer.facts;
    const complaint = answer.ok ? null : answer.why;
    if (complaint !== null && complaint !== complained) emit({ type: 'warning', text: complaint });
    complained = complaint;
  };

  return {
    read() {
      if (clock.monotonic() - askedAt >= ASK_EVERY_MS)
        asking ??= ask()
          .catch(() => {})
          .finally(() => {
            asking = null;
            askedAt = clock.monotonic();
          });
      return { addresses: readAddresses(), git, freeBytes: readFree(paths.state), facts };
    },
    asked: () => asking ?? Promise.resolve(),
  };
}

function readFree(folder: string): number | null {
  try {
    return freeBytes(folder);
  } catch {
    return null;
  }
}
