/** From the action of a new host to the action of another host that reacts to it: real agents. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { delay } from '../../src/system/clock.ts';
import { startChild } from '../support/child.ts';
import { createHost, program } from '../support/host.ts';
import { createRemote } from '../support/repo.ts';
import { until } from '../support/until.ts';
import { createMarks } from './marks.ts';

export interface FleetReactionOptions {
  readonly folder: string;
  /** Of host.yaml. */
  readonly status: Readonly<Record<string, unknown>>;
  readonly rounds: number;
}

/** Milliseconds from the first line of the new host's script to that of the other's. Both look once in a second; `settle` is the least, 100 ms. */
export async function measureFleetReactions(o: FleetReactionOptions): Promise<number[]> {
  mkdirSync(o.folder, { recursive: true });
  const marks = createMarks(join(o.folder, 'marks'));
  using it = await createRemote();
  const script = `#!/bin/bash\nprintf '%s %s\\n' "$EPOCHREALTIME" "$PULLYU_HOST" >>'${marks.file}'\n`;
  const actions = {
    app: { run: 'app.sh', hosts: { part: 'app' } },
    lb: { run: 'lb.sh', hosts: { part: 'lb' }, on: [{ presence: { part: 'app' }, settle: '100ms' }] },
  };
  await it.publish({
    files: { 'pullyu.yaml': JSON.stringify({ actions }) },
    scripts: { 'app.sh': script, 'lb.sh': script },
  });
  const start = (name: string, part: string) => {
    const root = join(o.folder, name);
    mkdirSync(root);
    const { env } = createHost({
      name,
      root,
      labels: { part },
      interval: '1s',
      repos: { it: it.url },
      more: { status: o.status },
    });
    return startChild([program, '--root', root, 'agent'], { env, cwd: root });
  };
  await using balancer = start('lb-1', 'lb');
  await until(() => balancer.output().includes('applied'), { what: 'the balancer', found: balancer.output });
  const found: number[] = [];
  for (let round = 0; round < o.rounds; round += 1) {
    // What the round before left over is settled.
    await delay(1_500);
    marks.forget();
    const name = `app-${round + 1}`;
    await using _ = start(name, 'app');
    const began = await marks.first(name);
    found.push((await marks.first('lb-1')) - began);
  }
  return found;
}
