/**
 * Each push leaves some files in a repository. When there are many, git packs them: asked after pushes, one repository at a time,
 * beside what is served. A death in the middle leaves temporary files that the next packing clears away.
 */
import { runGit } from '../git/run.ts';
import { delay } from '../system/clock.ts';
import { sweepQuarantines } from './sweep-quarantines.ts';

export interface Housekeeping {
  /** Something came into this repository, or may have been left in it. */
  note(folder: string): void;
  /** Ends what runs. */
  close(): Promise<void>;
}

export interface HousekeepingOptions {
  /** From one question to git, whether there is something to do, to the next; of all repositories together. */
  readonly everyMs: number;
  /** Loose objects that a repository may have. */
  readonly looseMax: number;
  /** A push may take so long. */
  readonly pushMaxMs: number;
  /** Wall clock, milliseconds: as files are stamped. */
  readonly now: () => number;
  readonly onFailed: (folder: string, message: string) => void;
}

const TIMEOUT_MS = 60 * 60_000;

export function createHousekeeping(o: HousekeepingOptions): Housekeeping {
  const wanted = new Set<string>();
  const ending = new AbortController();
  let running: Promise<void> | null = null;

  async function run(): Promise<void> {
    while (!ending.signal.aborted && wanted.size > 0) {
      // Pushes come in bursts: most of one is over by then.
      await delay(o.everyMs, ending.signal);
      const [folder] = wanted;
      if (folder === undefined || ending.signal.aborted) break;
      wanted.delete(folder);
      await tidy(folder);
    }
    running = null;
  }

  async function tidy(folder: string): Promise<void> {
    try {
      sweepQuarantines(folder, o.pushMaxMs * 2, o.now());
    } catch (error) {
      o.onFailed(folder, (error as Error).message);
    }
    const result = await runGit(['gc', '--auto', '--quiet'], {
      gitDir: folder,
      timeoutMs: TIMEOUT_MS,
      signal: ending.signal,
      config: [
        `gc.auto=${o.looseMax}`,
        'gc.autoPackLimit=50',
        'gc.autoDetach=false',
        // What nothing leads to any more goes into a pack of its own, and after git's two weeks away.
        'gc.cruftPacks=true',
        'pack.threads=1',
        'pack.windowMemory=128m',
      ],
    }).catch((error: Error) => ({ ended: 'exited' as const, exitCode: null, stderr: error.message }));
    if (result.exitCode !== 0 && !ending.signal.aborted)
      o.onFailed(folder, `could not be packed: ${result.ended}, ${result.stderr.trim()}`);
  }

  return {
    note(folder) {
      if (ending.signal.aborted) return;
      wanted.add(folder);
      running ??= run();
    },
    async close() {
      ending.abort();
      await running;
    },
  };
}
