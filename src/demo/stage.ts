/**
 * Where the demo happens: one temporary folder with a git server's repositories, the clone of somebody who pushes, and the roots of the
 * hosts. Everything is started here and ended here.
 */
import {
  appendFileSync,
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
import { type ExecResult, exec } from '../system/exec.ts';
import { namedWriteError } from '../system/files.ts';
import { isAlive, type ProcessIdentity, processIdentity } from '../system/processes.ts';
import { type GitServer, startGitServer } from './git-server.ts';
import { createStageHost, endMarked, type StageHost } from './stage-host.ts';

export interface Stage {
  /** Of everything; gone after `close`. */
  readonly folder: string;
  /** Of the repository, to clone and push. */
  readonly url: string;
  /** Of the status repository. */
  readonly statusUrl: string;
  /** The clone that commits are made in. */
  readonly work: string;
  git(...args: string[]): Promise<string>;
  /** How one types `pullyu` here. */
  readonly command: string;
  /** The absolute path of the same. */
  readonly program: string;
  /** Runs `pullyu ARGS` as the person who pushes, in the clone and on no host. A non-zero exit is a result. */
  person(...args: string[]): Promise<ExecResult>;
  /** The machine of that name; at first it is empty. */
  host(name: string): StageHost;
  hosts(): readonly StageHost[];
  /** A program that takes the place of HAProxy. */
  ownBalancer(): string;
  close(): Promise<void>;
}

const PREFIX = 'pullyu-demo-';
const OWNER_FILE = 'owner.json';
const COMMAND_MS = 90_000;
const HOSTS = 'hosts';

/** @throws PullyuError when git is missing or there is no room. */
export async function openStage(signal: AbortSignal): Promise<Stage> {
  await removeAbandoned();
  const folder = makeStageFolder();
  const [work, served, home] = ['work', 'git', 'home'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const env = stageEnvironment(home);
  const hosts = new Map<string, StageHost>();
  let server: GitServer | null = null;
  const close = async () => {
    await Promise.all([...hosts.values()].map((host) => host.close()));
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
    for (const path of [served, home]) mkdirSync(path);
    writeShop(work);
    for (const name of ['it.git', 'status.git']) {
      const bare = join(served, name);
      await git('init', '--quiet', '--bare', '--template=', bare);
      // Not `--initial-branch`: git has it since 2.28 only.
      await git('--git-dir', bare, 'symbolic-ref', 'HEAD', 'refs/heads/main');
    }
    server = await startGitServer({ folder: served });
    const url = server.url('it.git');
    await git('init', '--quiet', '--template=');
    await git('symbolic-ref', 'HEAD', 'refs/heads/main');
    await git('remote', 'add', 'origin', url);
    await git('config', 'push.default', 'current');
    const common = { env, timeoutMs: COMMAND_MS, signal };
    const program = join(packageFolder(), 'bin/pullyu');
    const command = [process.execPath, program];
    const statusUrl = server.url('status.git');
    const nowhere = { PULLYU_ROOT: home, PULLYU_STATUS: statusUrl };
    return {
      folder,
      url,
      statusUrl,
      work,
      program,
      command: shownPath(program),
      git,
      person: (...args) => exec([...command, ...args], { ...common, cwd: work, env: { ...env, ...nowhere } }),
      host(name) {
        const root = join(folder, HOSTS, name);
        const host = hosts.get(name) ?? createStageHost({ name, root, command, cwd: folder, ...common });
        hosts.set(name, host);
        return host;
      },
      hosts: () => [...hosts.values()],
      ownBalancer: () => writeOwnBalancer(folder),
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

/** examples/web-app, and from examples/load-balancer the part that stands before it. */
function writeShop(work: string): void {
  const examples = join(packageFolder(), 'examples');
  cpSync(join(examples, 'web-app'), work, { recursive: true });
  const balancer = join(examples, 'load-balancer');
  for (const folder of ['lib', 'lb']) cpSync(join(balancer, folder), join(work, folder), { recursive: true });
  const [, action] =
    /^actions:\n( {2}balancer:\n(?: {4}.*\n)+)/m.exec(readFileSync(join(balancer, 'pullyu.yaml'), 'utf8')) ??
    [];
  if (action === undefined) throw new TypeError('expected examples/load-balancer to begin with its balancer');
  appendFileSync(join(work, 'pullyu.yaml'), action);
}

function writeOwnBalancer(folder: string): string {
  const file = join(folder, 'haproxy');
  const balancer = join(packageFolder(), 'dist/balancer.js');
  writeFileSync(
    file,
    `#!/bin/sh\nexec ${quoteForShell(process.execPath)} ${quoteForShell(balancer)} "$@"\n`,
    { mode: 0o755 },
  );
  return file;
}

function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
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

/** What a demo left that was killed itself. Only folders of this very user are touched. */
async function removeAbandoned(): Promise<void> {
  for (const name of namesIn(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(tmpdir(), name);
    const stats = lstatSync(folder, { throwIfNoEntry: false });
    if (!stats?.isDirectory() || stats.uid !== process.getuid?.()) continue;
    const owner = readOwner(folder);
    if (owner === null || isAlive(owner)) continue;
    const hosts = join(realpathSync(folder), HOSTS);
    await Promise.all(namesIn(hosts).map((name) => endMarked(join(hosts, name))));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** None when it cannot be read: making our own folder will say why. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readOwner(folder: string): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(join(folder, OWNER_FILE), 'utf8')) as ProcessIdentity;
  } catch {
    return null; // Just being made, or no demo at all.
  }
}
