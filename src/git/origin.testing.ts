/** For tests: a real bare repository to fetch from, and a place to put a host's state. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentEvent } from '../model/event.ts';
import type { Limits } from '../model/host.ts';
import { type CommitId, commitId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import { NO_ACCESS } from '../model/repo.ts';
import { systemClock } from '../system/clock.ts';
import { decidePaths } from '../system/paths.ts';
import { type Clone, type CloneOptions, openClone } from './clone.ts';
import type { ProbeAnswer } from './probe.ts';
import { openTrees, type Trees } from './trees.ts';

/** Content of a file; with a mode for scripts; a link; null deletes. */
export type Change = string | Buffer | null | { mode: '100755' | '120000' | '160000'; content: string };

export interface Origin {
  readonly folder: string;
  readonly dir: string;
  git(...args: string[]): string;
  /** One commit on a branch (default main). Paths may be given as latin1 for raw bytes. */
  commit(changes: Record<string, Change>, o?: { branch?: string; orphan?: boolean }): CommitId;
  /** A commit whose root tree is exactly these entries, whatever their names. */
  commitTree(entries: readonly { mode: string; oid: string; name: Buffer | string }[]): CommitId;
  blob(content: string): string;
  answer(commit?: CommitId, ref?: string): ProbeAnswer;
}

const ENV = {
  PATH: process.env.PATH ?? '',
  HOME: '/nonexistent',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.com',
};

export function createOrigin(folder: string, name = 'origin.git', o: { sha256?: boolean } = {}): Origin {
  const dir = join(folder, name);
  const run = (args: readonly string[], input?: string | Buffer): string =>
    execFileSync('git', args, { env: ENV, input: input ?? '', stdio: ['pipe', 'pipe', 'pipe'] })
      .toString()
      .trim();
  run(['init', '-q', '--bare', '-b', 'main', ...(o.sha256 ? ['--object-format=sha256'] : []), dir]);
  const git = (...args: string[]) => run(['-C', dir, ...args]);
  for (const setting of ['uploadpack.allowFilter', 'uploadpack.allowAnySHA1InWant'])
    git('config', setting, 'true');
  let serial = 0;

  const origin: Origin = {
    folder,
    dir,
    git,
    commit(changes, more = {}) {
      serial += 1;
      const ref = `refs/heads/${more.branch ?? 'main'}`;
      const exists = git('for-each-ref', ref) !== '';
      const message = `commit ${serial}`;
      const parts: Buffer[] = [
        Buffer.from(
          `commit ${ref}\ncommitter a <a@example.com> ${1_700_000_000 + serial} +0000\ndata ${message.length}\n${message}\n`,
        ),
      ];
      if (exists && !more.orphan) parts.push(Buffer.from(`from ${ref}^0\n`));
      for (const [path, change] of Object.entries(changes)) {
        const quoted = `"${path.replace(/[\\"]/g, '\\$&')}"`;
        if (change === null) {
          parts.push(Buffer.from(`D ${quoted}\n`));
          continue;
        }
        const plain = typeof change === 'string' || Buffer.isBuffer(change);
        const mode = plain ? '100644' : change.mode;
        if (mode === '160000' && !plain) {
          parts.push(Buffer.from(`M 160000 ${change.content} ${quoted}\n`));
          continue;
        }
        const content = Buffer.from(plain ? change : change.content);
        parts.push(
          Buffer.from(`M ${mode} inline ${quoted}\ndata ${content.length}\n`),
          content,
          Buffer.from('\n'),
        );
      }
      parts.push(Buffer.from('\n'));
      run(['-C', dir, 'fast-import', '--quiet', '--force'], Buffer.concat(parts));
      return commitId(git('rev-parse', ref));
    },
    commitTree(entries) {
      const records = entries.flatMap(({ mode, oid, name }) => [
        Buffer.from(`${mode.replace(/^0/, '')} `),
        Buffer.from(name),
        Buffer.from([0]),
        Buffer.from(oid, 'hex'),
      ]);
      const tree = run(
        ['-C', dir, 'hash-object', '-t', 'tree', '-w', '--stdin', '--literally'],
        Buffer.concat(records),
      );
      const parent = git('for-each-ref', 'refs/heads/main') === '' ? [] : ['-p', 'refs/heads/main'];
      const id = git('commit-tree', tree, ...parent, '-m', 'a tree');
      git('update-ref', 'refs/heads/main', id);
      return commitId(id);
    },
    blob: (content) => run(['-C', dir, 'hash-object', '-w', '--stdin'], content),
    answer: (commit, ref = 'refs/heads/main') => ({
      commit: commit ?? commitId(git('rev-parse', `${ref}^{commit}`)),
      ref,
      url: dir,
    }),
  };
  return origin;
}

export const testLimits: Limits = {
  freeSpaceMinBytes: 1024 * 1024,
  fetchMaxBytes: 1024 ** 3,
  outputMaxBytes: 1024 ** 2,
  runsKeptPerAction: 10,
  runsMaxBytes: 1024 ** 3,
  treeMaxFiles: 1_000_000,
  treeMaxBytes: 10 * 1024 ** 3,
  probeTimeoutMs: 10_000,
  fetchStallMs: 60_000,
  fetchTimeoutMs: 60_000,
};

export function testRepo(remotes: readonly string[], more: Partial<RepoConfig> = {}): RepoConfig {
  return {
    name: 'it',
    remotes,
    track: { ref: 'main' },
    pull: 'agent',
    clone: 'full',
    submodules: false,
    lfs: false,
    convention: { init: [], work: [] },
    access: NO_ACCESS,
    ...more,
  };
}

export interface TestHost {
  readonly folder: string;
  readonly state: string;
  /** Of the repo: clone.git, trees and so on. */
  readonly base: string;
  readonly origin: Origin;
  readonly events: AgentEvent[];
  readonly clone: Clone;
  readonly trees: Trees;
  /** As after a restart of the agent. */
  reopen(more?: { repo?: Partial<RepoConfig>; options?: Partial<CloneOptions> }): TestHost;
  close(): void;
}

export function createTestHost(
  more: {
    repo?: Partial<RepoConfig>;
    options?: Partial<CloneOptions>;
    sha256?: boolean;
    folder?: string;
  } = {},
): TestHost {
  const folder = more.folder ?? mkdtempSync(join(tmpdir(), 'pullyu-'));
  const origin = createOrigin(folder, 'origin.git', more.sha256 ? { sha256: true } : {});
  const paths = decidePaths(join(folder, 'host'), {}, 0);
  const events: AgentEvent[] = [];
  const open = (m: typeof more): TestHost => {
    const repo = testRepo([origin.dir], m.repo);
    const options = {
      limits: testLimits,
      env: process.env,
      emit: (event: AgentEvent) => events.push(event),
      clock: systemClock,
      ...m.options,
    };
    const clone = openClone(paths, repo, options);
    return {
      folder,
      state: paths.state,
      base: join(paths.state, 'repos/it'),
      origin,
      events,
      clone,
      trees: openTrees(paths, repo, clone, { clock: options.clock }),
      reopen: (again = {}) => {
        clone.close();
        return open({ ...m, ...again });
      },
      close: () => {
        clone.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  };
  return open(more);
}
