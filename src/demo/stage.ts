/**
 * Where the demo happens: one temporary folder with a git server's repositories, the clone of somebody who pushes, and the root of one
 * host. Everything is started here and ended here.
 */
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PullyuError } from '../errors.ts';
import { delay } from '../system/clock.ts';
import { type ExecResult, exec } from '../system/exec.ts';
import { namedWriteError } from '../system/files.ts';
import {
  isAlive,
  type ProcessIdentity,
  processesMarked,
  processIdentity,
  signalProcess,
} from '../system/processes.ts';
import { type Agent, startAgent } from './agent.ts';
import { type GitServer, startGitServer } from './git-server.ts';

export interface Stage {
  /** Of everything; gone after `close`. */
  readonly folder: string;
  /** PULLYU_ROOT of the host. */
  readonly root: string;
  /** Of the repository, to clone and push. */
  readonly url: string;
  /** The clone that commits are made in. */
  readonly work: string;
  git(...args: string[]): Promise<string>;
  /** How one types `pullyu` here. */
  readonly command: string;
  /** Runs `pullyu ARGS` for the host, to its end. A non-zero exit is a result. */
  pullyu(...args: string[]): Promise<ExecResult>;
  startAgent(): Agent;
  /** The agent when it was started: what it said belongs into a report of failure. */
  agent(): Agent | null;
  close(): Promise<void>;
}

const PREFIX = 'pullyu-demo-';
const OWNER_FILE = 'owner.json';
const COMMAND_MS = 60_000;
/** From TERM to KILL for what is ended. */
const GRACE_MS = 3_000;

/** @throws PullyuError when git is missing or there is no room. */
export async function openStage(signal: AbortSignal): Promise<Stage> {
  await removeAbandoned();
  const folder = makeStageFolder();
  const [root, work, served, home] = ['host', 'work', 'git', 'home'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  const env = stageEnvironment(home);
  let server: GitServer | null = null;
  let agent: Agent | null = null;
  const close = async () => {
    await agent?.close();
    await endMarked(root);
    await server?.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  };
  const git = async (...args: string[]) => {
    const result = await exec(['git', ...args], { cwd: work, env, timeoutMs: COMMAND_MS, signal });
    if (result.ended === 'aborted' || result.exitCode === 0) return result.stdout.toString().trim();
    throw new PullyuError('failed', `git ${args[0]} did not work: ${result.stderr.trim()}`);
  };
  try {
    writeFileSync(join(folder, OWNER_FILE), JSON.stringify(processIdentity(process.pid)));
    for (const path of [root, served, home]) mkdirSync(path);
    cpSync(findExample('web-app'), work, { recursive: true });
    const bare = join(served, 'it.git');
    await git('init', '--quiet', '--bare', '--template=', bare);
    // Not `--initial-branch`: git has it since 2.28 only.
    await git('--git-dir', bare, 'symbolic-ref', 'HEAD', 'refs/heads/main');
    server = await startGitServer({ folder: served });
    const url = server.url('it.git');
    await git('init', '--quiet', '--template=');
    await git('symbolic-ref', 'HEAD', 'refs/heads/main');
    await git('remote', 'add', 'origin', url);
    await git('config', 'push.default', 'current');
    return {
      folder,
      root,
      url,
      work,
      command: shownPath(join(packageFolder(), 'bin/pullyu')),
      git,
      pullyu: (...args) =>
        exec(pullyuCommand(args), {
          cwd: folder,
          env: { ...env, PULLYU_ROOT: root },
          timeoutMs: COMMAND_MS,
          signal,
        }),
      startAgent: () => {
        agent = startAgent(pullyuCommand(['agent']), { ...env, PULLYU_ROOT: root }, folder);
        return agent;
      },
      agent: () => agent,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function makeStageFolder(): string {
  try {
    return realpathSync(mkdtempSync(join(tmpdir(), PREFIX)));
  } catch (error) {
    const unusable = `expected a folder for temporary files, ${tmpdir()} cannot be used`;
    throw (
      namedWriteError(error, tmpdir()) ??
      new PullyuError('usage', unusable, { hint: 'TMPDIR names another one', cause: error })
    );
  }
}

/** Relative to where the caller is, when it lies below. */
function shownPath(path: string): string {
  const below = relative(process.cwd(), path);
  return below.startsWith('..') ? path : below;
}

/** The folder of the package: above src/demo, and above dist. */
function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    if (folder === dirname(folder)) throw new TypeError('expected package.json above this module');
    folder = dirname(folder);
  }
  return folder;
}

function findExample(name: string): string {
  return join(packageFolder(), 'examples', name);
}

function pullyuCommand(args: readonly string[]): string[] {
  return [process.execPath, join(packageFolder(), 'bin/pullyu'), ...args];
}

/** Nothing of the caller's but where programs are: no proxy, no git settings, no supervisor, no host of his own. */
function stageEnvironment(home: string): Record<string, string> {
  const person = { NAME: 'An Administrator', EMAIL: 'admin@example.com' };
  return {
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: home,
    LANG: 'C.UTF-8',
    TMPDIR: tmpdir(),
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: person.NAME,
    GIT_AUTHOR_EMAIL: person.EMAIL,
    GIT_COMMITTER_NAME: person.NAME,
    GIT_COMMITTER_EMAIL: person.EMAIL,
  };
}

/** The shop, runs, the agent: whatever was started for this host carries its root in its environment. */
async function endMarked(root: string): Promise<void> {
  const started = Date.now();
  const termed = new Set<number>();
  for (;;) {
    const living = processesMarked('PULLYU_ROOT', root);
    if (living.length === 0) return;
    const since = Date.now() - started;
    if (since > 2 * GRACE_MS) return; // Hangs in the kernel: nobody can end it.
    for (const one of living) {
      if (since > GRACE_MS) signalProcess(one, 'SIGKILL');
      else if (!termed.has(one.pid)) signalProcess(one, 'SIGTERM');
      termed.add(one.pid);
    }
    await delay(20);
  }
}

/** What a demo left that was killed itself. Only folders of this very user are touched. */
async function removeAbandoned(): Promise<void> {
  for (const name of listTemporary()) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(tmpdir(), name);
    const stats = lstatSync(folder, { throwIfNoEntry: false });
    if (!stats?.isDirectory() || stats.uid !== process.getuid?.()) continue;
    const owner = readOwner(folder);
    if (owner === null || isAlive(owner)) continue;
    await endMarked(join(realpathSync(folder), 'host'));
    rmSync(folder, { recursive: true, force: true });
  }
}

function listTemporary(): string[] {
  try {
    return readdirSync(tmpdir());
  } catch {
    return []; // Making our own folder will say why.
  }
}

function readOwner(folder: string): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(join(folder, OWNER_FILE), 'utf8')) as ProcessIdentity;
  } catch {
    return null; // Just being made, or no demo at all.
  }
}
