/** The figures of the hub as Markdown: pure. */
import type { HubCosts } from './hub.ts';
import { median, ratio } from './measure.ts';
import { count, fixed, table, targetRow } from './report.ts';
import type { Target } from './targets.ts';

export function findHubTargets({ few, many, backend, refs }: HubCosts): Target[] {
  const ofBackend: Target = {
    sentence: 'a probe of the hub, as a part of one of nginx with git-http-backend (CPU)',
    found: backend === null ? Number.NaN : ratio(few, backend),
    most: 1 / 50,
    unit: '',
  };
  return [
    ...(backend === null ? [] : [ofBackend]),
    {
      sentence: `a probe of the hub with ${count(refs)} refs, as a multiple of one with 10 (CPU)`,
      found: ratio(many, few),
      most: 1.2,
      unit: '',
    },
  ];
}

export function renderHubReport(costs: HubCosts, conditions: readonly string[]): string {
  const row = (title: string, micros: readonly number[] | null) => {
    if (micros === null) return [title, 'not installed', '', ''];
    const perSecond = 1e6 / median(micros);
    return [title, fixed(median(micros), 0), count(Math.round(perSecond)), count(Math.round(perSecond * 60))];
  };
  return [
    conditions.map((line) => `- ${line}`).join('\n'),
    table(['what', 'found', 'at most', ''], findHubTargets(costs).map(targetRow)),
    '### A probe',
    'Processor time of the server and all that it starts, for one question about one branch. The last column is how many hosts that ask once a minute keep one core busy.',
    table(
      ['server', 'microseconds', 'a second and core', 'hosts a core'],
      [
        row('`pullyu hub`, 10 refs', costs.few),
        row(`\`pullyu hub\`, ${count(costs.refs)} refs`, costs.many),
        row('nginx with git-http-backend, 10 refs', costs.backend),
      ],
    ),
  ].join('\n\n');
}
