/** A host that is killed again and again and publishes what it did: every recorded result is told once, in order. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { type GitServer, startGitServer } from '../../src/demo/git-server.ts';
import { readJournal } from '../../src/journal/read.ts';
import { git } from './git.ts';
import { createKilledHost, type KilledHost } from './killed-host.ts';
import { createRemote, type Remote } from './repo.ts';

export interface ToldHost extends KilledHost {
  readonly status: Remote;
  readonly statusServer: GitServer;
  /** Lines of its branch, oldest first. */
  lines(): Promise<string[]>;
  /** What the journal holds, and nothing else, stands on the branch: each result once, in the order of the journal. */
  expectTold(): Promise<void>;
}

const RUN = /^(\w+) (ok|failed|interrupted|timed-out|superseded|refused)(?: \(.*\))? at ([0-9a-f]{7}) in /;

/** `expectDone` of it holds what was told, too. */
export async function createToldHost(): Promise<ToldHost> {
  const status = await createRemote('status');
  const statusServer = await startGitServer({ folder: status.folder });
  const killed = await createKilledHost();
  killed.host.configure({
    repos: { it: killed.server.url(killed.remote.path) },
    more: { limits: { runsKeptPerAction: 2 }, status: { remote: statusServer.url(status.path) } },
  });
  const lines = async () => {
    const log = ['log', '--reverse', '--format=%s', 'refs/heads/hosts/host-1'];
    return (await git(['--git-dir', status.bare, ...log])).split('\n').filter((line) => line !== '');
  };
  const expectTold = async () => {
    const told = (await lines()).flatMap((line) => {
      const found = RUN.exec(line);
      return found === null ? [] : [found.slice(1).join(' ')];
    });
    const recorded = readJournal(join(killed.host.state, 'journal.log'))
      .runs()
      .flatMap(({ intent, result }) =>
        result === null ? [] : [`${intent.action} ${result.outcome} ${intent.commit.slice(0, 7)}`],
      );
    expect(told).toEqual(recorded.reverse());
  };
  return {
    ...killed,
    status,
    statusServer,
    lines,
    expectTold,
    async expectDone(...args) {
      await killed.expectDone(...args);
      await expectTold();
    },
    async [Symbol.asyncDispose]() {
      await killed[Symbol.asyncDispose]();
      await statusServer.close();
      status[Symbol.dispose]();
    },
  };
}
