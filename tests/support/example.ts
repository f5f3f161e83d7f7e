/** The repositories of examples/, as a newcomer uses them: pushed as they are, and a host bootstrapped from them. */
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createHost, type Ran, type TestHost } from './host.ts';
import { createRemote, type Remote } from './repo.ts';

export const examplesFolder = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'examples');

/** Every folder that is the root of a repository, relative to examples/. */
export function exampleRepositories(): string[] {
  return readdirSync(examplesFolder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('pullyu.yaml') || path.endsWith('bin/work/common/work.sh'))
    .map((path) => path.replace(/\/(?:pullyu\.yaml|bin\/work\/common\/work\.sh)$/, ''))
    .sort();
}

export interface Example extends AsyncDisposable {
  readonly remote: Remote;
  readonly host: TestHost;
  /** What bootstrap said. */
  readonly bootstrapped: Ran;
}

export interface ExampleOptions {
  readonly labels?: Readonly<Record<string, string>>;
  /** More words for bootstrap. */
  readonly more?: (host: TestHost) => string[];
  /** Files below the host's root that are there before. */
  readonly files?: Readonly<Record<string, string>>;
  /** Commits something before the first push. */
  readonly prepare?: (remote: Remote) => Promise<unknown>;
}

/** Pushes the example as it is to a bare repository and bootstraps a host from that. */
export async function bootstrapExample(name: string, options: ExampleOptions = {}): Promise<Example> {
  const remote = await pushExample(name, options.prepare);
  const host = createHost();
  for (const [path, content] of Object.entries(options.files ?? {})) writeBelow(host.root, path, content);
  const labels = Object.entries(options.labels ?? {}).flatMap(([key, value]) => [
    '--label',
    `${key}=${value}`,
  ]);
  const words = [...labels, '--interval', '200ms', '--heartbeat', 'none', ...(options.more?.(host) ?? [])];
  const bootstrapped = await host.run([
    'bootstrap',
    remote.url,
    '--name',
    'it',
    '--host',
    'host-1',
    ...words,
  ]);
  return {
    remote,
    host,
    bootstrapped,
    async [Symbol.asyncDispose]() {
      await host.close();
      remote[Symbol.dispose]();
    },
  };
}

export async function pushExample(
  name: string,
  prepare?: (remote: Remote) => Promise<unknown>,
): Promise<Remote> {
  const remote = await createRemote();
  cpSync(join(examplesFolder, name), remote.work, { recursive: true });
  await remote.commit({ message: 'the example as it is' });
  await prepare?.(remote);
  await remote.push();
  return remote;
}

export function writeBelow(root: string, path: string, content: string): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

/** Names in a folder below the root, sorted; none when it is not there. */
export function namesIn(host: TestHost, folder: string): string[] {
  const path = join(host.root, folder);
  return existsSync(path) ? readdirSync(path).sort() : [];
}

/** The system's usual PATH, as actions have it, may lack the Node.js that runs this test. */
export function nodeLabel(): Record<string, string> {
  const folders = ['/usr/local/bin', '/usr/bin', '/bin'];
  return folders.some((folder) => existsSync(join(folder, 'node'))) ? {} : { node: process.execPath };
}

/** What `pullyu status` says of an action. */
export async function actionState(host: TestHost, name: string): Promise<string | undefined> {
  return (await host.status()).actions.find((action) => action.name === name)?.state;
}
