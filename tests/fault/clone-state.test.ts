/** Files of the clone, the trees and the state folder that a crash, a failing disk or a person has spoiled: PAINS section 1. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readState } from '../../src/agent/state-file.ts';
import { type GitServer, startGitServer } from '../../src/demo/git-server.ts';
import { readJournal } from '../../src/journal/read.ts';
import { git } from '../support/git.ts';
import { createHost, type TestHost } from '../support/host.ts';
import { type Change, createRemote, type Remote } from '../support/repo.ts';
import { said, say, sayRepository } from '../support/say.ts';
import { commitOfTree, currentTree } from '../support/tree.ts';

let remote: Remote;
let server: GitServer;
let host: TestHost;
const repo = (...path: string[]) => join(host.state, 'repos/it', ...path);
const clone = (...path: string[]) => repo('clone.git', ...path);

beforeAll(async () => {
  remote = await createRemote();
  await remote.publish(sayRepository('one'));
  server = await startGitServer({ folder: remote.folder });
  host = createHost({ repos: { it: server.url(remote.path) } });
  expect((await host.look()).code).toBe(0);
  await remote.publish(say('two'));
  expect((await host.look()).code).toBe(0);
});

afterAll(async () => {
  await host?.close();
  await server?.close();
  remote?.[Symbol.dispose]();
});

let serial = 0;

/** The damage is done, a commit is pushed: one look brings everything back and does the work, once. */
async function expectHealed(
  name: string,
  damage: () => unknown,
  { change = {}, leaks = true }: { change?: Change; leaks?: boolean } = {},
): Promise<void> {
  const before = said(host);
  const text = `${name.replaceAll(/\W+/g, '-')} ${++serial}`;
  // A clone is replaced once in ten minutes; here an hour goes by between two failures.
  writeFileSync(repo('clone.replaced'), String(Date.now() - 3_600_000));
  await damage();
  const commit = await remote.publish({ ...change, files: { ...say(text).files, ...change.files } });
  const ran = await host.look();
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 });
  // As `status` says it, without the cost of asking each time.
  expect(readJournal(join(host.state, 'journal.log')).applied('it')).toBe(commit);
  expect(readState(host.state).repos.it?.trouble).toBeNull();
  expect(await commitOfTree(host, remote.bare, [commit])).toBe(commit);
  expect(said(host)).toEqual([...before, text]);
  if (leaks) await host.expectNoLeaks();
}

const empty = (path: string) => writeFileSync(path, '');
const huge = (path: string) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '');
  truncateSync(path, 60 * 1024 * 1024);
};
const packs = () => readdirSync(clone('objects/pack'));

describe('a clone with', () => {
  const DAMAGES: Readonly<Record<string, () => unknown>> = {
    'an empty HEAD': () => empty(clone('HEAD')),
    'a HEAD of 60 MB': () => huge(clone('HEAD')),
    'no HEAD': () => rmSync(clone('HEAD')),
    'an empty config': () => empty(clone('config')),
    'a config that is no config': () => writeFileSync(clone('config'), '[core\n\0\0\0'),
    'empty references': () => {
      empty(clone('refs/pullyu/target'));
      empty(clone('refs/pullyu/incoming'));
    },
    'a reference of 60 MB': () => huge(clone('refs/pullyu/incoming')),
    'a reference to what is not there': () => {
      writeFileSync(clone('refs/pullyu/target'), `${'1'.repeat(40)}\n`);
    },
    'empty packed-refs': () => empty(clone('packed-refs')),
    'packed-refs of 60 MB': () => huge(clone('packed-refs')),
    'an empty pack': () => empty(clone('objects/pack', packs().find((name) => name.endsWith('.pack'))!)),
    'an index of a pack that is gone': () => {
      rmSync(clone('objects/pack', packs().find((name) => name.endsWith('.idx'))!));
    },
    'all packs gone': () => {
      for (const name of packs()) rmSync(clone('objects/pack', name));
    },
    'an empty loose object': () => {
      mkdirSync(clone('objects/ab'), { recursive: true });
      empty(clone('objects/ab', 'c'.repeat(38)));
    },
    'no objects folder': () => rmSync(clone('objects'), { recursive: true }),
    'everything gone': () => rmSync(clone(), { recursive: true }),
    'a file in its place': () => {
      rmSync(clone(), { recursive: true });
      empty(clone());
    },
    'a scan record that is damaged': () => writeFileSync(clone('pullyu-scan'), '{"commit":'),
    'alternates that lead nowhere': () => writeFileSync(clone('objects/info/alternates'), '/nowhere\n'),
  };
  for (const [name, damage] of Object.entries(DAMAGES))
    test(`${name} is mended or replaced by the next look`, async () => {
      await expectHealed(name, damage);
    });
});

describe('a tree with', () => {
  const tree = () => currentTree(host)!;
  const slots = () => ['a', 'b'].map((slot) => repo('trees', slot)).filter(existsSync);
  const DAMAGES: Readonly<Record<string, () => unknown>> = {
    'an empty index in both slots': () => {
      for (const slot of slots()) empty(join(slot, '.git/index'));
    },
    'an empty HEAD and config': () => {
      for (const slot of slots()) for (const name of ['HEAD', 'config']) empty(join(slot, '.git', name));
    },
    'no .git': () => {
      for (const slot of slots()) rmSync(join(slot, '.git'), { recursive: true });
    },
    'an empty trees.json': () => empty(repo('trees.json')),
    'trees.json of another program': () =>
      writeFileSync(repo('trees.json'), '{"a":{"state":"complete","commit":7}}'),
    'no current': () => rmSync(repo('current')),
    'a current that leads nowhere': () => {
      rmSync(repo('current'));
      symlinkSync('trees/nowhere', repo('current'));
    },
    'all slots gone': () => rmSync(repo('trees'), { recursive: true }),
    'its current slot gone': () => rmSync(tree(), { recursive: true }),
    'a file in place of the spare slot': () => {
      for (const slot of slots().filter((path) => path !== tree())) rmSync(slot, { recursive: true });
      for (const slot of ['a', 'b'].map((name) => repo('trees', name))) if (!existsSync(slot)) empty(slot);
    },
  };
  for (const [name, damage] of Object.entries(DAMAGES))
    test(`${name} is made anew by the next look`, async () => {
      await expectHealed(name, damage);
    });

  test('a folder in place of current is a trouble with a name, or mended', async () => {
    await expectHealed('a folder as current', () => {
      rmSync(repo('current'));
      mkdirSync(repo('current/inside'), { recursive: true });
    });
  });

  test('edits of somebody does not stop the next commit, also where it brings the same names', async () => {
    const edit = () => {
      const at = tree();
      writeFileSync(join(at, 'text'), 'edited\n');
      chmodSync(join(at, 'say.sh'), 0o600);
      rmSync(join(at, 'pullyu.yaml'));
      mkdirSync(join(at, 'pullyu.yaml'));
      writeFileSync(join(at, 'clash'), 'in the way\n');
      mkdirSync(join(at, 'folder/below'), { recursive: true });
      symlinkSync('/etc/passwd', join(at, 'link'));
    };
    await expectHealed('edits', edit, {
      change: { files: { clash: 'of the commit\n', folder: 'a file now\n', link: 'a file too\n' } },
    });
  });
});

test('every lock that a crash can leave is swept', async () => {
  const locks = [
    ...['index.lock', 'HEAD.lock', 'config.lock', 'shallow.lock', 'packed-refs.lock', 'gc.pid.lock'],
    ...['refs/pullyu/incoming.lock', 'refs/pullyu/target.lock', 'refs/heads/main.lock'],
    ...['objects/maintenance.lock', 'objects/pack/multi-pack-index.lock', 'objects/info/commit-graph.lock'],
    ...['worktrees/x/index.lock', 'logs/HEAD.lock', 'info/attributes.lock'],
  ].map((name) => clone(name));
  const ofTrees = ['a', 'b'].flatMap((slot) =>
    ['index.lock', 'HEAD.lock', 'config.lock', 'refs/heads/main.lock'].map((name) =>
      repo('trees', slot, '.git', name),
    ),
  );
  await expectHealed(
    'locks',
    () => {
      for (const lock of [...locks, ...ofTrees]) {
        mkdirSync(dirname(lock), { recursive: true });
        empty(lock);
      }
    },
    // Those of the tree that was current are swept when its slot is written again.
    { leaks: false },
  );
  await expectHealed('locks, once more', () => {});
  expect([...locks].filter(existsSync)).toEqual([]);
});

test('partial packs of fetches that were killed are swept, however large they are', async () => {
  await expectHealed('packs', () => {
    for (const name of ['objects/pack/tmp_pack_1', 'objects/tmp_obj_2', 'objects/pack/.tmp-3-pack'])
      huge(clone(name));
    mkdirSync(clone('objects/incoming-x'), { recursive: true });
    mkdirSync(clone('objects/ab'), { recursive: true });
    empty(clone('objects/ab/tmp_obj_4'));
  });
  expect(existsSync(clone('objects/incoming-x'))).toBe(false);
});

test('a git that is at work in the clone beside us does no harm', async () => {
  const stranger = spawn(
    'sh',
    [
      '-c',
      `while :; do git --git-dir=${clone()} fetch -q ${remote.bare} '+refs/heads/*:refs/stranger/*'; done`,
    ],
    { stdio: 'ignore', detached: true },
  );
  try {
    for (let n = 0; n < 3; n += 1) {
      await remote.publish(say(`beside ${n}`));
      for (let tries = 0; tries < 5 && (await host.look()).code !== 0; tries += 1);
      expect((await host.status()).repos[0]).toMatchObject({ applied: await remote.head(), trouble: null });
    }
  } finally {
    process.kill(-stranger.pid!, 'SIGKILL');
    await once(stranger, 'exit');
  }
  await expectHealed('a stranger was here', () => {});
});

test('small files of the state folder that are empty, cut off, foreign or newer are made anew', async () => {
  for (const content of [
    '',
    '{"version":',
    '[]',
    '"x"',
    '{"version":99,"repos":{"it":7}}',
    '\0'.repeat(4096),
  ]) {
    const files = ['state.json', 'idle.json', 'config-cache.json', 'roster.json'].map((name) =>
      join(host.state, name),
    );
    await expectHealed(`files with ${JSON.stringify(content).slice(0, 30)}`, () => {
      for (const file of files) writeFileSync(file, content);
    });
    for (const file of files) expect(() => JSON.parse(readFileSync(file, 'utf8'))).not.toThrow();
  }
});

describe('a program that works in a tree', () => {
  test('is not disturbed by the commits that come', async () => {
    const at = currentTree(host)!;
    const before = readFileSync(join(at, 'text'), 'utf8');
    // It reads from its working directory at every line that it gets.
    const program = spawn('sh', ['-c', 'while read -r _; do cat text; pwd; done'], { cwd: at });
    const ask = async () => {
      program.stdin.write('\n');
      let answer = '';
      while (!answer.includes(at)) answer += String((await once(program.stdout, 'data'))[0]);
      return answer;
    };
    try {
      expect(await ask()).toContain(before);
      // The tree before the current one is kept.
      await expectHealed('one commit later', () => {}, { leaks: false });
      expect(await ask()).toContain(before);
      await expectHealed('two commits later', () => {}, { leaks: false });
      expect(existsSync(join(at, 'text'))).toBe(true);
      await ask();
      // Somebody removes the folder below it: its own affair, and none of ours.
      await expectHealed('its folder removed', () => renameSync(at, `${at}.gone`), { leaks: false });
      rmSync(`${at}.gone`, { recursive: true, force: true });
      await expectHealed('and once more', () => {}, { leaks: false });
    } finally {
      program.stdin.end();
      await once(program, 'exit');
    }
  });
});

describe('a git that', () => {
  const lookWith = (gitScript: string | null) => {
    const bin = join(host.root, 'bin');
    rmSync(bin, { recursive: true, force: true });
    mkdirSync(bin);
    for (const name of ['sh', 'node', 'sync', 'rm', 'mv', 'cat', 'setsid', 'env'])
      symlinkSync(realProgram(name), join(bin, name));
    if (gitScript !== null) writeFileSync(join(bin, 'git'), gitScript, { mode: 0o755 });
    return host.look({ env: { PATH: bin } });
  };

  const BROKEN: Readonly<Record<string, readonly [script: string | null, code: string]>> = {
    'is missing': [null, 'git-missing'],
    'is too old': [
      `#!/bin/sh\ncase " $* " in *" version "*|*" --version "*) echo git version 1.8.3.1; exit;; esac\nexec ${realProgram('git')} "$@"\n`,
      'git-too-old',
    ],
    'says nothing': ['#!/bin/sh\n', 'git-missing'],
    crashes: ['#!/bin/sh\nkill -SEGV $$\n', 'git-failed'],
  };
  for (const [name, [script, code]] of Object.entries(BROKEN))
    test(`${name} is a trouble with that name, until it is mended`, async () => {
      const before = said(host);
      const early = await remote.publish(say(`not with a git that ${name}`));
      const ran = await lookWith(script);
      expect([2, 3], ran.stdout + ran.stderr).toContain(ran.code);
      const { trouble, applied } = (await host.status()).repos[0]!;
      expect(trouble?.code).toBe(code);
      expect(trouble?.message).toMatch(/^\S.{10,}/);
      expect(applied).not.toBe(early);
      expect(said(host)).toEqual(before);
      await expectHealed(name, () => {});
    });

  test('is replaced in the middle of a look is missed there, and found by the next', async () => {
    for (const word of ['fetch', 'merge-base', 'diff-tree', 'read-tree', 'ls-tree']) {
      const before = said(host);
      const commit = await remote.publish(say(`without ${word}`));
      const self = '$(dirname "$0")/git';
      const ran = await lookWith(
        `#!/bin/sh\ncase " $* " in *" ${word} "*) rm "${self}"; echo "git: not found" >&2; exit 127;; esac\nexec ${realProgram('git')} "$@"\n`,
      );
      expect([0, 2, 3], `${word}: ${ran.stdout}${ran.stderr}`).toContain(ran.code);
      const next = await host.look();
      expect(next, word + next.stdout + next.stderr).toMatchObject({ code: 0 });
      expect((await host.status()).repos[0]).toMatchObject({ applied: commit, trouble: null });
      expect(said(host)).toEqual([...before, `without ${word}`]);
    }
    await host.expectNoLeaks();
  });
});

function realProgram(name: string): string {
  for (const folder of (process.env.PATH ?? '').split(':'))
    if (existsSync(join(folder, name))) return join(folder, name);
  throw new Error(`no ${name} on the PATH`);
}

test('what remains is a repository that git itself finds in order', async () => {
  expect(await git(['--git-dir', clone(), 'fsck', '--connectivity-only', '--no-dangling'])).not.toMatch(
    /error|missing/,
  );
});
