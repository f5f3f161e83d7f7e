/**
 * A run of an action in some directory instead of the published tree: what `pullyu run --tree` and `pullyu try run` do. It acts on this very
 * host, but the directory is no commit that the host follows, so the journal knows nothing of it.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { defaultRunLimits } from '../config/limits.ts';
import { PullyuError } from '../errors.ts';
import { createCommitReader } from '../git/commit-reader.ts';
import { type Snapshot, takeSnapshot } from '../git/snapshot.ts';
import { TroubleError } from '../git/stderr.ts';
import { type Action, actionKey } from '../model/action.ts';
import { formatSelector, matchesSelector } from '../model/labels.ts';
import type { RepoConfig } from '../model/repo.ts';
import type { RunResult } from '../model/run.ts';
import { fingerprintOf } from '../plan/fingerprint.ts';
import { contentGlobs } from '../plan/globs.ts';
import { readGroups, removeGroups } from '../runner/control-groups.ts';
import { runFiles } from '../runner/run-files.ts';
import { isStarted, type RunSpec, type StartedRun } from '../runner/spec.ts';
import { startRun } from '../runner/start.ts';
import { runOnTerminal } from '../runner/terminal.ts';
import { type Clock, readBootId } from '../system/clock.ts';
import { type Paths, repoPaths } from '../system/paths.ts';
import { filesOfCommit, REPO_FILE, readActions } from './actions.ts';
import { makeRunId } from './run-id.ts';
import { scriptPath } from './script-path.ts';
import type { HostPicture } from './status.ts';

export interface TreeRunOptions {
  readonly paths: Paths;
  readonly picture: HostPicture;
  readonly repo: RepoConfig;
  /** Absolute. */
  readonly folder: string;
  /** Name only. */
  readonly action: string;
  /** Else on the person's terminal. */
  readonly asAgent: boolean;
  /** On the terminal: standard output is kept for something else. */
  readonly stdoutToStderr?: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** As the agent: it has begun. */
  readonly onRun: (run: StartedRun) => void;
}

export interface TreeRunReport {
  readonly action: Action;
  readonly fingerprint: string;
  /** What the directory held when the run began. */
  readonly snapshot: Pick<Snapshot, 'tree' | 'head' | 'isCommitted'>;
  readonly startedAt: number;
  readonly result: Pick<RunResult, 'outcome' | 'exitCode' | 'note' | 'endedAt'>;
}

/** Only while nobody else runs actions (`withoutOthers`). @throws PullyuError */
export async function runInTree(o: TreeRunOptions): Promise<TreeRunReport> {
  const taken = await takeSnapshot(o.folder, { env: o.env, signal: o.signal });
  if (!taken.ok) throw new TroubleError(taken.trouble);
  const snapshot = taken.value;
  let prepared: { spec: RunSpec; action: Action };
  try {
    prepared = await prepare(snapshot, o);
  } finally {
    snapshot.close();
  }
  const { spec, action } = prepared;
  const { tree, head, isCommitted } = snapshot;
  const result = o.asAgent ? await runAsAgent(spec, o) : await runHere(spec, o);
  return {
    action,
    fingerprint: spec.intent.fingerprint,
    snapshot: { tree, head, isCommitted },
    startedAt: spec.intent.startedAt,
    result,
  };
}

async function prepare(snapshot: Snapshot, o: TreeRunOptions): Promise<{ spec: RunSpec; action: Action }> {
  const { paths, picture, repo, clock } = o;
  const { host, config } = picture.view;
  const reader = createCommitReader(snapshot.git);
  const read = await readActions(repo, filesOfCommit(reader, snapshot.commit), host.labels);
  if (!read.ok) {
    throw new PullyuError('repo-config', read.trouble.message, {
      hint: `correct ${REPO_FILE} in ${o.folder}; \`pullyu lint\` shows everything that is wrong with it`,
    });
  }
  const action = read.value.find((one) => one.name === o.action);
  if (action === undefined) {
    const names = read.value.map((one) => one.name).join(', ');
    throw new PullyuError(
      'unknown-action',
      `expected an action of ${o.folder}, found ${JSON.stringify(o.action)}`,
      {
        hint: names === '' ? `${o.folder} has no action for this host` : `there are ${names}`,
      },
    );
  }
  if (!matchesSelector(action.hosts, host.labels)) {
    throw new PullyuError(
      'refused',
      `${action.name} is not for this host: it is for ${formatSelector(action.hosts)}`,
      {
        hint: '`pullyu plan --tree DIR --host LABELS` shows what another host would do',
      },
    );
  }
  const print = fingerprintOf(
    action,
    host.labels,
    await reader.contents(snapshot.commit, contentGlobs(action)),
  );
  const memory = picture.journal.memory().get(actionKey(repo.name, action.name));
  const lastCommit = memory?.lastSuccess?.intent.commit ?? null;
  const known = lastCommit !== null && (await reader.has(lastCommit));
  const now = clock.now();
  const id = makeRunId(now, clock.random);
  const spec: RunSpec = {
    intent: {
      id,
      repo: repo.name,
      action: action.name,
      purpose: 'work',
      commit: snapshot.head ?? snapshot.commit,
      ...print,
      reason: 'manual',
      attempt: 1,
      kind: action.kind,
      timeoutMs: action.timeoutMs,
      bootId: readBootId(),
      startedAt: now,
      undo: null,
    },
    argv: action.run,
    tree: o.folder,
    host,
    labels: host.labels,
    lastCommit,
    interrupted: memory?.lastRun?.result?.outcome === 'interrupted',
    changedFiles: await reader.changedFiles(known ? lastCommit : null, snapshot.commit),
    user: action.user,
    env: action.env,
    stateFolder: join(repoPaths(paths.state, repo.name).actionState, action.name),
    runFolder: join(paths.state, 'runs', id),
    limits: config.limits,
    uses: { action: action.limits, host: config.limits.run, default: defaultRunLimits },
    path: scriptPath(),
    rosterFile: join(paths.state, 'roster.json'),
    root: paths.root,
  };
  return { spec, action };
}

async function runAsAgent(spec: RunSpec, o: TreeRunOptions): Promise<RunResult> {
  try {
    const run = startRun(spec, { clock: o.clock });
    if (!isStarted(run)) return run;
    o.onRun(run);
    return await run.done;
  } finally {
    if (removeGroups(readGroups(runFiles(spec.runFolder).groups, spec.intent.id)))
      rmSync(spec.runFolder, { recursive: true, force: true });
  }
}

async function runHere(spec: RunSpec, o: TreeRunOptions): Promise<TreeRunReport['result']> {
  const code = await runOnTerminal(spec, o.env, { stdoutToStderr: o.stdoutToStderr === true });
  return { outcome: code === 0 ? 'ok' : 'failed', exitCode: code, note: null, endedAt: o.clock.now() };
}
