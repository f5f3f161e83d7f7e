import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startChild } from './child.ts';
import { leftFiles, processesOf } from './leaks.ts';
import { tempFolder } from './temp.ts';
import { until } from './until.ts';

test('finds a process that left its session, by the root in its environment or folder', async () => {
  using folder = tempFolder();
  await using child = startChild(['sh', '-c', 'cd /; setsid sleep 300 & sleep 302'], {
    env: { HOME: folder.path },
  });
  await using elsewhere = startChild(['sleep', '301'], { cwd: folder.path });
  const commands = () => processesOf(folder.path).map(({ command }) => command);
  await until(
    () => ['sleep 300', 'sleep 301', 'sleep 302'].every((command) => commands().includes(command)),
    {
      found: commands,
    },
  );
  await Promise.all([child.close(), elsewhere.close()]);
  expect(processesOf(folder.path)).toEqual([]);
});

test('names locks, temporary packs and files, and clones that were put aside', () => {
  using folder = tempFolder();
  const write = (path: string) => {
    mkdirSync(join(folder.path, path, '..'), { recursive: true });
    writeFileSync(join(folder.path, path), '');
  };
  for (const fine of ['lock', 'journal.log', 'repos/it/clone.git/objects/pack/a.pack']) write(fine);
  expect(leftFiles(folder.path, 1)).toEqual([]);
  write('repos/it/clone.git/packed-refs.lock');
  write('repos/it/clone.git/objects/pack/tmp_pack_x');
  write('state.json.12.tmp');
  write('repos/it/clone.git.broken/HEAD');
  write('repos/it/clone.git/objects/pack/b.pack');
  expect(leftFiles(folder.path, 1).sort()).toEqual([
    '2 packs, more than 1',
    'clones of it: clone.git, clone.git.broken',
    'lock: repos/it/clone.git/packed-refs.lock',
    'temporary: repos/it/clone.git/objects/pack/tmp_pack_x',
    'temporary: state.json.12.tmp',
  ]);
});
