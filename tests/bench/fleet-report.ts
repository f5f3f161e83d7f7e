/** The figures of the fleet as Markdown and as a chart: pure. */
import { type Group, renderChart } from './chart.ts';
import type { FleetFigures } from './fleet.ts';
import { median, ratio } from './measure.ts';
import { count, fixed, table, targetRow } from './report.ts';
import type { Target } from './targets.ts';

export function findFleetTargets({ reading }: FleetFigures): Target[] {
  const { cpuMs, hosts } = reading;
  return [
    {
      sentence: 'the roster when nothing is new, as a multiple of an idle probe (CPU)',
      found: ratio(cpuMs.news, cpuMs.probe),
      most: 2,
      unit: '',
    },
    {
      sentence: `the roster when one of ${count(hosts)} hosts told something, as a multiple of when nothing is new (CPU)`,
      found: ratio(cpuMs.kept, cpuMs.news),
      most: 20,
      unit: '',
    },
  ];
}

export function renderFleetReport(figures: FleetFigures, conditions: readonly string[]): string {
  const { pushes, reactions, reading, clients } = figures;
  const rate = (value: number | undefined) => (value === undefined ? 'not installed' : fixed(value, 0));
  const ms = (values: readonly number[]) => fixed(median(values), 2);
  const hosts = count(reading.hosts);
  return [
    conditions.map((line) => `- ${line}`).join('\n'),
    table(['what', 'found', 'at most', ''], findFleetTargets(figures).map(targetRow)),
    '### Publishing into one status',
    `Times a second, ${clients} clients at once, while so many other hosts have their presences in it. Clients and server share the machine.`,
    table(
      ['hosts', 'git: heartbeats', 'git: transitions', 'NATS: heartbeats', 'NATS: transitions'],
      pushes.map((one) => [
        count(one.hosts),
        rate(one.git.heartbeats),
        rate(one.git.transitions),
        rate(one.nats?.heartbeats),
        rate(one.nats?.transitions),
      ]),
    ),
    '![Publishing into one status](performance-fleet.svg)',
    '### From one host to another',
    'Wall time, milliseconds, from the first line of the script on a new host to the first line of the script on the host that reacts to it.',
    table(
      ['way', 'median', 'least', 'most'],
      [
        ['git, interval 1 s, settle 100 ms', ...spread(reactions.git)],
        ['NATS, settle 100 ms', ...(reactions.nats === null ? ['not installed'] : spread(reactions.nats))],
      ],
    ),
    '### Reading the roster',
    `One process, ${hosts} hosts, over http. Processor time of one, milliseconds.`,
    table(
      ['what', 'milliseconds'],
      [
        ['an idle probe of one branch', ms(reading.cpuMs.probe)],
        ['has anybody told something? No', ms(reading.cpuMs.news)],
        ['everything listed, nothing is new', ms(reading.idleReadMs)],
        ['everything listed, one host told something: read', ms(reading.cpuMs.read)],
        ['the same, and verified', ms(reading.cpuMs.judged)],
        ['the same, and all that an agent with a presence trigger does', ms(reading.cpuMs.kept)],
        [`the first time, all ${hosts} are fetched and verified`, fixed(reading.first.cpuMs, 0)],
      ],
    ),
    `Resident memory of that process: ${fixed(reading.floorMb, 0)} MB before it read, ${fixed(reading.memoryMb, 0)} MB with ${hosts} hosts.`,
  ].join('\n\n');
}

function spread(values: readonly number[]): string[] {
  return [median(values), Math.min(...values), Math.max(...values)].map((value) => fixed(value, 0));
}

export function renderFleetChart({ pushes }: FleetFigures): string {
  const groups = pushes.map(({ hosts, git, nats }): Group => {
    const bars = [
      { label: 'git, transitions', value: git.transitions, isOurs: true },
      { label: 'git, heartbeats', value: git.heartbeats, isOurs: true },
      ...(nats === null
        ? []
        : [
            { label: 'NATS, transitions', value: nats.transitions, isOurs: false },
            { label: 'NATS, heartbeats', value: nats.heartbeats, isOurs: false },
          ]),
    ];
    return { title: `${count(hosts)} hosts in it`, bars };
  });
  return renderChart('Publishing into one status', 'times a second', groups);
}
