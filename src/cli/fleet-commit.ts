/** The commit that is expected of the fleet, and what the git repository at hand knows about it. */
import { filesOfCommit, readActions } from '../agent/actions.ts';
import { openSource } from '../agent/source.ts';
import { CLASSIC } from '../config/convention.ts';
import { PullyuError } from '../errors.ts';
import type { ProgressOptions } from '../fleet/progress.ts';
import { type CloneGit, createCloneGit } from '../git/clone-git.ts';
import { createCommitReader } from '../git/commit-reader.ts';
import { isAncestor } from '../git/history.ts';
import { TroubleError } from '../git/stderr.ts';
import { readUserGit } from '../git/user-git.ts';
import type { FleetHost } from '../model/fleet.ts';
import { type CommitId, isCommitId, shortId } from '../model/ids.ts';
import { type Labels, matchesSelector } from '../model/labels.ts';
import type { RepoConfig } from '../model/repo.ts';
import type { CommandContext } from './context.ts';
import type { FleetAccess } from './fleet-access.ts';

export interface FleetCommit {
  readonly commit: CommitId;
  readonly repo: string;
  /** What is to be said beside the answer. */
  readonly notes: readonly string[];
  /** What `progressOf` has to know about these hosts. Git is asked about each commit and each set of labels once. */
  describe(hosts: readonly FleetHost[]): Promise<ProgressOptions>;
  /** Commits that hosts have and that nobody here knows: whether they hold the commit cannot be said. */
  unknown(): readonly CommitId[];
  close(): void;
}

/** A git repository that may know the commit. */
interface Place {
  /** null: a working directory, of which repo is to be found out. */
  readonly repo: string | null;
  readonly convention: RepoConfig['convention'];
  readonly git: CloneGit;
  close(): void;
}

const REF = /^[\w@][\w./@{}^~+-]*$/;

/**
 * @param text A full or short commit id, or a ref of the working directory (HEAD) or of this host's clone.
 * @param repo Of --repo; null: the only one that hosts follow, or the one whose commits are known here.
 * @throws PullyuError `usage`, `unknown-repo`.
 */
export async function findFleetCommit(
  text: string,
  repo: string | null,
  hosts: readonly FleetHost[],
  fleet: FleetAccess,
  context: CommandContext,
): Promise<FleetCommit> {
  if (!REF.test(text)) throw new PullyuError('usage', `expected a commit, found ${JSON.stringify(text)}`);
  const names = reposOf(hosts);
  if (repo !== null && names.length > 0 && !names.includes(repo)) {
    throw new PullyuError(
      'unknown-repo',
      `expected --repo to be one that hosts follow (${names.join(', ')}), found ${JSON.stringify(repo)}`,
    );
  }
  const places = await openPlaces(repo, fleet, context);
  try {
    for (const place of places) {
      const commit = await resolveAt(place.git, text);
      if (commit === null) continue;
      const name = repo ?? place.repo ?? (await recognise(place.git, hosts, names));
      for (const other of places) if (other !== place) other.close();
      return createFleetCommit(commit, name, place);
    }
    const commit = knownToHosts(text, repo, hosts);
    const name = repo ?? onlyRepo(names, 'say which with --repo NAME');
    for (const place of places) place.close();
    return createFleetCommit(commit, name, null);
  } catch (error) {
    for (const place of places) place.close();
    throw error;
  }
}

function reposOf(hosts: readonly FleetHost[]): string[] {
  return [...new Set(hosts.flatMap((host) => host.repos.map((repo) => repo.name)))].sort();
}

/** The working directory first: that is where somebody says HEAD. */
async function openPlaces(
  repo: string | null,
  { config }: FleetAccess,
  { cwd, env, paths, clock }: CommandContext,
): Promise<Place[]> {
  const found = await readUserGit(['rev-parse', '--absolute-git-dir'], {
    cwd,
    env,
    doing: 'find the checkout',
  });
  const path = env.PATH ? { PATH: env.PATH } : {};
  const here: Place[] = found.ok
    ? [
        {
          repo: null,
          convention: config?.repos.find(({ name }) => name === repo)?.convention ?? CLASSIC,
          git: createCloneGit(found.value, async () => ({ ok: true, value: { env: path } })),
          close() {},
        },
      ]
    : [];
  const own = (config?.repos ?? []).filter(({ name }) => repo === null || name === repo);
  const clones = own.map((one): Place => {
    const source = openSource(paths, one, { limits: config!.limits, env, clock });
    return { repo: one.name, convention: one.convention, git: source.git, close: () => source.close() };
  });
  return [...here, ...clones];
}

async function resolveAt(git: CloneGit, text: string): Promise<CommitId | null> {
  const read = await git.read(['rev-parse', '--verify', '--quiet', `${text}^{commit}`], {
    doing: 'look for a commit',
  });
  const id = read.ok ? read.value.toString('latin1').trim() : '';
  return isCommitId(id) ? id : null;
}

/** Which repo a working directory is of: the one whose commits it knows. */
async function recognise(
  git: CloneGit,
  hosts: readonly FleetHost[],
  names: readonly string[],
): Promise<string> {
  if (names.length <= 1) return onlyRepo(names, '');
  const reader = createCommitReader(git);
  const known: string[] = [];
  for (const name of names) {
    for (const commit of commitsOf(hosts, name).slice(0, 20)) {
      if (!(await reader.has(commit))) continue;
      known.push(name);
      break;
    }
  }
  return onlyRepo(known.length === 0 ? names : known, 'say which with --repo NAME');
}

function onlyRepo(names: readonly string[], hint: string): string {
  const [only, ...more] = names;
  if (only === undefined) {
    throw new PullyuError('failed', 'expected hosts that follow a repo, found none that publishes one', {
      hint: '`pullyu fleet` shows who publishes there',
    });
  }
  if (more.length > 0)
    throw new PullyuError('usage', `expected one repo, found several: ${names.join(', ')}`, { hint });
  return only;
}

/** Without a repository at hand: a full id is taken as it is, a short one when it is that of one commit that hosts have. */
function knownToHosts(text: string, repo: string | null, hosts: readonly FleetHost[]): CommitId {
  if (isCommitId(text)) return text;
  const names = repo === null ? reposOf(hosts) : [repo];
  const known = [...new Set(names.flatMap((name) => commitsOf(hosts, name)))];
  const found = /^[0-9a-f]{4,}$/.test(text) ? known.filter((commit) => commit.startsWith(text)) : [];
  if (found.length === 1) return found[0]!;
  throw new PullyuError(
    'usage',
    `expected one commit, found ${found.length === 0 ? 'none' : 'several'} that is ${text}`,
    {
      hint: 'stand in a checkout that has it, or give its full id',
    },
  );
}

/** Each once, the most frequent first. */
function commitsOf(hosts: readonly FleetHost[], repo: string): CommitId[] {
  const counts = new Map<CommitId, number>();
  for (const { repos, presence } of hosts) {
    const own = repos.find(({ name }) => name === repo);
    const acted = (presence?.actions ?? [])
      .filter((action) => action.repo === repo)
      .map(({ commit }) => commit);
    for (const commit of [own?.applied, own?.wanted, ...acted])
      if (commit) counts.set(commit, (counts.get(commit) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([commit]) => commit);
}

function createFleetCommit(commit: CommitId, repo: string, place: Place | null): FleetCommit {
  const descends = new Map<CommitId, boolean>([[commit, true]]);
  const concerned = new Map<string, boolean>();
  const key = (labels: Labels) => JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
  let unknown: readonly CommitId[] = [];
  let facts: { readonly select: SelectActions; readonly committedAt: number | null } | null = null;
  return {
    commit,
    repo,
    notes:
      place === null
        ? [`no repository here has ${shortId(commit)}: every host that follows ${repo} counts`]
        : [],
    async describe(hosts) {
      if (place === null) unknown = [];
      else {
        unknown = await learn(place.git, commit, commitsOf(hosts, repo), descends);
        facts ??= {
          select: await openSelection(place, repo, commit),
          committedAt: await readTime(place.git, commit),
        };
        for (const { presence, labels } of hosts) {
          const own = presence?.labels ?? labels;
          if (!concerned.has(key(own))) concerned.set(key(own), await facts.select(own));
        }
      }
      const reached = new Set([...descends].flatMap(([id, is]) => (is ? [id] : [])));
      const concerns = (labels: Labels) => concerned.get(key(labels)) ?? true;
      return { repo, concerns, reached, committedAt: facts?.committedAt ?? null };
    },
    unknown: () => unknown,
    close: () => place?.close(),
  };
}

/** @returns those of which git here does not know; asked again the next time, since somebody may fetch meanwhile. */
async function learn(
  git: CloneGit,
  commit: CommitId,
  commits: readonly CommitId[],
  descends: Map<CommitId, boolean>,
): Promise<CommitId[]> {
  const unknown: CommitId[] = [];
  for (const other of commits) {
    if (descends.has(other)) continue;
    const answer = await isAncestor(git, commit, other);
    if (answer.ok) descends.set(other, answer.value);
    else unknown.push(other);
  }
  return unknown;
}

type SelectActions = (labels: Labels) => Promise<boolean>;

/** A pullyu.yaml that cannot be read, or a commit that is not whole here, concerns everybody. */
async function openSelection(place: Place, repo: string, commit: CommitId): Promise<SelectActions> {
  const files = filesOfCommit(createCommitReader(place.git), commit);
  const read = async (labels: Labels) => {
    try {
      const actions = await readActions({ name: repo, convention: place.convention }, files, labels);
      return actions.ok ? actions.value : null;
    } catch (error) {
      if (error instanceof TroubleError) return null;
      throw error;
    }
  };
  const all = await read({});
  if (all === null) return async () => true;
  // Actions of a pullyu.yaml are the same for all hosts; those of the convention depend on their labels.
  const isFixed = all.some((action) => action.origin === 'pullyu.yaml');
  return async (labels) => {
    const actions = isFixed ? all : await read(labels);
    return actions?.some((action) => matchesSelector(action.hosts, labels)) ?? true;
  };
}

async function readTime(git: CloneGit, commit: CommitId): Promise<number | null> {
  const read = await git.read(['log', '-1', '--no-show-signature', '--format=%ct', commit], {
    doing: 'read a commit',
  });
  const seconds = read.ok ? Number(read.value.toString('latin1').trim()) : Number.NaN;
  return Number.isFinite(seconds) ? seconds * 1000 : null;
}
