/** From the end of a push to the first line of the script. */
import { until } from '../support/until.ts';
import { measureCommand } from './measure.ts';
import { REMOTE_NAMES, type RemoteName } from './remotes.ts';
import type { Scene } from './scene.ts';

export const WAYS = ['woken', 'interval', 'oneShot', 'shellLoop', 'ansiblePull'] as const;
export type Way = (typeof WAYS)[number];

/** Milliseconds. */
export type Reactions = Readonly<Record<RemoteName, Readonly<Record<Way, readonly number[]>>>>;

export async function measureReactions(
  scene: Scene,
  o: { readonly rounds: number; readonly ansibleRounds: number; readonly say: (text: string) => void },
): Promise<Reactions> {
  const all = {} as Record<RemoteName, Record<Way, number[]>>;
  for (const name of REMOTE_NAMES) {
    o.say(`reactions to a push to "${name}"`);
    all[name] = await measureRemote(scene, name, o);
  }
  return all;
}

async function measureRemote(
  scene: Scene,
  name: RemoteName,
  o: { readonly rounds: number; readonly ansibleRounds: number },
): Promise<Record<Way, number[]>> {
  const found: Record<Way, number[]> = {
    woken: [],
    interval: [],
    oneShot: [],
    shellLoop: [],
    ansiblePull: [],
  };
  const { host, push, shellLoop, ansiblePull } = scene.remotes[name];
  const env = (who: string) => ({ ...scene.env, MARK_FOR: who });
  const settled = async () => {
    // What is applied is told in state.json after the look.
    await until(async () => (await host.run('status', '--json')).includes('"state": "working"'), {
      what: 'the host to come to rest',
    });
  };
  const react = async (who: string, act: () => Promise<unknown>) => {
    scene.marks.forget();
    const { pushedAt } = await push('app');
    const acting = act();
    const began = await scene.marks.first(who);
    await acting;
    return began - pushedAt;
  };
  for (const [way, interval] of [
    ['woken', '60s'],
    ['interval', '200ms'],
  ] as const) {
    host.configure(interval);
    await using daemon = host.start();
    await until(() => daemon.output().includes('follows the repo it'), {
      what: 'the agent',
      found: daemon.output,
    });
    await host.run('look');
    for (let round = 0; round < o.rounds; round += 1) {
      found[way].push(await react(name, async () => (way === 'woken' ? host.run('look') : undefined)));
      await settled();
    }
  }
  host.configure('60s');
  for (let round = 0; round < o.rounds; round += 1) {
    found.oneShot.push(await react(name, () => measureCommand(host.argv('look'), { env: scene.env })));
    found.shellLoop.push(await react('shell', () => measureCommand(shellLoop, { env: env('shell') })));
    if (ansiblePull === null || round >= o.ansibleRounds) continue;
    found.ansiblePull.push(
      await react('ansible', () => measureCommand(ansiblePull, { env: env('ansible') })),
    );
  }
  return found;
}
