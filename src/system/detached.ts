/** A process that outlives us: own session, no terminal, output appended to a file. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

export interface DetachedOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Appended to; `/dev/null` keeps nothing. Somebody else bounds it. */
  readonly outputFile: string;
}

/** @returns its process id. Errors of starting are thrown as they come from the system. */
export function startDetached(argv: readonly string[], options: DetachedOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const [file, ...args] = argv;
    if (file === undefined) throw new TypeError('startDetached: empty argv');
    const output = openSync(options.outputFile, 'a', 0o644);
    const child = spawn(file, args, {
      cwd: '/',
      env: { ...options.env },
      detached: true,
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    child.once('error', reject);
    child.once('spawn', () => {
      child.unref();
      resolve(child.pid!);
    });
  });
}
