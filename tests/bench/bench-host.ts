/** A host of pullyu on a root of its own. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../src/system/files.ts';
import { type Child, startChild } from '../support/child.ts';
import { program, runProgram } from '../support/host.ts';

export interface BenchHost {
  readonly name: string;
  readonly state: string;
  /** Writes host.yaml. */
  configure(interval: string): void;
  /** `bin/pullyu --root DIR ARGS`. */
  argv(...args: string[]): string[];
  /** @throws Error unless it ends with 0. */
  run(...args: string[]): Promise<string>;
  /** The daemon. */
  start(): Child;
}

export function createBenchHost(
  name: string,
  at: { readonly folder: string; readonly url: string; readonly env: Readonly<Record<string, string>> },
): BenchHost {
  const root = join(at.folder, 'hosts', name);
  const hostFile = join(root, 'etc/pullyu/host.yaml');
  const env = { ...at.env };
  mkdirSync(join(root, 'etc/pullyu'), { recursive: true });
  const repos = { it: { remotes: [at.url], track: 'main' } };
  const yaml = (interval: string) => JSON.stringify({ name, interval, repos });
  writeFileSync(hostFile, yaml('60s'));
  return {
    name,
    state: join(root, 'var/lib/pullyu'),
    configure: (interval) => writeFileAtomic(hostFile, yaml(interval), { durable: false }),
    argv: (...args) => [program, '--root', root, ...args],
    async run(...args) {
      const ran = await runProgram(['--root', root, ...args], { env, timeoutMs: 900_000 });
      if (ran.code === 0) return ran.stdout;
      throw new Error(
        `"pullyu ${args.join(' ')}" of ${name} ended with ${ran.code}: ${ran.stdout.slice(-2_000)}${ran.stderr}`,
      );
    },
    start: () => startChild([program, '--root', root, 'agent'], { env, cwd: root }),
  };
}
