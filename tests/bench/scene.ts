/** Everything that is measured: remotes behind a server, a host of pullyu and clones for the others on each. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { git } from '../support/git.ts';
import { findProgram } from '../support/needs.ts';
import { type BenchHost, createBenchHost } from './bench-host.ts';
import { createMarks, type Marks } from './marks.ts';
import { type BenchRemote, createRemotes, type RemoteName, type Sizes } from './remotes.ts';
import { type BenchServer, startServer } from './server.ts';

export interface Contender extends BenchRemote {
  readonly url: string;
  readonly host: BenchHost;
  /** Of the first look, which clones and runs every action, seconds. */
  readonly firstLookS: number;
  readonly shellLoop: readonly string[];
  readonly gitPull: readonly string[];
  readonly lsRemote: readonly string[];
  /** null: not installed. */
  readonly ansiblePull: readonly string[] | null;
}

export interface Scene {
  readonly env: Readonly<Record<string, string>>;
  readonly server: BenchServer;
  readonly marks: Marks;
  readonly remotes: Readonly<Record<RemoteName, Contender>>;
  /** Another host on the small remote. */
  readonly besideHost: BenchHost;
}

/** @param checkout Where tests/bench is. */
export async function createScene(
  folder: string,
  o: { readonly checkout: string; readonly sizes: Sizes; readonly say: (text: string) => void },
): Promise<Scene & AsyncDisposable> {
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: join(folder, 'home'), LANG: 'C.UTF-8' };
  mkdirSync(env.HOME, { recursive: true });
  const marks = createMarks(join(folder, 'marks'));
  o.say('makes the repositories');
  const made = await createRemotes(folder, marks.file, o.sizes);
  const server = await startServer(join(folder, 'served'));
  try {
    const remotes = {} as Record<RemoteName, Contender>;
    for (const remote of made) {
      o.say(`first look and clones of "${remote.name}"`);
      remotes[remote.name] = await createContender(remote, server, { folder, env, checkout: o.checkout });
    }
    const { url } = remotes.small;
    const besideHost = createBenchHost('beside', { folder, url, env });
    await besideHost.run('look');
    return {
      env,
      server,
      marks,
      remotes,
      besideHost,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

async function createContender(
  remote: BenchRemote,
  server: BenchServer,
  o: { readonly folder: string; readonly env: Readonly<Record<string, string>>; readonly checkout: string },
): Promise<Contender> {
  const { name } = remote;
  const url = server.url(remote.path);
  const host = createBenchHost(name, { folder: o.folder, url, env: o.env });
  const begun = performance.now();
  await host.run('look');
  const firstLookS = (performance.now() - begun) / 1000;
  await host.run('look');
  const clone = async (use: string) => {
    const path = join(o.folder, 'clones', `${name}-${use}`);
    await git(['clone', '--quiet', url, path], { timeoutMs: 300_000 });
    return path;
  };
  const looped = await clone('loop');
  const pulled = await clone('pull');
  const ansible = findProgram('ansible-pull');
  return {
    ...remote,
    url,
    host,
    firstLookS,
    shellLoop: [join(o.checkout, 'tests/bench/shell-loop.sh'), looped],
    gitPull: ['git', '-C', pulled, 'pull', '--quiet', '--ff-only'],
    lsRemote: ['git', 'ls-remote', url, 'refs/heads/main'],
    ansiblePull:
      ansible === null
        ? null
        : [
            ansible,
            ...['--only-if-changed', '--url', url, '--checkout', 'main'],
            ...['--directory', join(o.folder, 'clones', `${name}-ansible`)],
            ...['--inventory', 'localhost,', 'local.yml'],
          ],
  };
}
