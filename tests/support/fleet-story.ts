/** Commits go over a fleet of real agents, and afterwards everything that they told is compared with what they did. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { createGitStore } from '../../src/presence/git-store.ts';
import { createFleetReader } from '../../src/presence/read-fleet.ts';
import { systemClock } from '../../src/system/clock.ts';
import { type AgentFleet, type FleetAgent, inBatches, startAgentFleet } from './agent-fleet.ts';
import { storeOptions } from './status-repository.ts';
import { tempFolder } from './temp.ts';
import { until } from './until.ts';

export interface StoryOptions {
  readonly hosts: number;
  readonly commits: number;
  readonly interval: string;
  readonly heartbeat: string;
  /** Of pushes of somebody who pushes one commit after another. */
  readonly pushEveryMs: number;
  readonly batch: number;
  readonly timeoutMs: number;
  readonly say: (text: string) => void;
}

export async function tellFleetStory(o: StoryOptions): Promise<void> {
  const begun = performance.now();
  const say = (text: string) =>
    o.say(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${text}`);
  await using fleet = await startAgentFleet(o);
  const { agents } = fleet;
  await untilTold(fleet, o);
  say(`${agents.length} agents are there and have told so`);
  const before = new Map(agents.map((agent) => [agent, agent.descriptors()]));

  let last = '';
  for (let n = 0; n < o.commits; n += 1) {
    last = await fleet.push();
    await new Promise((resolve) => setTimeout(resolve, o.pushEveryMs));
  }
  say(`${o.commits} commits are pushed`);
  await until(() => agents.every((agent) => agent.witnessed().at(-1) === last.slice(0, 7)), {
    what: `all hosts to be at ${last}`,
    found: () => whoIsNot(agents, last),
    timeoutMs: o.timeoutMs,
    everyMs: 250,
  });
  say('all hosts have run the last of them');
  await untilTold(fleet, o);
  say('all have told what they ran');

  const runs = agents.reduce((sum, agent) => sum + agent.journal().length, 0);
  await inBatches(agents, 4, (agent) => compareWitnesses(fleet, agent));
  await expectPicture(fleet, last);
  await expectRefs(fleet);
  for (const agent of agents) {
    expect(agent.child.isRunning(), agent.child.output()).toBe(true);
    // Connections that are kept, and a look that is under way.
    expect(agent.descriptors(), agent.name).toBeLessThanOrEqual(before.get(agent)! + 12);
  }
  const asked = fleet.web.requests();
  const pushes = asked.filter(({ uri }) => uri.endsWith('/git-receive-pack')).length;
  const refused: Record<string, number> = {};
  for (const { uri, status } of asked) {
    const name = `${status} ${uri.slice(uri.lastIndexOf('/') + 1)}`;
    if (status >= 400) refused[name] = (refused[name] ?? 0) + 1;
  }
  say(
    `${runs} runs; ${asked.length} requests, ${pushes} of them pushes; refused: ${JSON.stringify(refused)}`,
  );
  // It may have more to do than it can (502 to 504), and an agent may give up waiting (499).
  expect(Object.keys(refused).filter((name) => !/^(?:499|50[234]) /.test(name))).toEqual([]);
  expect(Object.values(refused).reduce((sum, one) => sum + one, 0)).toBeLessThan(asked.length / 2);

  const left = await fleet.stop();
  expect(left.map(({ command }) => command)).toEqual([]);
  expect(agents.flatMap((agent) => agent.leftFiles())).toEqual([]);
  say('nothing is left');
}

/** Nothing waits any more: what a host ran last is the last that it told of. */
async function untilTold(fleet: AgentFleet, o: StoryOptions): Promise<void> {
  const missing = new Set(fleet.agents);
  await until(
    async () => {
      const newest = await fleet.newest();
      await inBatches([...missing], 2, async (agent) => {
        const line = newest.get(agent.name);
        if (line === undefined) return;
        // Behind its last run it may have said that it is well again.
        const told = runsOf(isRun(line) ? [line] : await fleet.told(agent.name));
        if (told.at(-1) === agent.journal().at(-1)) missing.delete(agent);
      });
      return missing.size === 0;
    },
    {
      what: 'all hosts to tell of their last run',
      found: () => [...missing].map(({ name, child }) => [name, child.output().slice(-500)]).slice(0, 10),
      timeoutMs: o.timeoutMs,
      everyMs: 500,
    },
  );
}

function isRun(line: string): boolean {
  return line.startsWith('shop ok at ');
}

function runsOf(lines: readonly string[]): string[] {
  return lines.flatMap((line) => /^shop ok at ([0-9a-f]{7}) in /.exec(line)?.[1] ?? []);
}

/** What the script saw, what the journal holds and what everybody can read are the same runs, in the same order. */
async function compareWitnesses(fleet: AgentFleet, agent: FleetAgent): Promise<void> {
  const told = await fleet.told(agent.name);
  expect(runsOf(told), agent.name).toEqual(agent.journal());
  expect(agent.witnessed(), agent.name).toEqual(agent.journal());
  // On a machine that has too much to do a look takes longer than an interval, and the host says what it is meanwhile.
  const others = told.filter((line) => !isRun(line) && !/^(?:setup|busy\b.*|working again, .*)$/.test(line));
  expect(others, agent.name).toEqual([expect.stringMatching(/^here, with pullyu /)]);
}

/** As a reader sees it who comes anew: everybody is there, believed, well, and at the last commit. */
async function expectPicture({ agents, web, status }: AgentFleet, commit: string): Promise<void> {
  using folder = tempFolder('reader');
  const store = createGitStore(web.url(status.path, '127.0.0.1'), storeOptions(join(folder.path, 'store')));
  const reader = createFleetReader([store], { folder: null, clock: systemClock });
  try {
    await until(
      async () => {
        const read = await reader.read(null);
        if (!read.ok) throw new Error(read.trouble.message);
        const fine = read.value.hosts.filter(
          ({ state, repos }) => state === 'working' && repos[0]?.applied === commit,
        );
        return fine.length === agents.length && read.value.hosts.length === agents.length;
      },
      { what: 'all hosts to be well', timeoutMs: 60_000, everyMs: 1_000, found: () => reader.picture(null) },
    );
  } finally {
    await reader.close();
  }
}

/** Each host has its two refs, and there is nothing else: no claim, above all. */
async function expectRefs({ agents, status }: AgentFleet): Promise<void> {
  const refs = await status.git('--git-dir', status.bare, 'for-each-ref', '--format=%(refname)');
  const wanted = agents.flatMap(({ name }) => [`refs/heads/hosts/${name}`, `refs/heads/presence/${name}`]);
  expect(refs.split('\n').sort()).toEqual([...wanted, 'refs/heads/roster'].sort());
}

function whoIsNot(agents: readonly FleetAgent[], commit: string): string[] {
  return agents
    .filter((agent) => agent.witnessed().at(-1) !== commit.slice(0, 7))
    .map((agent) => `${agent.name}: ${agent.child.output().slice(-300)}`)
    .slice(0, 10);
}
