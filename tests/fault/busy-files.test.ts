/** Trees that somebody else uses: a mount in them, a file that the file server keeps. What is mounted is never emptied. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, test as always, beforeAll, expect } from 'vitest';
import { createHost, type TestHost } from '../support/host.ts';
import { needsRoot, requireProgram } from '../support/needs.ts';
import { createRemote, type Remote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { type TempFolder, tempFolder } from '../support/temp.ts';
import { commitOfTree, currentTree } from '../support/tree.ts';

const test = needsRoot('mount', 'umount');
let remote: Remote;
let host: TestHost;
let data: TempFolder;
const mounted: string[] = [];
const trees = (...path: string[]) => join(host.state, 'repos/it/trees', ...path);
const spare = () => trees(currentTree(host)!.endsWith('/a') ? 'b' : 'a');
const aside = () => readdirSync(trees()).filter((name) => name.includes('aside'));
const inode = (path: string) => execFileSync('stat', ['-c', '%i', path], { encoding: 'utf8' });

beforeAll(async () => {
  remote = await createRemote();
  await remote.publish(sayRepository('one'));
  host = createHost({ repos: { it: remote.bare } });
  data = tempFolder('data');
  writeFileSync(join(data.path, 'precious'), 'kept\n');
  for (const text of ['one', 'two']) {
    await remote.publish(say(text));
    expect((await host.look()).code).toBe(0);
  }
});

afterAll(async () => {
  for (const path of mounted) unmount(path);
  await host?.close();
  remote?.[Symbol.dispose]();
  data?.[Symbol.dispose]();
});

/** Over a file or a folder of a tree. */
function bind(source: string, path: string): string {
  execFileSync('mount', ['--bind', source, path]);
  mounted.push(path);
  return path;
}

/** Of wherever it is by now: it goes with its folder when that is renamed. */
function unmount(path: string): void {
  try {
    execFileSync('umount', [path], { stdio: 'ignore' });
  } catch {
    // Not mounted any more.
  }
}

let serial = 0;

async function expectNextGood(): Promise<void> {
  const text = `good ${++serial}`;
  const commit = await remote.publish(say(text));
  const ran = await host.look();
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
  expect((await host.status()).repos[0]).toMatchObject({ applied: commit, trouble: null });
  expect(await commitOfTree(host, remote.bare, [commit])).toBe(commit);
  expect(said(host).at(-1)).toBe(text);
  expect(readFileSync(join(data.path, 'precious'), 'utf8')).toBe('kept\n');
}

test('a folder that is mounted in a tree is not emptied, and the next commits are applied beside it', async () => {
  const clone = inode(join(host.state, 'repos/it/clone.git'));
  mkdirSync(join(spare(), 'data'));
  bind(data.path, join(spare(), 'data'));
  await expectNextGood();
  expect(aside()).toHaveLength(1);
  await expectNextGood();
  await expectNextGood();
  expect(aside()).toHaveLength(1);
  unmount(trees(aside()[0]!, 'data'));
  await expectNextGood();
  expect(aside()).toEqual([]);
  // Nobody took it for a damage of the clone.
  expect(inode(join(host.state, 'repos/it/clone.git'))).toBe(clone);
  await host.expectNoLeaks();
});

test('a file that is mounted over one of the current tree is named, and its commit gives way to the next', async () => {
  const file = join(data.path, 'other-text');
  writeFileSync(file, 'mounted\n');
  bind(file, join(currentTree(host)!, 'text'));
  await expectNextGood();
  await expectNextGood();
  expect(readFileSync(file, 'utf8')).toBe('mounted\n');
  const [name] = aside();
  unmount(trees(name!, 'text'));
  await expectNextGood();
  expect(aside()).toEqual([]);
});

test('a slot that is a mount point itself is a trouble with what to do, until it is unmounted', async () => {
  const slot = bind(data.path, spare());
  const before = said(host);
  await remote.publish(say('not onto the mount'));
  const ran = await host.look();
  expect(ran.code, ran.stdout + ran.stderr).not.toBe(0);
  expect((await host.status()).repos[0]?.trouble).toMatchObject({
    code: 'git-failed',
    message: expect.stringMatching(/busy/),
    hint: expect.stringContaining('unmount'),
  });
  expect(said(host)).toEqual(before);
  unmount(slot);
  await expectNextGood();
});

test('a script that mounts into every tree is stopped by a limit that names the mounts', async () => {
  const script = '#!/bin/sh\nset -e\ncat text >> "$PULLYU_STATE_DIR/said"\n';
  const mount = `mkdir -p data\nmount --bind ${data.path} data\n`;
  await remote.publish({ scripts: { 'say.sh': script + mount } });
  for (let n = 0, code: number | null = 0; n < 8 && code === 0; n += 1) {
    await remote.publish(say(`mounted ${n}`));
    ({ code } = await host.look());
  }
  expect((await host.status()).repos[0]?.trouble).toMatchObject({
    code: 'git-failed',
    message: expect.stringContaining('aside'),
  });
  const points = readFileSync('/proc/self/mountinfo', 'utf8').match(/\S+\/trees\/\S+\/data(?= )/g) ?? [];
  expect(points.length).toBeGreaterThan(4);
  const purge = await host.run(['uninstall', '--purge']);
  expect(purge).toMatchObject({ code: 4, stderr: expect.stringMatching(/nothing mounted.*\nhint: umount/s) });
  for (const point of points) unmount(point);
  await remote.publish({ scripts: { 'say.sh': script } });
  await expectNextGood();
  await expectNextGood();
  expect(aside()).toEqual([]);
  await host.expectNoLeaks();
});

always('a file that a file server keeps for its reader costs a new folder, not a new clone', async () => {
  // As NFS answers when a file that somebody has open is removed.
  const real = requireProgram('git');
  const bin = join(host.root, 'bin');
  mkdirSync(bin);
  const refuse = 'echo "warning: failed to remove .nfs0001: Device or resource busy" >&2; exit 1';
  const script = `#!/bin/sh\ncase " $* " in *" clean "*) test -e "${bin}/once" || { touch "${bin}/once"; ${refuse}; };; esac\nexec ${real} "$@"\n`;
  writeFileSync(join(bin, 'git'), script, { mode: 0o755 });
  const clone = inode(join(host.state, 'repos/it/clone.git'));
  const commit = await remote.publish(say('beside .nfs0001'));
  const ran = await host.look({ env: { PATH: `${bin}:${host.env.PATH}` } });
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
  expect((await host.status()).repos[0]).toMatchObject({ applied: commit, trouble: null });
  expect(existsSync(join(bin, 'once'))).toBe(true);
  expect(inode(join(host.state, 'repos/it/clone.git'))).toBe(clone);
  rmSync(bin, { recursive: true });
  await expectNextGood();
  expect(aside()).toEqual([]);
  await host.expectNoLeaks();
});
