/** What a working directory would run if it were pushed as it is. Needs no host; the memory of one is used where the repo is known to it. */
import { basename, resolve } from 'node:path';
import { CLASSIC, conventionPaths } from '../config/convention.ts';
import { PullyuError } from '../errors.ts';
import { createCommitReader } from '../git/commit-reader.ts';
import { takeSnapshot } from '../git/snapshot.ts';
import { TroubleError } from '../git/stderr.ts';
import { readUserGit } from '../git/user-git.ts';
import type { JournalView } from '../journal/read.ts';
import type { Host } from '../model/host.ts';
import type { CommitId, HostId } from '../model/ids.ts';
import type { Labels } from '../model/labels.ts';
import type { Plan, RosterView } from '../model/plan.ts';
import type { RepoConfig } from '../model/repo.ts';
import type { Clock } from '../system/clock.ts';
import type { Paths } from '../system/paths.ts';
import { filesOfCommit, REPO_FILE, readActions } from './actions.ts';
import { readIdentity } from './identity.ts';
import { readRepoInput } from './repo-input.ts';
import { assumeRosterView, readRosterView } from './roster-view.ts';
import { type HostPicture, planInputs, readPicture } from './status.ts';

export interface TreePlanOptions {
  /** Which repo of this host the directory is of; null: find out. */
  readonly repo: string | null;
  /** As if the host had these labels too. */
  readonly labels: Labels;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

export interface TreePlan {
  readonly plan: Plan;
  readonly repo: string;
  readonly labels: Labels;
  /** The host whose memory was used; null: planned as for a host that has done nothing yet. */
  readonly host: string | null;
  /** null when the directory is not as any commit has it. */
  readonly commit: CommitId | null;
  /** Where actions were looked for; none is there when the plan has no steps. */
  readonly looked: readonly string[];
}

/** @throws PullyuError, TroubleError */
export async function planTree(paths: Paths, folder: string, o: TreePlanOptions): Promise<TreePlan> {
  const picture = readIdentity(paths.state) === null ? null : await readPicture(paths, o.clock);
  const known = picture === null ? null : await findRepo(picture, folder, o);
  const repo = known ?? { name: o.repo ?? nameOfFolder(folder), convention: CLASSIC };
  const host: Host = {
    name: picture?.view.host.name ?? 'a new host',
    id: picture?.view.host.id ?? ('' as HostId),
    labels: { ...picture?.view.host.labels, ...o.labels },
  };
  const taken = await takeSnapshot(folder, {
    env: o.env,
    ...(o.signal === undefined ? {} : { signal: o.signal }),
  });
  if (!taken.ok) throw new TroubleError(taken.trouble);
  const { git, commit, isCommitted, close } = taken.value;
  try {
    const reader = createCommitReader(git);
    const read = await readActions(repo, filesOfCommit(reader, commit), host.labels);
    if (!read.ok) {
      throw new PullyuError('repo-config', read.trouble.message, {
        hint: `correct ${REPO_FILE}; \`pullyu lint\` shows everything that is wrong with it`,
      });
    }
    const memory: Pick<HostPicture, 'journal' | 'pause'> & { readonly roster: RosterView } =
      picture !== null && known !== null
        ? { ...picture, roster: readRosterView(paths.state, read.value, picture.view) }
        : { journal: NOTHING, pause: null, roster: assumeRosterView(read.value) };
    const input = await readRepoInput(reader, memory.journal, read.value, {
      repo: repo.name,
      commit,
      labels: host.labels,
    });
    const { init, work } = conventionPaths(repo.convention, host.labels);
    return {
      plan: planInputs(memory, host, [input], o.clock.now()),
      repo: repo.name,
      labels: host.labels,
      host: known === null ? null : host.name,
      commit: isCommitted ? commit : null,
      looked: [REPO_FILE, ...init, ...work],
    };
  } finally {
    close();
  }
}

/** The repo by its name, by the remote that the directory was cloned from, or the only one there is. */
async function findRepo(
  picture: HostPicture,
  folder: string,
  o: TreePlanOptions,
): Promise<RepoConfig | null> {
  const { repos } = picture.view.config;
  if (o.repo !== null) {
    const named = repos.find((repo) => repo.name === o.repo);
    if (named) return named;
    const names = repos.map((repo) => repo.name).join(', ');
    throw new PullyuError(
      'unknown-repo',
      `expected --repo to be one of ${names}, found ${JSON.stringify(o.repo)}`,
    );
  }
  const origin = await readUserGit(['config', '--get', 'remote.origin.url'], {
    cwd: folder,
    env: o.env,
    doing: 'read the remote',
  });
  const cloned = origin.ok ? repos.find((repo) => repo.remotes.includes(origin.value)) : undefined;
  return cloned ?? (repos.length === 1 ? repos[0]! : null);
}

function nameOfFolder(folder: string): string {
  const plain = basename(resolve(folder))
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '');
  return plain === '' ? 'repo' : plain;
}

/** The memory of a host that has done nothing. */
const NOTHING: JournalView = {
  runs: () => [],
  openRuns: () => [],
  memory: () => new Map(),
  target: () => null,
  targetTrack: () => null,
  accepted: () => null,
  applied: () => null,
  pause: () => null,
};
