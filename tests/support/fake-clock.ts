/** The clock of a program of its own, which jumps while it runs (libfaketime). What the program starts has the real one. */
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface FakeClock {
  /** Of the program that is to be deceived. */
  readonly env: Record<string, string>;
  /** `+10y`, `-2h`, `+0`: from now on. */
  jump(offset: string): void;
}

/** null where faketime is not installed. */
export function createFakeClock(folder: string): FakeClock | null {
  const library = findLibrary();
  if (library === null) return null;
  const file = join(folder, 'clock');
  const jump = (offset: string) => {
    writeFileSync(`${file}.new`, `${offset}\n`);
    renameSync(`${file}.new`, file);
  };
  jump('+0');
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      // As the kernel's: it never jumps.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    jump,
  };
}

function findLibrary(): string | null {
  const folders = existsSync('/usr/lib') ? readdirSync('/usr/lib') : [];
  const paths = folders.map((name) => join('/usr/lib', name, 'faketime/libfaketimeMT.so.1'));
  return paths.find((path) => existsSync(path)) ?? null;
}
