/** The second half of the story: three hosts that know each other. One is the balancer before the two others; one of those dies. */
import { accessSync, appendFileSync, constants } from 'node:fs';
import { shortId } from '../model/ids.ts';
import { fetchPage } from './page.ts';
import { createScene, describeEnd, type Scene } from './scene.ts';
import type { Stage } from './stage.ts';
import type { StageHost } from './stage-host.ts';
import { DEFAULT_PATH, formatSeconds, INTERVAL_MS, nodeLabel } from './story-parts.ts';
import type { Storyteller } from './storyteller.ts';

const HEARTBEAT = '2s';

export interface FleetStory {
  readonly stage: Stage;
  readonly signal: AbortSignal;
  /** Of web-1, which the first half was about. */
  readonly scene: Scene;
  readonly ports: { readonly web2: number; readonly balancer: number };
}

interface Fleet extends FleetStory {
  readonly web2: StageHost;
  /** Of the balancer's host. */
  readonly front: Scene;
  readonly url: string;
  readonly tell: Storyteller;
}

export async function tellFleetStory(story: FleetStory, tell: Storyteller): Promise<void> {
  const { stage, signal, ports } = story;
  const [web2, lb] = [stage.host('web-2'), stage.host('lb-1')];
  const url = `http://127.0.0.1:${ports.balancer}/`;
  const front = createScene({ stage, host: lb, pageUrl: url, signal }, tell);
  const fleet: Fleet = { ...story, web2, front, url, tell };
  await becomeFleet(fleet, lb);
  await followCommit(fleet);
  await loseHost(fleet, lb);
}

async function becomeFleet(fleet: Fleet, lb: StageHost): Promise<void> {
  const { stage, web2, front, ports, tell, url } = fleet;
  tell.chapter('Two more machines: a second shop, and a balancer that finds both');
  const status = `status: {remote: ${stage.statusUrl}, heartbeat: ${HEARTBEAT}}`;
  tell.note(
    '(an empty repository, where hosts publish that they live; web-1 is told of it, the others are bootstrapped with it)',
  );
  tell.command(`echo '${status}' >> /etc/pullyu/host.yaml`);
  appendFileSync(stage.host('web-1').hostFile, `${status}\n`);

  const haproxy = findHaproxy();
  await bootstrap(fleet, web2, ['--label', 'part=app', '--label', `port=${ports.web2}`], nodeLabel());
  const programs = haproxy === null ? ['--label', `haproxy=${stage.ownBalancer()}`] : [];
  await bootstrap(fleet, lb, ['--label', 'part=lb', '--label', `port=${ports.balancer}`], programs);
  if (haproxy === null)
    tell.note('(HAProxy is not installed on this machine: a small balancer of the demo takes its place)');

  const seen = new Set<string>();
  await front.until(
    'pages of web-1 and web-2 through the balancer',
    async () => {
      seen.add((await fetchPage(url))?.host ?? '');
      return seen.has('web-1') && seen.has('web-2');
    },
    () => `pages of ${[...seen].join(', ')}`,
  );
  tell.command(`curl http://127.0.0.1:${ports.balancer}/`);
  const balancer = haproxy === null ? 'the balancer' : 'HAProxy';
  tell.found(
    `Visitors of ${balancer} get the page from web-1 and from web-2. Nobody told lb-1 where these are: it read the roster.`,
  );

  await untilFleet(fleet, 'three hosts that work', (found) => found.working === 3);
  tell.command(`export PULLYU_STATUS=${stage.statusUrl}`);
  await show(fleet, 'pullyu fleet', ['fleet']);
}

/** @param programs Labels that name programs of this machine. */
async function bootstrap(
  { stage, front, tell }: Fleet,
  host: StageHost,
  labels: string[],
  programs: string[],
): Promise<void> {
  const status = ['--status', stage.statusUrl, '--status-heartbeat', HEARTBEAT];
  const more = ['--interval', `${INTERVAL_MS}ms`, '--heartbeat', 'none', '--host', host.name];
  const all = [...labels, '--label', 'address=127.0.0.1'];
  const typed = [
    `pullyu bootstrap ${stage.url}`,
    status.join(' '),
    all.join(' '),
    ...(programs.length === 0 ? [] : [programs.join(' ')]),
    `${more.join(' ')}; pullyu agent &`,
  ];
  const [first, ...rest] = typed.map((line, n) => (n === typed.length - 1 ? line : `${line} \\`));
  tell.command(first!, ...rest);
  const result = await host.pullyu('bootstrap', stage.url, ...status, ...all, ...programs, ...more);
  front.expect(
    result.exitCode === 0,
    `exit code 0 of pullyu bootstrap on ${host.name}`,
    `${describeEnd(result)}: ${result.stdout}${result.stderr}`,
  );
  // What it does is told; that it is configured and how to call it was told before.
  tell.quote(
    result.stdout
      .toString()
      .split('\n')
      .filter((line) => line.startsWith('it: '))
      .join('\n'),
  );
  host.startAgent();
}

async function followCommit(fleet: Fleet): Promise<void> {
  const { scene, front, stage, tell, url } = fleet;
  tell.chapter('A commit is followed until every host has it');
  scene.edit('apps/shop/page.html', 'Welcome to the shop', 'Welcome to both shops');
  const push = await scene.commitAndPush('Both shops');
  await show(fleet, 'pullyu watch HEAD --timeout 1m', ['watch', 'HEAD', '--timeout', '1m']);
  const pages = await Promise.all([1, 2, 3, 4].map(() => fetchPage(url)));
  front.expect(
    pages.every((page) => page?.release === push.commit),
    `pages of release ${push.commit} only`,
    pages,
  );
  tell.found(
    `Exit code 0: ${shortId(push.commit)} is everywhere. That is how a pipeline waits for a deployment.`,
  );
  front.expect(
    stage.hosts().every((host) => host.agent()?.isRunning()),
    'three agents that go on',
    'that one ended',
  );
}

async function loseHost(fleet: Fleet, lb: StageHost): Promise<void> {
  const { web2, front, tell, url } = fleet;
  tell.chapter('A machine dies: the balancer drops it, and visitors do not notice');
  tell.note('(the power of web-2 is cut: its agent and its shop are gone at once)');
  const heard = lb.agent()?.lines().length ?? 0;
  const died = { commit: '', at: Date.now(), heard };
  await web2.die();
  const visits = { all: 0, failed: 0 };
  const said = () => (lb.agent()?.lines().slice(heard) ?? []).map(({ text }) => text);
  let runs = 0;
  await front.until(
    'the balancer to be written without web-2',
    async () => {
      visits.all += 1;
      if ((await fetchPage(url)) === null) visits.failed += 1;
      const ended = said().filter((text) => /balancer ok/.test(text)).length;
      if (ended === runs) return false;
      runs = ended;
      return /sends to: web-1$/m.test(await front.ask(['logs', 'balancer']));
    },
    () => said().join('\n') || 'that lb-1 says nothing',
  );
  front.chronicle(died);
  await untilFleet(
    fleet,
    'a silent host, and two that work',
    (found) => found.silent === 1 && found.working === 2,
  );
  await show(fleet, 'pullyu fleet', ['fleet']);
  await front.show(['logs', 'balancer'], { on: lb.name });
  front.expect(
    visits.failed === 0,
    `${visits.all} visitors that got their page`,
    `${visits.failed} that did not`,
  );
  tell.found(
    `${visits.all} visitors came in these ${formatSeconds(Date.now() - died.at)}, and all of them got the page. After three heartbeats of ${HEARTBEAT} that were missed web-2 is silent.`,
  );
}

/** A command of the person who pushes, with what it answers. */
async function show({ stage, front, tell }: Fleet, typed: string, args: string[]): Promise<void> {
  tell.command(typed);
  const result = await stage.person(...args);
  front.expect(
    result.exitCode === 0,
    `exit code 0 of ${typed}`,
    `${describeEnd(result)}: ${result.stdout}${result.stderr}`,
  );
  tell.quote(result.stdout.toString());
}

async function untilFleet(
  { stage, front }: Fleet,
  expected: string,
  wanted: (totals: Record<string, number>) => boolean,
): Promise<void> {
  let last = '';
  await front.until(
    expected,
    async () => {
      last = (await stage.person('fleet', '--json')).stdout.toString();
      return wanted((JSON.parse(last) as { totals: Record<string, number> }).totals);
    },
    () => last,
    100,
  );
}

/** Where the scripts of a host find it. */
function findHaproxy(): string | null {
  const files = DEFAULT_PATH.map((folder) => `${folder}/haproxy`);
  return (
    files.find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    }) ?? null
  );
}
