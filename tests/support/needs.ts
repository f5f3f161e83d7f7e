import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

/** Daemons live in sbin, which an ordinary login does not have on its PATH. */
const SEARCHED = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/sbin'];

/** The absolute path of a program, or null. */
export function findProgram(name: string): string | null {
  for (const folder of SEARCHED) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return null;
}

/** @throws Error with what to install; for support code that cannot go on without. */
export function requireProgram(name: string): string {
  const path = findProgram(name);
  if (path === null) throw new Error(`the program "${name}" is missing; run: node scripts/debian.mjs`);
  return path;
}

/**
 * `needsProgram('nginx')('clones over TLS', async () => ...)`: a test that is skipped, visibly and counted, where a
 * program is missing. With CI=true it runs all the same and fails with what to install: nothing skipped passes for tested.
 */
export function needsProgram(...names: string[]): typeof test.skip | typeof test {
  return needs(names.filter((name) => findProgram(name) === null));
}

/** The same for anything else: the names of what is missing, none when all is there. */
export function needs(missing: readonly string[]): typeof test.skip | typeof test {
  if (missing.length === 0) return test;
  if (!process.env.CI) return test.skip;
  return mustFail(`missing in CI: ${missing.join(', ')}; run: node scripts/debian.mjs`);
}

/** The same for root rights (mounts, other users). */
export function needsRoot(...programs: string[]): typeof test.skip | typeof test {
  if (process.getuid?.() === 0) return needsProgram(...programs);
  return process.env.CI ? mustFail('CI runs as root, this run does not') : test.skip;
}

function mustFail(why: string): typeof test {
  const failing = (name: string) =>
    test(name, () => {
      throw new Error(why);
    });
  return failing as unknown as typeof test;
}
