/** The form that every failure of the world is tested in. */
import { expect } from 'vitest';
import type { TroubleCode } from '../../src/model/trouble.ts';
import type { TestHost } from './host.ts';
import type { Remote } from './repo.ts';
import { said, say } from './say.ts';

export interface Failure {
  readonly name: string;
  /** What `status --json` calls it while it lasts; several where the moment decides. */
  readonly code: TroubleCode | readonly TroubleCode[];
  begin(): Promise<unknown> | unknown;
  end(): Promise<unknown> | unknown;
}

let serial = 0;

/**
 * The failure begins, a good commit is pushed: the trouble is visible, and nothing is done. It ends: the commit is
 * applied without anybody's help, once, and nothing is left over. The agent must be running.
 */
export async function survive(host: TestHost, remote: Remote, failure: Failure): Promise<void> {
  const applied = (await host.status()).repos[0]?.applied;
  const before = said(host);
  const text = `after ${failure.name} ${++serial}`;
  await failure.begin();
  let commit: string;
  try {
    commit = await remote.publish(say(text));
    const status = await host.untilTrouble(failure.code);
    const { trouble } = status.repos[0]!;
    expect(trouble?.message).toMatch(/^\S.{10,}$/);
    expect(status.repos[0]?.applied).toBe(applied);
    expect(said(host)).toEqual(before);
  } finally {
    await failure.end();
  }
  await host.untilApplied(commit);
  expect(said(host)).toEqual([...before, text]);
  await host.expectNoLeaks();
}
