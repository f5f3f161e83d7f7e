/** A host with an open try, as a person has it. */
import { expect } from 'vitest';
import { git } from './git.ts';
import { createHost, type HostOptions, type TestHost } from './host.ts';
import type { Remote } from './repo.ts';
import { sayRepository } from './say.ts';

export const trying = (host: TestHost, ...args: string[]) => host.run(['try', ...args]);

/** Opens a try and gives its checkout. */
export async function openTry(host: TestHost, ...args: string[]): Promise<string> {
  const ran = await trying(host, ...args);
  expect(ran.code, ran.stderr).toBe(0);
  return ran.stdout.trim();
}

/** Subjects of the commits of a branch of the remote, newest first. */
export const subjects = (remote: Remote, branch = 'main') =>
  git(['-C', remote.bare, 'log', '--format=%s', branch]).then((text) => text.split('\n'));

/** A host that has applied `say one`. */
export async function sayingHost(remote: Remote, options: HostOptions = {}): Promise<TestHost> {
  await remote.publish(sayRepository('one'));
  const host = createHost({ repos: { it: remote.bare }, ...options });
  expect((await host.look()).code).toBe(0);
  return host;
}
