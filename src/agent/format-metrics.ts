/** What a host measures, in the text format of Prometheus (version 0.0.4). Pure: values in, a file out. */

import type { HostState } from '../model/host.ts';
import type { CommitId } from '../model/ids.ts';
import type { Outcome } from '../model/run.ts';
import type { TroubleCode } from '../model/trouble.ts';

/** Times are milliseconds since 1970; seconds when written. */
export interface HostMetrics {
  readonly version: string;
  readonly state: HostState;
  readonly lastLookAt: number | null;
  readonly repos: readonly RepoMetrics[];
  readonly actions: readonly ActionMetrics[];
  /** Transitions that wait to be delivered; null: the host publishes nothing. */
  readonly undelivered: number | null;
  /** Labels of every sample, in this order. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface RepoMetrics {
  readonly name: string;
  readonly wanted: CommitId | null;
  readonly applied: CommitId | null;
  readonly lastContactAt: number | null;
  readonly trouble: TroubleCode | null;
}

export interface ActionMetrics {
  readonly repo: string;
  readonly name: string;
  readonly lastSuccessAt: number | null;
  /** Runs that ended, by outcome, since they are counted. */
  readonly runs: Readonly<Partial<Record<Outcome, number>>>;
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

const STATES: readonly HostState[] = ['setup', 'working', 'busy', 'wedged', 'paused'];
/** These are there from the beginning, so that the first failure is a change. */
const ALWAYS: readonly Outcome[] = ['ok', 'failed'];

export function formatMetrics(m: HostMetrics): string {
  const { repos, actions } = m;
  const ofRepo = ({ name }: RepoMetrics): Labels => ({ repo: name });
  const ofAction = ({ repo, name }: ActionMetrics): Labels => ({ repo, action: name });
  const family = (name: string, type: 'gauge' | 'counter', help: string, samples: readonly Sample[]) =>
    samples.length === 0
      ? ''
      : [
          `# HELP ${name} ${help}`,
          `# TYPE ${name} ${type}`,
          ...samples.map(([labels, value]) => formatSample(name, { ...m.labels, ...labels }, value)),
          '',
        ].join('\n');
  return [
    family('pullyu_info', 'gauge', 'The pullyu of this host.', [[{ version: m.version }, 1]]),
    family(
      'pullyu_state',
      'gauge',
      'State of the host as it sees itself: 1 for the one that it is in.',
      STATES.map((state) => [{ state }, state === m.state ? 1 : 0]),
    ),
    family(
      'pullyu_last_look_timestamp_seconds',
      'gauge',
      'When the host looked last.',
      m.lastLookAt === null ? [] : [[{}, seconds(m.lastLookAt)]],
    ),
    family(
      'pullyu_last_contact_timestamp_seconds',
      'gauge',
      'When a remote of the repo answered last.',
      repos.flatMap((repo): Sample[] =>
        repo.lastContactAt === null ? [] : [[ofRepo(repo), seconds(repo.lastContactAt)]],
      ),
    ),
    family(
      'pullyu_repo_info',
      'gauge',
      'The commit that the host wants, and the last one at which all work was done.',
      repos.map(
        (repo): Sample => [{ ...ofRepo(repo), wanted: repo.wanted ?? '', applied: repo.applied ?? '' }, 1],
      ),
    ),
    family(
      'pullyu_repo_trouble',
      'gauge',
      'Only while the repo is in trouble: 1 with the name of the trouble.',
      repos.flatMap((repo): Sample[] =>
        repo.trouble === null ? [] : [[{ ...ofRepo(repo), code: repo.trouble }, 1]],
      ),
    ),
    family(
      'pullyu_action_last_success_timestamp_seconds',
      'gauge',
      'When the last successful run of the action ended.',
      actions.flatMap((action): Sample[] =>
        action.lastSuccessAt === null ? [] : [[ofAction(action), seconds(action.lastSuccessAt)]],
      ),
    ),
    family(
      'pullyu_action_runs_total',
      'counter',
      'Runs of the action that ended, by outcome.',
      actions.flatMap((action) =>
        outcomes(action).map(([outcome, n]): Sample => [{ ...ofAction(action), outcome }, n]),
      ),
    ),
    family(
      'pullyu_status_undelivered',
      'gauge',
      'Transitions that wait to be delivered to the status repository.',
      m.undelivered === null ? [] : [[{}, m.undelivered]],
    ),
  ].join('');
}

function outcomes({ runs }: ActionMetrics): [Outcome, number][] {
  const always = ALWAYS.map((outcome): [Outcome, number] => [outcome, 0]);
  return [...new Map<Outcome, number>([...always, ...(Object.entries(runs) as [Outcome, number][])])];
}

function seconds(ms: number): number {
  return ms / 1000;
}

function formatSample(name: string, labels: Labels, value: number): string {
  const text = Object.entries(labels)
    .map(([key, label]) => `${key}="${escapeLabel(label)}"`)
    .join(',');
  return `${name}${text === '' ? '' : `{${text}}`} ${value}`;
}

/** What the format asks for; other control characters would make a reader of lines stumble. */
function escapeLabel(text: string): string {
  return text
    .replace(/[^\P{Cc}\n]|\p{Cs}/gu, '\uFFFD')
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n');
}
