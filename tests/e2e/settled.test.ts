/** What a look calls settled, and does not ask again: never more than it knows. */

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { git } from '../support/git.ts';
import { createHost } from '../support/host.ts';
import { createRemote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { tempFolder } from '../support/temp.ts';

test('a first remote that stays behind does not hide what the second has', async () => {
  using remote = await createRemote();
  using folder = tempFolder('mirror');
  const mirror = join(folder.path, 'it.git');
  await remote.publish(sayRepository('one'));
  await using host = createHost({ repos: { it: { remotes: [mirror, remote.bare], track: 'main' } } });
  cpSync(remote.bare, `${mirror}.away`, { recursive: true });
  await remote.publish(say('two'));
  expect((await host.look()).code).toBe(0);
  renameSync(`${mirror}.away`, mirror);
  expect((await host.look()).code).toBe(0);
  expect((await host.look()).code).toBe(0);
  await remote.publish(say('three'));
  expect((await host.look()).code).toBe(0);
  expect(said(host)).toEqual(['two', 'three']);
});

test('a commit that is refused does not keep a lost tree of the last valid one away', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  const current = join(host.state, 'repos/it/current');
  rmSync(current);
  await remote.publish({ files: { 'pullyu.yaml': 'actions: {say: {runn: say.sh}}\n' } });
  expect((await host.look()).code).toBe(2);
  expect(statSync(join(current, 'say.sh')).isFile()).toBe(true);
  await host.run(['redo', 'say']);
  await host.look();
  expect(said(host)).toEqual(['one', 'one']);
});

test('an edited script that cannot be put back is not executed', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  const blob = (await git(['-C', remote.work, 'rev-parse', 'HEAD:say.sh'])).trim();
  await loseObject(join(host.state, 'repos/it/clone.git'), blob);
  const script = join(host.state, 'repos/it/current/say.sh');
  writeFileSync(script, '#!/bin/sh\necho evil >> "$PULLYU_STATE_DIR/said"\n');
  chmodSync(script, 0o755);
  await host.run(['redo', 'say']);
  renameSync(remote.bare, `${remote.bare}.away`);
  expect((await host.look()).code).not.toBe(0);
  expect(said(host)).toEqual(['one']);
  renameSync(`${remote.bare}.away`, remote.bare);
  await host.look();
  expect((await host.look()).code).toBe(0);
  expect(said(host)).toEqual(['one', 'one']);
});

test('an undo whose commit the remote has no more is refused, and the clone stays', async () => {
  using remote = await createRemote();
  const withUndo = 'actions:\n  say: {run: say.sh, paths: [text], undo: undo.sh}\n';
  await remote.publish({
    ...sayRepository('one'),
    files: { 'pullyu.yaml': withUndo, text: 'one\n' },
    scripts: { 'say.sh': '#!/bin/sh\n', 'undo.sh': '#!/bin/sh\n' },
  });
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  await remote.git('checkout', '--quiet', '--orphan', 'another');
  await remote.commit({ files: { 'pullyu.yaml': 'actions: {}\n' }, delete: ['say.sh', 'undo.sh'] });
  await remote.git('branch', '--move', '--force', 'main');
  const commit = await remote.forcePush();
  await git(['-C', remote.bare, 'gc', '--quiet', '--prune=now']);
  rmSync(join(host.state, 'repos/it/clone.git'), { recursive: true });
  await host.run(['accept', commit]);
  expect((await host.look()).code).toBe(1);
  await host.look();
  expect((await host.history())[0]).toMatchObject({ action: 'say', outcome: 'refused' });
  const { repos } = await host.status();
  expect(repos[0]?.trouble).toBeNull();
  expect(readdirSync(join(host.state, 'repos/it'))).not.toContain('clone.suspect');
});

/** Of a clone: all other objects stay, as loose ones. */
async function loseObject(clone: string, id: string): Promise<void> {
  const pack = join(clone, 'objects/pack');
  using aside = tempFolder('packs');
  for (const name of readdirSync(pack)) {
    cpSync(join(pack, name), join(aside.path, name));
    rmSync(join(pack, name));
  }
  for (const name of readdirSync(aside.path).filter((one) => one.endsWith('.pack')))
    await git(['-C', clone, 'unpack-objects', '-q'], { input: readFileSync(join(aside.path, name)) });
  rmSync(join(clone, 'objects', id.slice(0, 2), id.slice(2)));
}

test('a tree that somebody made current by hand does not stay so, also when nothing else changes', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using host = createHost({ repos: { it: remote.bare } });
  await host.look();
  await remote.publish(say('two'));
  await host.look();
  expect((await host.look()).code).toBe(0);
  const repo = join(host.state, 'repos/it');
  const slot = readlinkSync(join(repo, 'current'));
  const tree = () => readFileSync(join(repo, 'current/say.sh'), 'utf8');
  const wanted = tree();
  const other = slot === 'trees/a' ? 'trees/b' : 'trees/a';
  writeFileSync(join(repo, other, 'say.sh'), '#!/bin/sh\n');
  rmSync(join(repo, 'current'));
  symlinkSync(other, join(repo, 'current'));
  expect((await host.look()).code).toBe(0);
  expect(tree()).toBe(wanted);
});

test('a commit that was pushed while it was fetched is known, so that the way back from it is noticed', async () => {
  using remote = await createRemote();
  using tools = tempFolder('tools');
  const one = await remote.publish(sayRepository('one'));
  const two = await remote.publish(say('two'));
  const move = (to: string) => git(['-C', remote.bare, 'update-ref', 'refs/heads/main', to]);
  await move(one);
  const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
  const pushed = `${real} -C ${remote.bare} update-ref refs/heads/main ${two}`;
  const script = `#!/bin/sh\ncase " $* " in *" fetch "*) ${pushed};; esac\nexec ${real} "$@"\n`;
  writeFileSync(join(tools.path, 'git'), script, { mode: 0o755 });
  await using host = createHost({ repos: { it: remote.bare } });
  expect((await host.look({ env: { PATH: `${tools.path}:${process.env.PATH}` } })).code).toBe(0);
  expect(said(host)).toEqual(['two']);
  await move(one);
  await host.look();
  expect((await host.status()).repos[0]?.trouble?.code).toBe('lagging');
});

test('the run folders are gone through again after a run, a new limit or ten minutes, not after each commit', async () => {
  using remote = await createRemote();
  await remote.publish(sayRepository('one'));
  await using host = createHost({
    repos: { it: remote.bare },
    more: { limits: { outputMax: '64 KiB' } },
  });
  expect((await host.look()).code).toBe(0);
  const runs = join(host.state, 'runs');
  const [first = ''] = readdirSync(runs);
  const output = join(runs, first, 'output.log');
  const isCut = () => statSync(output).size < 70_000;
  // What a script left behind goes on writing.
  const grow = () => writeFileSync(output, 'x'.repeat(100_000));
  const readme = async () => {
    await remote.publish({ files: { README: `${Math.random()}\n` } });
    expect((await host.look()).code).toBe(0);
  };
  grow();
  await readme();
  expect(isCut()).toBe(false);
  await remote.publish(say('two'));
  expect((await host.look()).code).toBe(0);
  expect(isCut()).toBe(true);
  grow();
  await readme();
  expect(isCut()).toBe(false);
  const idleFile = join(host.state, 'idle.json');
  const memo = JSON.parse(readFileSync(idleFile, 'utf8'));
  const tidied = { ...memo.tidied, at: memo.tidied.at - 11 * 60_000 };
  writeFileSync(idleFile, JSON.stringify({ ...memo, tidied }));
  await readme();
  expect(isCut()).toBe(true);
});
