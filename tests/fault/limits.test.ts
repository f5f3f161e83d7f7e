/** Scripts that eat the machine: what they get is bounded, and the next good commit is applied. PAINS section 4. */
import { existsSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { findGroupHome, homeFacts } from '../../src/runner/control-groups.ts';
import { createHost, type TestHost } from '../support/host.ts';
import { createRemote } from '../support/repo.ts';

const home = findGroupHome(homeFacts());
/** Whether this machine lets us have control groups is not ours to decide; the other branch is tested where it does not. */
const withGroups = home.memory !== null && home.processes !== null ? test : test.skip;
const withoutGroups = home.memory === null ? test : test.skip;

const YAML = (limits: string) =>
  `actions:\n  eater:\n    run: run.sh\n    paths: [run.sh]\n    timeout: 3s\n    limits: ${limits}\n    retry: {delay: 1h, max: 1h}\n`;

async function lastNote(host: TestHost): Promise<string> {
  return (await host.run(['why', 'eater'])).stdout + (await host.run(['history'])).stdout;
}

function groupsLeft(): string[] {
  const folders = [home.memory, home.processes].filter((folder) => folder !== null && existsSync(folder));
  return folders.flatMap((folder) => readdirSync(folder!).filter((name) => name.startsWith('pullyu-run-')));
}

withGroups.each([
  [
    'a hog of memory',
    '{memory: 100M}',
    `exec '${process.execPath}' -e 'const a = []; for (;;) a.push(Buffer.alloc(2 ** 20, 1))'`,
    'killed by its memory limit of 100 MiB',
  ],
  [
    'a fork bomb',
    '{processes: 50}',
    'bomb() { while :; do bomb & done 2>/dev/null; }\nbomb',
    'could start no more processes, by its limit of 50 processes',
  ],
  [
    'a fork bomb that is left behind',
    '{processes: 50}',
    '(while :; do (while :; do sleep 1 & done) & done) >/dev/null 2>&1 &\nsleep 1; exit 1',
    'could start no more processes, by its limit of 50 processes',
  ],
])('%s stays within its limit, is named, and the next commit is applied', async (_, limits, script, note) => {
  using remote = await createRemote();
  await remote.publish({
    files: { 'pullyu.yaml': YAML(limits) },
    scripts: { 'run.sh': `#!/bin/sh\n${script}\n` },
  });
  await using host = createHost({ interval: '10s', repos: { it: remote.url } });
  expect((await host.look()).code).toBe(1);
  expect(await lastNote(host)).toContain(note);
  const good = await remote.publish({ scripts: { 'run.sh': '#!/bin/sh\necho good\n' } });
  const look = await host.look();
  expect(look, look.stdout + look.stderr).toMatchObject({ code: 0 });
  expect((await host.status()).repos[0]).toMatchObject({ applied: good, trouble: null });
  await host.expectNoLeaks();
  const ids = (await host.history()).map((run) => `pullyu-run-${run.id}`);
  expect(groupsLeft().filter((name) => ids.includes(name))).toEqual([]);
});

withoutGroups(
  'where nothing can limit memory, an action that asks for it is refused, and the next commit is applied',
  async () => {
    using remote = await createRemote();
    await remote.publish({
      files: { 'pullyu.yaml': YAML('{memory: 100M}') },
      scripts: { 'run.sh': '#!/bin/sh\n' },
    });
    await using host = createHost({ interval: '10s', repos: { it: remote.url } });
    expect((await host.look()).code).not.toBe(0);
    expect(await lastNote(host)).toContain('no control groups');
    await remote.publish({ files: { 'pullyu.yaml': YAML('{memory: none}') } });
    expect((await host.look()).code).toBe(0);
  },
);
