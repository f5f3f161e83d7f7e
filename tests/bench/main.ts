/** `npm run bench`: everything is made, measured side by side, told, and removed again. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '../../src/system/files.ts';
import { findProgram } from '../support/needs.ts';
import { tempFolder } from '../support/temp.ts';
import { measureApply, measurePlans } from './change.ts';
import { type Bar, type Group, renderChart } from './chart.ts';
import { type FleetFigures, FULL_FLEET, measureFleet, QUICK_FLEET } from './fleet.ts';
import { findFleetTargets, renderFleetChart, renderFleetReport } from './fleet-report.ts';
import { FULL_HUB, type HubCosts, measureHub, QUICK_HUB } from './hub.ts';
import { findHubTargets, renderHubReport } from './hub-report.ts';
import {
  type CommandOptions,
  type DaemonOptions,
  measureCommands,
  measureDaemons,
  startBeside,
} from './idle.ts';
import { median } from './measure.ts';
import { measureReactions } from './reaction.ts';
import { REMOTE_NAMES, type RemoteName, type Sizes } from './remotes.ts';
import { type Report, renderReport, targetRow } from './report.ts';
import { createScene, type Scene } from './scene.ts';
import { findTargets, type Target } from './targets.ts';

/** For a process of its own, which loads this very module. */
export { serveAsReader } from './fleet-reader.ts';

interface Size {
  readonly sizes: Sizes;
  readonly rounds: number;
  readonly ansibleRounds: number;
  readonly reactions: number;
  readonly plans: number;
  readonly windows: number;
  readonly windowMs: number;
  readonly warmLooks: number;
}

const FULL: Size = {
  sizes: { files: 100_000, refs: 10_000, actions: 1_000 },
  rounds: 15,
  ansibleRounds: 3,
  reactions: 5,
  plans: 9,
  windows: 9,
  windowMs: 5_000,
  warmLooks: 1_600,
};
const QUICK: Size = {
  sizes: { files: 10_000, refs: 1_000, actions: 100 },
  rounds: 5,
  ansibleRounds: 2,
  reactions: 2,
  plans: 3,
  windows: 3,
  windowMs: 3_000,
  warmLooks: 200,
};
const BEGIN = '<!-- figures: written by `npm run bench` -->';
const END = '<!-- end of figures -->';
const FLEET_BEGIN =
  '<!-- figures of the fleet: written by `npm run bench`, alone by `npm run bench -- --fleet` -->';
const HUB_BEGIN =
  '<!-- figures of the hub: written by `npm run bench`, alone by `npm run bench -- --hub` -->';
const HUB_END = '<!-- end of figures of the hub -->';
const FLEET_END = '<!-- end of figures of the fleet -->';

interface BenchOptions {
  readonly checkout: string;
  /** Tenths of everything, and nothing is written. */
  readonly quick: boolean;
  /** That section alone. */
  readonly fleet: boolean;
  /** That section alone. */
  readonly hub: boolean;
}

/** @returns the exit code: a target that was missed is told, not failed. */
export async function runBench(o: BenchOptions): Promise<number> {
  const begun = performance.now();
  const say = (text: string) =>
    console.log(`bench: ${((performance.now() - begun) / 1000).toFixed(0).padStart(4)} s  ${text}`);
  if (!o.fleet && !o.hub) await benchHost(o, say);
  if (!o.hub) await benchFleet(o, say);
  if (!o.fleet) await benchHub(o, say);
  if (o.quick)
    console.log('\nbench: docs/performance.md is written by the whole bench only (without --quick)');
  return 0;
}

async function benchFleet(o: BenchOptions, say: (text: string) => void): Promise<void> {
  using folder = tempFolder('bench-fleet');
  const figures = await measureFleet(folder.path, { ...(o.quick ? QUICK_FLEET : FULL_FLEET), say });
  const text = renderFleetReport(figures, fleetConditions(figures));
  console.log(`\n${text}\n`);
  tellTargets(findFleetTargets(figures));
  if (o.quick) return;
  writeBetween(o.checkout, FLEET_BEGIN, FLEET_END, text);
  writeFileSync(join(o.checkout, 'docs/performance-fleet.svg'), renderFleetChart(figures));
}

async function benchHub(o: BenchOptions, say: (text: string) => void): Promise<void> {
  const costs = await measureHub({ ...(o.quick ? QUICK_HUB : FULL_HUB), say });
  const text = renderHubReport(costs, hubConditions(costs));
  console.log(`\n${text}\n`);
  tellTargets(findHubTargets(costs));
  if (!o.quick) writeBetween(o.checkout, HUB_BEGIN, HUB_END, text);
}

function tellTargets(targets: readonly Target[]): void {
  for (const target of targets) {
    const [sentence, found, most, verdict] = targetRow(target);
    console.log(`${verdict === 'reached' ? 'reached' : 'MISSED '}  ${found} of at most ${most}: ${sentence}`);
  }
}

async function benchHost(o: BenchOptions, say: (text: string) => void): Promise<void> {
  const size = o.quick ? QUICK : FULL;
  using folder = tempFolder('bench');
  await using scene = await createScene(folder.path, { checkout: o.checkout, sizes: size.sizes, say });
  if (scene.remotes.small.ansiblePull === null)
    say('ansible-pull is missing, so it is skipped; hint: as root, node scripts/debian.mjs --bench');
  const options = { ...size, checkout: o.checkout, say };
  const { commands, beside } = await measureBeside(scene, options);
  const daemons = { beside, ...(await measureDaemons(scene, options)) };
  const reactions = await measureReactions(scene, {
    rounds: size.reactions,
    ansibleRounds: Math.ceil(size.reactions / 3),
    say,
  });
  const apply = await measureApply(scene, { rounds: size.rounds, say });
  const plans = await measurePlans(scene, { rounds: size.plans, say });
  const report: Report = {
    commands,
    daemons,
    reactions,
    apply,
    plans,
    sizes: size.sizes,
    firstLookS: perRemote((name) => scene.remotes[name].firstLookS),
    conditions: conditionsOf(scene, size),
  };
  const text = renderReport(report);
  console.log(`\n${text}\n`);
  tellTargets(findTargets(report));
  if (!o.quick) write(o.checkout, text, report);
}

/** Programs that start and end, while the daemon grows old; then the daemon. */
async function measureBeside(scene: Scene, o: DaemonOptions & CommandOptions) {
  await using old = startBeside(scene, o);
  const commands = await measureCommands(scene, o);
  return { commands, beside: await old.measure() };
}

function perRemote<T>(of: (name: RemoteName) => T): Record<RemoteName, T> {
  return Object.fromEntries(REMOTE_NAMES.map((name) => [name, of(name)])) as Record<RemoteName, T>;
}

function conditionsOf(scene: Scene, size: Size): string[] {
  const { ansiblePull } = scene.remotes.small;
  return [
    machineOf(),
    `Node ${process.version}, ${said('git', '--version')}, ${ansiblePull === null ? 'no ansible-pull' : said(ansiblePull[0]!, '--version')}`,
    `Git server on the same machine, over http: ${scene.server.name}`,
    `Medians of ${size.rounds} rounds in turns (ansible-pull: ${size.ansibleRounds}); daemons: after ${size.warmLooks.toLocaleString('en-US')} looks (in turns: ${size.warmLooks / 4}), ${size.windows} windows`,
  ];
}

function fleetConditions({ server, reactions, reading }: FleetFigures): string[] {
  const nats = findProgram('nats-server');
  return [
    machineOf(),
    `Node ${process.version}, ${said('git', '--version')}, ${nats === null ? 'no nats-server' : said(nats, '--version')}`,
    `Git server on the same machine, over http: ${server}`,
    `Readings: medians of ${reading.cpuMs.kept.length} rounds in turns; from host to host: ${reactions.git.length} rounds`,
  ];
}

function hubConditions({ few }: HubCosts): string[] {
  return [
    machineOf(),
    `Node ${process.version}, ${said('git', '--version')}`,
    `Medians of ${few.length} rounds in turns, 16 connections that are kept`,
  ];
}

function machineOf(): string {
  const models = cpus();
  return `${new Date().toISOString().slice(0, 10)}; ${models.length} cores (${models[0]?.model.trim() ?? 'unknown'}), Linux ${said('uname', '-r')}, shared with other work`;
}

function said(file: string, ...args: string[]): string {
  return execFileSync(file, args, { encoding: 'utf8', timeout: 30_000 }).trim().split('\n')[0]!;
}

function write(checkout: string, text: string, report: Report): void {
  writeBetween(checkout, BEGIN, END, text);
  writeFileSync(join(checkout, 'docs/performance-idle.svg'), renderIdleChart(report));
  writeFileSync(join(checkout, 'docs/performance-reaction.svg'), renderReactionChart(report));
}

/** Between the marks; the words around them are somebody's. */
function writeBetween(checkout: string, beginMark: string, endMark: string, text: string): void {
  const page = join(checkout, 'docs/performance.md');
  const before = readFileSync(page, 'utf8');
  const begin = before.indexOf(beginMark);
  const end = before.indexOf(endMark);
  if (begin === -1 || end < begin) throw new Error(`expected "${beginMark}" and "${endMark}" in ${page}`);
  writeFileAtomic(page, `${before.slice(0, begin)}${beginMark}\n\n${text}\n\n${before.slice(end)}`, {
    durable: false,
  });
}

function renderIdleChart({ commands, daemons, sizes }: Report): string {
  const groups = REMOTE_NAMES.map((name): Group => {
    const cpu = (command: keyof (typeof commands)[RemoteName]) =>
      median(commands[name][command].map((cost) => cost.cpuMs));
    return {
      title: titleOf(name, sizes),
      bars: bars([
        ['pullyu agent', median(daemons.look[name]), true],
        ['pullyu look', cpu('oneShot'), true],
        ['git ls-remote', cpu('lsRemote'), false],
        ['shell loop', cpu('shellLoop'), false],
        ['ansible-pull', cpu('ansiblePull'), false],
      ]),
    };
  });
  return renderChart('Processor time of an idle look', 'milliseconds', groups);
}

function renderReactionChart({ reactions, sizes }: Report): string {
  const groups = REMOTE_NAMES.map((name): Group => {
    const of = reactions[name];
    return {
      title: titleOf(name, sizes),
      bars: bars([
        ['pullyu agent, woken', median(of.woken), true],
        ['pullyu agent, each 200 ms', median(of.interval), true],
        ['pullyu look, at once', median(of.oneShot), true],
        ['shell loop, at once', median(of.shellLoop), false],
        ['ansible-pull, at once', median(of.ansiblePull), false],
      ]),
    };
  });
  return renderChart('From the end of a push to the first line of the script', 'milliseconds', groups);
}

function bars(all: readonly [label: string, value: number, isOurs: boolean][]): Bar[] {
  // Of what was skipped there is no median; a logarithm wants more than nothing.
  return all
    .filter(([, value]) => Number.isFinite(value))
    .map(([label, value, isOurs]) => ({ label, value: Math.max(value, 0.01), isOurs }));
}

function titleOf(name: RemoteName, sizes: Sizes): string {
  return name === 'small' ? 'a small repository' : `${sizes[name].toLocaleString('en-US')} ${name}`;
}
