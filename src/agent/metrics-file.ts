/**
 * Keeps `pullyu.prom` for the textfile collector of Prometheus' node_exporter. What the journal says is remembered in metrics.json, so that
 * an idle look does not read the journal, and so that counters outlive its compaction. Losing that file makes the counters begin again
 * with what the journal still holds, which Prometheus takes for a restart.
 */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, PullyuError } from '../errors.ts';
import type { JournalView } from '../journal/read.ts';
import { type ActionKey, actionKey } from '../model/action.ts';
import type { EventSink } from '../model/event.ts';
import type { HostState, MetricsConfig } from '../model/host.ts';
import type { CommitId } from '../model/ids.ts';
import type { Plan } from '../model/plan.ts';
import type { RunIntent } from '../model/run.ts';
import { version } from '../model/version.ts';
import { waitingAfter } from '../presence/outbox.ts';
import type { Clock } from '../system/clock.ts';
import { stampOfFile } from '../system/file-stamp.ts';
import { namedWriteError, readFileOrNull, writeFileAtomic } from '../system/files.ts';
import type { Paths } from '../system/paths.ts';
import type { HostView } from './context.ts';
import { type ActionMetrics, formatMetrics, type RepoMetrics } from './format-metrics.ts';
import { decideOwnState } from './own-presence.ts';
import { countRuns, noRunCounts, type RunCounts } from './run-counts.ts';
import type { RepoState } from './state-file.ts';

export interface MetricsOptions {
  readonly paths: Pick<Paths, 'state'>;
  readonly clock: Clock;
  readonly emit: EventSink;
  /** May be large, and is only asked when it has changed. */
  readonly journal: Pick<JournalView, 'runs' | 'memory' | 'target' | 'applied' | 'pause'>;
}

/** What a look knows. */
export interface MetricsKnowledge {
  readonly view: HostView;
  readonly lastLookAt: number | null;
  readonly repos: Readonly<Record<string, RepoState>>;
  readonly openRun: RunIntent | null;
  /** Of the last look that planned; null: none since this process began. */
  readonly plan: Plan | null;
}

export interface MetricsFile {
  /** Never throws: what cannot be written is a warning, told once. */
  write(knowledge: MetricsKnowledge): void;
}

/** While only times change. */
const EVERY_MS = 10_000;

/** metrics.json: everything but the times, as of `key`. */
interface Known {
  readonly version: 1;
  /** Of what it was made. */
  readonly key: string;
  readonly file: string;
  readonly state: HostState;
  readonly commits: Readonly<Record<string, { wanted: CommitId | null; applied: CommitId | null }>>;
  /** Those that are for this host, and when they succeeded last. */
  readonly actions: readonly (readonly [repo: string, name: string, lastSuccessAt: number | null])[];
  readonly runs: RunCounts;
}

export function createMetricsFile(o: MetricsOptions): MetricsFile {
  const knownFile = join(o.paths.state, 'metrics.json');
  let known: Known | null | undefined;
  let failed: string | null = null;

  const write = (config: MetricsConfig, k: MetricsKnowledge) => {
    known ??= readKnown(knownFile);
    const key = keyOf(o, config, k);
    if (known?.key === key && isFresh(config.file, o.clock.now())) return;
    if (known?.key !== key) {
      if (known !== null && known.file !== config.file) remove(known.file);
      known = learn(o, { config, k, before: known, key });
      writeFileAtomic(knownFile, `${JSON.stringify(known)}\n`, { durable: false });
    }
    writeFileAtomic(config.file, format(o, config, k, known), { mode: 0o644, durable: false });
  };

  return {
    write(k) {
      const config = k.view.config.metrics ?? null;
      try {
        if (config !== null) write(config, k);
        else if (known !== null) {
          known = readKnown(knownFile);
          if (known !== null) remove(known.file);
          rmSync(knownFile, { force: true });
          known = null;
        }
        failed = null;
      } catch (error) {
        const text = `the metrics were not written: ${describe(error, config?.file ?? knownFile)}`;
        if (text !== failed) o.emit({ type: 'warning', text });
        failed = text;
      }
    },
  };
}

function describe(error: unknown, file: string): string {
  // The sandbox of a unit that was made before the key was added.
  if (errnoOf(error) === 'EROFS')
    return `${file} is read-only for the agent; \`pullyu install\` lets it write there`;
  if (errnoOf(error) === 'ENOENT') return `expected the folder of ${file}, found none`;
  const known = error instanceof PullyuError ? error : namedWriteError(error, file);
  return known?.message ?? String(error);
}

/** Of a host that has moved its file, or keeps none any more: stale values are worse than none. */
function remove(file: string): void {
  rmSync(file, { force: true });
}

/** Somebody may have removed it, or set the clock back. */
function isFresh(file: string, now: number): boolean {
  const age = now - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY);
  return age >= 0 && age < EVERY_MS;
}

/** Everything that the values but the times are made of. */
function keyOf({ paths }: MetricsOptions, config: MetricsConfig, k: MetricsKnowledge): string {
  const troubles = k.view.config.repos.map(({ name }) => k.repos[name]?.trouble?.code ?? '');
  const journal = stampOfFile(join(paths.state, 'journal.log'));
  return JSON.stringify([version, config, k.view.stamp, journal, troubles, k.openRun?.id ?? null]);
}

function learn(
  { journal, clock }: MetricsOptions,
  {
    config,
    k,
    before,
    key,
  }: { config: MetricsConfig; k: MetricsKnowledge; before: Known | null; key: string },
): Known {
  const { view, plan } = k;
  const memory = journal.memory();
  const { state } = decideOwnState({
    view,
    journal,
    plan,
    repos: k.repos,
    openRun: k.openRun,
    before: before && { state: before.state, reason: null },
    now: clock.now(),
  });
  return {
    version: 1,
    key,
    file: config.file,
    state,
    commits: Object.fromEntries(
      view.config.repos.map(({ name }) => [
        name,
        { wanted: journal.target(name), applied: journal.applied(name) },
      ]),
    ),
    actions: namesOf(plan, before).map(([repo, name]) => [
      repo,
      name,
      memory.get(actionKey(repo, name))?.lastSuccess?.result?.endedAt ?? null,
    ]),
    runs: countRuns(before?.runs ?? noRunCounts, journal.runs()),
  };
}

/** Of actions that are not for this host there is nothing to tell; an alert about them would never end. */
function namesOf(plan: Plan | null, before: Known | null): [repo: string, name: string][] {
  if (plan === null) return (before?.actions ?? []).map(([repo, name]) => [repo, name]);
  const chosen = plan.steps.filter(({ reason }) => reason !== 'not-selected');
  return [
    ...new Map(
      chosen.map(({ repo, action }) => [actionKey(repo, action), [repo, action] as [string, string]]),
    ).values(),
  ];
}

function format({ paths }: MetricsOptions, config: MetricsConfig, k: MetricsKnowledge, known: Known): string {
  const { config: host } = k.view;
  return formatMetrics({
    version,
    state: known.state,
    lastLookAt: k.lastLookAt,
    labels: config.isNamed ? { host: k.view.host.name } : {},
    repos: host.repos.map(
      ({ name }): RepoMetrics => ({
        name,
        wanted: known.commits[name]?.wanted ?? null,
        applied: known.commits[name]?.applied ?? null,
        lastContactAt: k.repos[name]?.lastContactAt ?? null,
        trouble: k.repos[name]?.trouble?.code ?? null,
      }),
    ),
    actions: known.actions.map(
      ([repo, name, lastSuccessAt]): ActionMetrics => ({
        repo,
        name,
        lastSuccessAt,
        runs: known.runs.counts[actionKey(repo, name) as ActionKey] ?? {},
      }),
    ),
    undelivered: host.status === null ? null : waitingAfter(join(paths.state, 'status'), 0),
  });
}

/** One that cannot be understood is none. */
function readKnown(file: string): Known | null {
  try {
    const value = JSON.parse(readFileOrNull(file) ?? 'null') as Known | null;
    const isWhole =
      value?.version === 1 &&
      typeof value.file === 'string' &&
      Array.isArray(value.actions) &&
      Array.isArray(value.runs?.open) &&
      typeof value.runs.counts === 'object' &&
      typeof value.commits === 'object';
    return isWhole ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
