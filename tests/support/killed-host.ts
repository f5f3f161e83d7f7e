/** A host whose agent is killed again and again, and what must hold after each time. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type GitServer, startGitServer } from '../../src/demo/git-server.ts';
import { readJournal } from '../../src/journal/read.ts';
import { type Fault, faultEnvironment } from './fault.ts';
import { createHost, type HostOptions, type Ran, type TestHost } from './host.ts';
import { createRemote, type Remote } from './repo.ts';
import { commitOfTree, currentTree } from './tree.ts';
import { createWitness, KINDS, type KindName, nextText, type Witness } from './witness.ts';

export interface KilledHost extends AsyncDisposable {
  readonly remote: Remote;
  readonly server: GitServer;
  readonly host: TestHost;
  readonly witness: Witness;
  /** Commits and pushes a next text. */
  push(): Promise<{ text: string; commit: string }>;
  /** A look that something happens to. */
  lookWith(fault: Fault): Promise<Ran>;
  /** At any instant, also right after a kill: `current` is the whole tree of one commit that was pushed. */
  expectWholeTree(): Promise<void>;
  /**
   * After the next look: the tree is that of the commit, it counts as applied, and nothing is left over.
   * `repeated`: actions of which not only the agent was killed, so that they may have begun more than once.
   */
  expectDone(pushed: { text: string; commit: string }, repeated?: readonly KindName[]): Promise<void>;
}

const RUNS_KEPT = 2;

export async function createKilledHost(options: HostOptions = {}): Promise<KilledHost> {
  const remote = await createRemote();
  const witness = createWitness();
  await remote.publish(witness.repository('v0'));
  const server = await startGitServer({ folder: remote.folder });
  const host = createHost({
    interval: '100ms',
    repos: { it: server.url(remote.path) },
    more: { limits: { runsKeptPerAction: RUNS_KEPT } },
    ...options,
  });
  const commits: string[] = [await remote.head()];
  return {
    remote,
    server,
    host,
    witness,
    async push() {
      const { text, change } = nextText();
      const commit = await remote.publish(change);
      commits.push(commit);
      return { text, commit };
    },
    lookWith: (fault) => host.look({ env: faultEnvironment(host.root, { fault }) }),
    async expectWholeTree() {
      if (currentTree(host) !== null) await commitOfTree(host, remote.bare, commits.slice(-10));
    },
    async expectDone({ text, commit }, repeated = []) {
      expect(await commitOfTree(host, remote.bare, [commit])).toBe(commit);
      const journal = readJournal(join(host.state, 'journal.log'));
      expect(journal.applied('it')).toBe(commit);
      expect(journal.openRuns()).toEqual([]);
      for (const kind of KINDS) {
        const attempts = witness.of(kind, text);
        expect(attempts.at(-1), `${kind} came to its end`).toMatchObject({ ended: true });
        if (!repeated.includes(kind)) expect(attempts, `${kind} began once`).toHaveLength(1);
      }
      expect(new Set(witness.attempts().map(({ run }) => run)).size).toBe(witness.attempts().length);
      // The last tidying keeps so many of each; one that was cut off leaves some more for the next.
      expect(readdirSync(join(host.state, 'runs')).length).toBeLessThanOrEqual(
        (RUNS_KEPT + 1) * KINDS.length,
      );
      await host.expectNoLeaks();
    },
    async [Symbol.asyncDispose]() {
      witness.release();
      await host.close();
      await server.close();
      witness[Symbol.dispose]();
      remote[Symbol.dispose]();
    },
  };
}
