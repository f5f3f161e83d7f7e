import { existsSync, realpathSync } from 'node:fs';
import type { RepoState } from '../agent/state-file.ts';
import { TARGET } from '../git/fetch.ts';
import type { Prober } from '../git/probe.ts';
import { runGit } from '../git/run.ts';
import { readable } from '../git/stderr.ts';
import type { JournalView } from '../journal/read.ts';
import type { HostConfig } from '../model/host.ts';
import type { Labels } from '../model/labels.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fail, trouble } from '../model/trouble.ts';
import { resolveTracking } from '../plan/tracking.ts';
import type { Clock } from '../system/clock.ts';
import { repoPaths } from '../system/paths.ts';
import type { RemoteFacts, RepoFacts } from './doctor-repos.ts';

export interface RepoFactsOptions {
  readonly state: string;
  readonly config: HostConfig;
  readonly labels: Labels;
  /** null when the journal cannot be read. */
  readonly journal: JournalView | null;
  /** By repo, as the last look left them. */
  readonly troubles: Readonly<Record<string, Pick<RepoState, 'trouble'>>>;
  readonly prober: Prober;
  readonly clock: Clock;
}

const GIT_TIMEOUT_MS = 20_000;

/** Probes every remote of every repo, all at once: each ends within its own deadline. Fetches nothing. */
export function readRepoFacts(o: RepoFactsOptions): Promise<RepoFacts[]> {
  return Promise.all(o.config.repos.map((repo) => readOne(repo, o)));
}

async function readOne(repo: RepoConfig, o: RepoFactsOptions): Promise<RepoFacts> {
  const at = repoPaths(o.state, repo.name);
  const target = o.journal?.target(repo.name) ?? null;
  const [clone, ...remotes] = await Promise.all([
    readClone(at.clone, target),
    ...repo.remotes.map((remote) => readRemote(repo, remote, o)),
  ]);
  return {
    repo: repo.name,
    remotes,
    target,
    clone,
    current: resolveLink(at.current),
    trouble: o.troubles[repo.name]?.trouble ?? null,
  };
}

async function readRemote(repo: RepoConfig, remote: string, o: RepoFactsOptions): Promise<RemoteFacts> {
  const began = o.clock.monotonic();
  const took = () => o.clock.monotonic() - began;
  const tracking = resolveTracking(repo.track, o.labels);
  if (!tracking.ok) return { remote, answer: tracking, tookMs: 0 };
  try {
    const answer = await o.prober.probe(repo, remote, tracking.value);
    return { remote, answer, tookMs: took() };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { remote, answer: fail(trouble('git-failed', readable(text))), tookMs: took() };
  }
}

async function readClone(gitDir: string, target: string | null): Promise<RepoFacts['clone']> {
  if (!existsSync(gitDir)) return 'missing';
  // Its tree too: a commit whose tree is missing is no use.
  const wanted = `${target ?? TARGET}^{tree}`;
  const result = await runGit(['cat-file', '-e', wanted], { gitDir, timeoutMs: GIT_TIMEOUT_MS });
  return result.exitCode === 0 ? 'whole' : 'without-target';
}

function resolveLink(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}
