/** What a change costs: a file among many, and the plan of many actions. */
import { type Cost, measureCommand } from './measure.ts';
import type { RemoteName } from './remotes.ts';
import type { Scene } from './scene.ts';

export interface ApplyTimes {
  /** From the start of `pullyu look` to the first line of the script, in the published tree; milliseconds. */
  readonly look: readonly number[];
  /** From the start of `git pull` to its end. */
  readonly gitPull: readonly number[];
}

/** One changed file in the remote of many files, applied by both in turns. */
export async function measureApply(
  scene: Scene,
  o: { readonly rounds: number; readonly say: (text: string) => void },
): Promise<ApplyTimes> {
  const { host, push, gitPull } = scene.remotes.files;
  const times = { look: [] as number[], gitPull: [] as number[] };
  const look = async () => {
    scene.marks.forget();
    const begun = performance.timeOrigin + performance.now();
    await host.run('look');
    times.look.push((await scene.marks.first('files')) - begun);
  };
  const pull = async () => {
    times.gitPull.push((await measureCommand(gitPull, { env: scene.env })).wallMs);
  };
  await measureCommand(gitPull, { env: scene.env });
  for (let round = 0; round < o.rounds; round += 1) {
    o.say(`one changed file among many, round ${round + 1} of ${o.rounds}`);
    await push('app');
    for (const one of round % 2 === 0 ? [look, pull] : [pull, look]) await one();
  }
  return times;
}

export type PlanCosts = Readonly<
  Record<'small' | 'actions', Readonly<Record<'plan' | 'unrelated' | 'config', readonly Cost[]>>>
>;

/**
 * `plan`: of what is due, by a process of its own. `unrelated`: a look after a commit that concerns no action. `config`: after one that
 * changes the bytes of pullyu.yaml, but nothing that an action is.
 */
export async function measurePlans(
  scene: Scene,
  o: { readonly rounds: number; readonly say: (text: string) => void },
): Promise<PlanCosts> {
  const costs = {
    small: { plan: [] as Cost[], unrelated: [] as Cost[], config: [] as Cost[] },
    actions: { plan: [] as Cost[], unrelated: [] as Cost[], config: [] as Cost[] },
  };
  const names: readonly (RemoteName & ('small' | 'actions'))[] = ['small', 'actions'];
  for (const name of names) await scene.remotes[name].host.run('look');
  for (let round = 0; round < o.rounds; round += 1) {
    o.say(`plans, round ${round + 1} of ${o.rounds}`);
    for (const name of names) {
      const { host, push } = scene.remotes[name];
      costs[name].plan.push(await measureCommand(host.argv('plan'), { env: scene.env }));
      await push('readme');
      costs[name].unrelated.push(await measureCommand(host.argv('look'), { env: scene.env }));
      await push('config');
      costs[name].config.push(await measureCommand(host.argv('look'), { env: scene.env }));
    }
  }
  return costs;
}
