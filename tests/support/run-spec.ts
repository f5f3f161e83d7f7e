/** Specs of runs for tests of the runner: a tree with one script, in a folder of the test's own. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { commitId, type HostId, type RunId } from '../../src/model/ids.ts';
import type { RunIntent } from '../../src/model/run.ts';
import type { RunSpec } from '../../src/runner/spec.ts';
import { readBootId } from '../../src/system/clock.ts';

let count = 0;

export type SpecChanges = Partial<Omit<RunSpec, 'intent'>> & { readonly intent?: Partial<RunIntent> };

/** `script` (when given) becomes `tree/run.sh`, executable, and is what runs. */
export function exampleSpec(folder: string, script: string | null, changes: SpecChanges = {}): RunSpec {
  const tree = join(folder, 'tree');
  mkdirSync(tree, { recursive: true });
  if (script !== null) writeScript(join(tree, 'run.sh'), script);
  const { intent, ...more } = changes;
  const id = `${process.pid}-${Date.now()}-${count++}` as RunId;
  const labels = { part: 'app', 'rack-unit': '7' };
  return {
    intent: {
      id,
      repo: 'it',
      action: 'shop',
      purpose: 'work',
      commit: commitId('a'.repeat(40)),
      fingerprint: 'f',
      parts: { content: 'c', definition: 'd', labels: 'l' },
      reason: 'changed',
      attempt: 2,
      kind: 'idempotent',
      timeoutMs: 60_000,
      bootId: readBootId(),
      startedAt: Date.now(),
      undo: null,
      ...intent,
    },
    argv: ['run.sh'],
    tree,
    host: { name: 'web-1', id: 'h'.repeat(26) as HostId, labels },
    labels,
    lastCommit: null,
    interrupted: false,
    changedFiles: ['apps/shop/a', 'apps/shop/b c'],
    user: null,
    env: {},
    stateFolder: join(folder, 'state', 'shop'),
    runFolder: join(folder, 'runs', intent?.id ?? id),
    limits: { outputMaxBytes: 1_000_000 },
    rosterFile: join(folder, 'roster.json'),
    ...more,
  };
}

export function writeScript(path: string, text: string, mode = 0o755): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text.startsWith('#!') ? text : `#!/bin/sh\n${text}\n`, { mode });
}
