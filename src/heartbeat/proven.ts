/**
 * The last version that worked: a copy of the program, in the state folder, made after a look in which it reached a remote. The script
 * `start.sh` of the heartbeat starts it when a newer one does not get that far; see start-script.ts for the rules.
 *
 * `proven/`         bin, dist, and the native part for this machine. `proven/identity`: of which installed files it is the copy.
 * `trial`           `STRIKES TIME IDENTITY`, then `PID START` of each start: an installed program that is not proven yet.
 *
 * A crash in the middle of copying leaves a temporary folder that the next copy removes; between two renames there is no copy, and the
 * installed program is started, as without all this.
 */
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readFileOrNull } from '../system/files.ts';

export const PROVEN = 'proven';
export const TRIAL = 'trial';
/** Starts in which a new version has to reach a remote. */
export const STRIKES_MAX = 3;
/** By these an installation is known. */
export const INSTALLED_FILES = ['bin/pullyu', 'dist/main.cjs', 'dist/shim.sh'] as const;

const BYTES_MAX = 16 * 1024 * 1024;
const FIRST_WAIT_S = 3_600;
const LAST_WAIT_S = 86_400;

/** A program on disk. */
export interface Installation {
  readonly folder: string;
  /** `INODE SIZE CTIME` of each file that is there; as `stat -L -c '%i %s %Z'` says it. */
  readonly identity: string;
}

/** null from the sources, which nobody installs. */
export function ownInstallation(): Installation | null {
  const file = fileURLToPath(import.meta.url);
  // The bare look has a file of its own beside it, made of the same sources.
  if (!file.endsWith(`${sep}main.cjs`) && !file.endsWith(`${sep}look.cjs`)) return null;
  const folder = dirname(dirname(file));
  return { folder, identity: identityOf(folder) };
}

export function identityOf(folder: string): string {
  return INSTALLED_FILES.flatMap((name) => {
    const stats = statSync(join(folder, name), { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? [] : [`${stats.ino} ${stats.size} ${stats.ctimeNs / 1_000_000_000n}`];
  }).join(' ');
}

export interface Trial {
  readonly strikes: number;
  /** Of the last start, milliseconds since 1970. */
  readonly at: number;
  readonly identity: string;
}

export function readTrial(state: string): Trial | null {
  const line = /^(\d{1,6}) (\d{1,12}) (.*)\n/.exec(readFileOrNull(join(state, TRIAL)) ?? '');
  return line === null ? null : { strikes: Number(line[1]), at: Number(line[2]) * 1000, identity: line[3]! };
}

export function readProvenIdentity(state: string): string | null {
  return readFileOrNull(join(state, PROVEN, 'identity'))?.trim() ?? null;
}

/** When `start.sh` gives the installed program its next start, once it has had all; the script computes the same. */
export function nextTrialAt({ strikes, at }: Trial): number {
  return at + Math.min(LAST_WAIT_S, FIRST_WAIT_S * 2 ** Math.max(0, strikes - STRIKES_MAX)) * 1000;
}

/** A look of the program that `start.sh` has started. */
export interface Verdict {
  /** It reached a remote, and brought at least one repo up to date. */
  readonly worked: boolean;
  /** Looks in a row without that, of this process. */
  readonly failures: number;
  readonly now: number;
}

/** In a row, before a daemon makes way: the first may have met a moment without network. */
const FAILURES_MAX = 3;

export interface Proof {
  /** After each look. @returns whether the daemon is to end, because another version is to be started in its place. */
  judge(verdict: Verdict): boolean;
  /** Another process does the work: this start proves nothing either way. */
  withdraw(): void;
}

const NO_PROOF: Proof = { judge: () => false, withdraw: () => {} };

/**
 * To be called before anything else is done, because the files may be replaced at any time: only the ones that this process was
 * started from are copied.
 * @param onProblem A sentence: no copy could be made (a full disk). The program works all the same.
 */
export function createProof(
  o: { readonly state: string; readonly env: Readonly<Record<string, string | undefined>> },
  onProblem: (text: string) => void,
): Proof {
  const installed = o.env.PULLYU_HEARTBEAT;
  const own = installed ? ownInstallation() : null;
  if (!installed || own === null) return NO_PROOF;
  const { state } = o;
  const isCopy = own.folder === join(state, PROVEN);
  let settled = false;
  return {
    judge({ worked, failures, now }) {
      if (isCopy) return judgeCopy({ state, installed }, { worked, failures, now });
      const proven = readProvenIdentity(state);
      if (proven === own.identity || settled) return false;
      // Without a copy there is nothing to make way for.
      if (!worked) return proven !== null && failures >= FAILURES_MAX;
      settled = true;
      try {
        keepProven(state, own);
        rmSync(join(state, TRIAL), { force: true });
      } catch (error) {
        onProblem(
          `no copy of this version was kept for the case that the next one does not work: ${String(error)}`,
        );
      }
      return false;
    },
    withdraw() {
      const trial = readTrial(state);
      if (isCopy || trial === null || trial.identity !== own.identity) return;
      const text = readFileOrNull(join(state, TRIAL)) ?? '';
      const rest = text.slice(text.indexOf('\n') + 1);
      writeFileSync(
        join(state, TRIAL),
        `${Math.max(0, trial.strikes - 1)} ${trial.at / 1000} ${trial.identity}\n${rest}`,
      );
    },
  };
}

/**
 * The copy runs in place of the installed program. When it reaches no remote either, the fault is not that of the installed one (the network
 * is away), which gets its starts anew. It makes way when its files have changed, or when it is time for its next start.
 */
function judgeCopy(
  { state, installed }: { readonly state: string; readonly installed: string },
  { worked, failures, now }: Verdict,
): boolean {
  const trial = readTrial(state);
  if (trial === null || identityOf(installed) !== trial.identity) return true;
  if (!worked) {
    if (failures < FAILURES_MAX) return false;
    rmSync(join(state, TRIAL), { force: true });
    return true;
  }
  return now >= nextTrialAt(trial) || now < trial.at;
}

function keepProven(state: string, own: Installation): void {
  const to = join(state, PROVEN);
  for (const name of readdirSync(state))
    if (/^proven\.\d+\.tmp$/.test(name)) rmSync(join(state, name), { recursive: true, force: true });
  const next = join(state, `${PROVEN}.${process.pid}.tmp`);
  const old = join(state, `${PROVEN}.${process.pid + 1}.tmp`);
  const files = filesToKeep(own.folder);
  const bytes = files.reduce((sum, [, from]) => sum + statSync(from).size, 0);
  if (bytes > BYTES_MAX) throw new Error(`the program has ${bytes} bytes, expected at most ${BYTES_MAX}`);
  try {
    mkdirSync(next, { mode: 0o700 });
    for (const [name, from] of files) {
      mkdirSync(dirname(join(next, name)), { recursive: true, mode: 0o700 });
      copyFileSync(from, join(next, name));
    }
    // Replaced while they were copied: the copy may be half of one and half of the other.
    if (identityOf(own.folder) !== own.identity) return;
    writeFileSync(join(next, 'identity'), `${own.identity}\n`, { mode: 0o600 });
    try {
      renameSync(to, old);
    } catch {
      // There was none.
    }
    renameSync(next, to);
  } finally {
    for (const left of [next, old]) rmSync(left, { recursive: true, force: true });
  }
}

/** Name in the copy, and where it is now. */
function filesToKeep(folder: string): [string, string][] {
  const native = dirname(
    createRequire(join(folder, 'dist/main.cjs')).resolve('fs-native-extensions/package.json'),
  );
  const prebuild = `prebuilds/${process.platform}-${process.arch}/fs-native-extensions.node`;
  const own = [
    'bin/package.json',
    'bin/pullyu',
    'dist/main.cjs',
    'dist/main.cache',
    'dist/shim.sh',
    'package.json',
  ];
  const of = (name: string, from: string): [string, string][] =>
    statSync(from, { throwIfNoEntry: false }) === undefined ? [] : [[name, from]];
  return [
    ...own.flatMap((name) => of(name, join(folder, name))),
    ...['package.json', prebuild].flatMap((name) =>
      of(`node_modules/fs-native-extensions/${name}`, join(native, name)),
    ),
  ];
}

/** For people: the installed program does not work, and the copy is used in its place; null: all is well. */
export function readFallback(state: string): { readonly since: number; readonly nextTrialAt: number } | null {
  const trial = readTrial(state);
  if (trial === null || trial.strikes < STRIKES_MAX || readProvenIdentity(state) === null) return null;
  return { since: trial.at, nextTrialAt: nextTrialAt(trial) };
}
