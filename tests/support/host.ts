/** A host of the test's own: the real command line on a root of its own, as a person or a timer would call it. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { HostState } from '../../src/model/host.ts';
import type { Outcome } from '../../src/model/run.ts';
import type { TroubleCode } from '../../src/model/trouble.ts';
import { writeFileAtomic } from '../../src/system/files.ts';
import { signalProcess } from '../../src/system/processes.ts';
import { type Child, startChild } from './child.ts';
import { leftFiles, processesOf } from './leaks.ts';
import { tempFolder } from './temp.ts';
import { type UntilOptions, until } from './until.ts';

const checkout = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** PULLYU_TEST_BIN: another build than that of this checkout. */
export const program = process.env.PULLYU_TEST_BIN ?? join(checkout, 'bin/pullyu');
const ASK_ANYWAY_MS = 1_000;
const OUTPUT_MAX = 64 * 1024 * 1024;

/** `pullyu status --json` (docs/json.md). */
export interface StatusJson {
  readonly host: { name: string; id: string; labels: Record<string, string>; state: HostState };
  readonly agent: { version: string; pid: number | null; intervalMs: number; lastLookAt: string | null };
  readonly repos: {
    name: string;
    track: string;
    remote: string | null;
    seen: string | null;
    applied: string | null;
    lastContactAt: string | null;
    trouble: { code: TroubleCode; message: string; hint: string | null; remote: string | null } | null;
  }[];
  readonly published: {
    store: string;
    deliveredAt: string | null;
    waiting: number;
    conflict: string | null;
    trouble: { code: TroubleCode; message: string } | null;
  }[];
  readonly actions: { repo: string; name: string; state: string; reason: string; lastRun: RunJson | null }[];
}

/** One element of `pullyu history --json`, newest first. */
export interface RunJson {
  readonly id: string;
  readonly repo: string;
  readonly action: string;
  readonly commit: string;
  readonly reason: string;
  readonly attempt: number;
  readonly outcome: Outcome | null;
  readonly exitCode: number | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly log: string;
}

/** How a command ended, and what it said. */
export interface Ran {
  /** null when it was ended by a signal (its deadline's KILL included). */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as JSON. @throws Error with everything that was said when it is none. */
  json<T = unknown>(): T;
}

export interface RunOptions {
  readonly env?: Record<string, string>;
  readonly input?: string;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

export interface HostOptions {
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Default 200ms. */
  readonly interval?: string;
  /** As in host.yaml. A string is short for `{remotes: [it], track: 'main'}`. */
  readonly repos?: Readonly<Record<string, string | RepoYaml>>;
  /** More of host.yaml. */
  readonly more?: Readonly<Record<string, unknown>>;
  /** Of every command. */
  readonly env?: Readonly<Record<string, string>>;
  /** An existing folder (a tmpfs) for the root; default a temporary one. */
  readonly root?: string;
  /** Called in place of bin/pullyu: a script that calls it in a network or with a limit of its own. */
  readonly program?: string;
}

export interface RepoYaml {
  readonly remotes: readonly string[];
  readonly track?: string;
  readonly [key: string]: unknown;
}

export interface TestHost extends AsyncDisposable {
  readonly root: string;
  readonly hostFile: string;
  /** DIR/var/lib/pullyu. */
  readonly state: string;
  /** Writes host.yaml anew, by one rename, with these options over the first ones. */
  configure(options: HostOptions): void;
  /** Runs `pullyu --root DIR ARGS`. A non-zero exit is a result. */
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
  look(options?: RunOptions): Promise<Ran>;
  status(): Promise<StatusJson>;
  history(): Promise<RunJson[]>;
  /** The environment that every command of this host gets. */
  readonly env: Readonly<Record<string, string>>;
  /** Starts the daemon and waits until it says that it runs. Ended with the host. */
  start(options?: { env?: Record<string, string> }): Promise<Child>;
  /** Waits until the repo (default the first) has applied the commit, and no trouble is left. */
  untilApplied(commit: string, options?: UntilOptions & { repo?: string }): Promise<StatusJson>;
  /** Waits until the repo (default the first) is in a trouble of one of these codes. */
  untilTrouble(
    codes: TroubleCode | readonly TroubleCode[],
    options?: UntilOptions & { repo?: string },
  ): Promise<StatusJson>;
  /** A file below the root, or null. */
  read(path: string): string | null;
  /**
   * Fails when something is left that nobody owns: processes that were started below this root (the running daemon
   * is none), locks, temporary packs and files, broken clones that were put aside, more packs than `packsMax`.
   */
  expectNoLeaks(options?: { packsMax?: number; timeoutMs?: number }): Promise<void>;
  close(): Promise<void>;
}

export function createHost(options: HostOptions = {}): TestHost {
  const temp = options.root === undefined ? tempFolder('host') : null;
  const root = options.root ?? temp!.path;
  const hostFile = join(root, 'etc/pullyu/host.yaml');
  const home = join(root, 'home');
  mkdirSync(dirname(hostFile), { recursive: true });
  mkdirSync(home, { recursive: true });
  const env = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: home,
    LANG: 'C.UTF-8',
    NO_COLOR: '1',
    ...options.env,
  };
  let agent: Child | null = null;
  const configure = (more: HostOptions) =>
    writeFileAtomic(hostFile, hostYaml({ ...options, ...more }), { durable: false });
  if (options.repos) configure({});
  const called = options.program ?? program;
  const run = (args: readonly string[], more: RunOptions = {}) =>
    runProgram(['--root', root, ...args], { ...more, env: { ...env, ...more.env }, program: called });
  const status = async () => (await run(['status', '--json'])).json<StatusJson>();
  const repoOf = (found: StatusJson, name?: string) =>
    name === undefined ? found.repos[0] : found.repos.find((repo) => repo.name === name);
  const untilStatus = (
    fits: (found: StatusJson) => boolean | undefined,
    what: string,
    more: UntilOptions,
  ): Promise<StatusJson> => {
    let last: StatusJson | undefined;
    let asked = { stamp: '', at: 0 };
    const ask = async () => {
      // A question costs a process: it is only worth asking when the agent has written something since.
      const stamp = stampOf(join(root, 'var/lib/pullyu'));
      if (stamp === asked.stamp && Date.now() < asked.at + ASK_ANYWAY_MS) return null;
      asked = { stamp, at: Date.now() };
      last = await status();
      return fits(last) ? last : null;
    };
    const found = async () => ({ status: last ?? (await status()), agent: agent?.output().slice(-2_000) });
    return until(ask, { what, found, everyMs: 15, ...more });
  };
  const close = async () => {
    await agent?.close();
    agent = null;
    // What a failed test left: only what was started below this very root.
    for (const { identity } of processesOf(root)) signalProcess(identity, 'SIGKILL');
    temp?.[Symbol.dispose]();
  };
  return {
    root,
    hostFile,
    state: join(root, 'var/lib/pullyu'),
    env,
    configure,
    run,
    look: (more) => run(['look'], more),
    status,
    history: async () => (await run(['history', '--json'])).json<RunJson[]>(),
    start: async (more = {}) => {
      const child = startChild([called, '--root', root, 'agent'], {
        env: { ...env, ...more.env },
        cwd: root,
      });
      agent = child;
      const running = async () => {
        if (!child.isRunning()) return 'ended';
        return (await status()).agent.pid === child.pid && 'runs';
      };
      await until(running, { what: 'the agent to run', found: () => child.output(), everyMs: 60 });
      if (!child.isRunning()) throw new Error(`the agent ended at once: ${child.output()}`);
      return child;
    },
    untilApplied: (commit, { repo, ...more } = {}) =>
      untilStatus(
        (found) => repoOf(found, repo)?.applied === commit && repoOf(found, repo)?.trouble === null,
        `${commit} to be applied`,
        more,
      ),
    untilTrouble: (codes, { repo, ...more } = {}) => {
      const wanted = [codes].flat();
      const fits = (found: StatusJson) => wanted.some((code) => repoOf(found, repo)?.trouble?.code === code);
      return untilStatus(fits, `the trouble ${wanted.join(' or ')}`, more);
    },
    read: (path) => {
      try {
        return readFileSync(join(root, path), 'utf8');
      } catch {
        return null;
      }
    },
    expectNoLeaks: async (more = {}) => {
      const left = () => {
        const own = agent?.isRunning() ? [agent.pid] : [];
        const processes = processesOf(root).filter(
          ({ identity, kept }) => !kept && !own.includes(identity.pid),
        );
        const names = processes.map(({ identity, command }) => `process ${identity.pid}: ${command}`);
        return [...names, ...leftFiles(join(root, 'var/lib/pullyu'), more.packsMax ?? 60)];
      };
      // A running daemon has temporary files for moments: what stays is a leak, what comes and goes is not.
      await until(() => left().length === 0, {
        what: 'nothing to be left over',
        found: left,
        timeoutMs: more.timeoutMs ?? 8_000,
      });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function stampOf(state: string): string {
  const times = ['state.json', 'journal.log'].map(
    (name) => statSync(join(state, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  return times.join(' ');
}

function hostYaml({ name, labels, interval, repos, more }: HostOptions): string {
  const described = Object.entries(repos ?? {}).map(([repo, value]) => [
    repo,
    typeof value === 'string' ? { remotes: [value], track: 'main' } : value,
  ]);
  return stringify({
    name: name ?? 'host-1',
    ...(labels ? { labels } : {}),
    interval: interval ?? '200ms',
    repos: Object.fromEntries(described),
    ...more,
  });
}

/** Runs bin/pullyu to its end, with empty standard input unless there is some. */
export function runProgram(
  args: readonly string[],
  options: RunOptions & { env: Record<string, string>; program?: string },
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      options.program ?? program,
      [...args],
      {
        env: options.env,
        cwd: options.cwd,
        timeout: options.timeoutMs ?? 60_000,
        killSignal: 'SIGKILL',
        maxBuffer: OUTPUT_MAX,
        encoding: 'utf8',
      },
      (error, stdout, stderr) => {
        if (error && typeof error.code === 'string') return reject(error); // Could not be started.
        const code = child.exitCode;
        const json = <T>() => {
          try {
            return JSON.parse(stdout) as T;
          } catch {
            throw new Error(
              `expected JSON of "pullyu ${args.join(' ')}" (exit code ${code}), found: ${stdout}${stderr}`,
            );
          }
        };
        resolve({ code, stdout, stderr, json });
      },
    );
    child.stdin?.on('error', () => {}).end(options.input ?? '');
  });
}
