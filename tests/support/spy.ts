import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { requireProgram } from './needs.ts';

export interface Spy {
  /** A PATH on which the spied programs come first. */
  readonly PATH: string;
  /** Arguments and environment of every call so far, as `ps` would show them. */
  heard(): string;
}

/** Stand-ins for programs that write down how they were called, then become the real ones. */
export function createSpy(folder: string, programs: readonly string[]): Spy {
  const log = join(folder, 'heard');
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(log, '');
  for (const name of programs) {
    const real = requireProgram(name);
    const script = `#!/bin/sh\ntr '\\0' ' ' < /proc/$$/cmdline >> ${log}\ntr '\\0' '\\n' < /proc/$$/environ >> ${log}\nexec ${real} "$@"\n`;
    writeFileSync(join(bin, name), script, { mode: 0o755 });
  }
  return {
    PATH: [bin, process.env.PATH ?? '/usr/bin:/bin'].join(delimiter),
    heard: () => readFileSync(log, 'utf8'),
  };
}
