/** What the hub answers from memory is what git answers, byte for byte: on random refs, and after every kind of change. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatPacket } from '../../src/git/pkt-line.ts';
import { HUB_LIMITS } from '../../src/hub/hub-context.ts';
import { createRepositories, type Repositories } from '../../src/hub/repositories.ts';
import type { Repository } from '../../src/hub/repository.ts';
import { systemClock } from '../../src/system/clock.ts';
import { git, gitEnvironment } from '../support/git.ts';
import { startHub } from '../support/hub.ts';
import { tempFolder } from '../support/temp.ts';

const SERVE = ['-c', 'uploadpack.allowFilter=true', '-c', 'uploadpack.allowAnySHA1InWant=true'];

/** Real git, asked the same question. */
function askGit(bare: string, body: string | null, version: number, service = 'upload-pack'): Buffer {
  const advertise = body === null ? ['--advertise-refs'] : [];
  return execFileSync('git', [...SERVE, service, '--stateless-rpc', ...advertise, bare], {
    env: { ...gitEnvironment, GIT_PROTOCOL: `version=${version}` },
    input: body ?? '',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
}

function question(o: { words: readonly string[]; prefixes: readonly string[]; format?: string }): string {
  return [
    formatPacket('command=ls-refs\n'),
    formatPacket('agent=git/2.39.5'),
    formatPacket(`object-format=${o.format ?? 'sha1'}`),
    '0001',
    ...o.words.map((word) => formatPacket(`${word}\n`)),
    ...o.prefixes.map((prefix) => formatPacket(`ref-prefix ${prefix}\n`)),
    '0000',
  ].join('');
}

async function askUs(repository: Repository, body: string): Promise<Buffer> {
  const answer = await repository.readRefs(Buffer.from(body));
  if (answer === 'git') throw new Error('expected an answer from memory');
  return answer;
}

function find(all: Repositories, name: string): Repository {
  const found = all.find(name);
  if (found === null || typeof found === 'string') throw new Error(`expected a repository, found ${found}`);
  return found;
}

const EVERYTHING = question({ words: ['peel', 'symrefs', 'unborn'], prefixes: [] });

const component = fc
  .string({ unit: fc.constantFrom('a', 'b', 'z', '1', '-', 'é', '_'), minLength: 1, maxLength: 3 })
  .filter((text) => !text.startsWith('-'));
const shortName = fc.array(component, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const refName = fc
  .tuple(fc.constantFrom('refs/heads', 'refs/tags', 'refs/notes', 'refs/odd/place'), shortName)
  .map(([folder, name]) => `${folder}/${name}`);
const refs = fc.array(fc.tuple(refName, fc.constantFrom('commit', 'tag', 'tag-of-tag', 'tree')), {
  maxLength: 14,
});
const head = fc.constantFrom('refs/heads/main', 'refs/heads/a', 'refs/heads/never', 'detached');
const words = fc.subarray(['peel', 'symrefs', 'unborn']);
const prefixes = fc.array(
  fc.oneof(
    refName,
    fc.constantFrom('HEAD', 'H', 'refs/', 'refs/heads/', 'refs/tags/', 'refs/heads/a', '', 'x', 'refs'),
  ),
  { maxLength: 5 },
);

test('random refs: the list, its parts, and the advertisements', async () => {
  using temp = tempFolder('exact');
  const bare = join(temp.path, 'it.git');
  await git(['init', '--quiet', '--bare', '--initial-branch=main', bare]);
  const tree = await git(['hash-object', '-t', 'tree', '-w', '--stdin'], { cwd: bare });
  const commit = await git(['commit-tree', tree, '-m', 'one'], { cwd: bare });
  const mktag = (object: string, type: string) =>
    git(['mktag'], {
      cwd: bare,
      input: `object ${object}\ntype ${type}\ntag t\ntagger A <a@b> 1700000000 +0000\n\nt\n`,
    });
  const tag = await mktag(commit, 'commit');
  const ids = { commit, tag, 'tag-of-tag': await mktag(tag, 'tag'), tree };
  const repositories = createRepositories(temp.path, { clock: systemClock, limits: HUB_LIMITS.git });
  const repository = find(repositories, 'it');
  await fc.assert(
    fc.asyncProperty(
      refs,
      head,
      fc.boolean(),
      fc.array(fc.tuple(words, prefixes), { minLength: 3, maxLength: 3 }),
      async (wanted, headIs, isPacked, questions) => {
        await replaceRefs(
          bare,
          wanted.map(([name, kind]) => [name, ids[kind as keyof typeof ids]]),
          headIs,
          commit,
        );
        if (isPacked) await git(['pack-refs', '--all'], { cwd: bare });
        for (const [asked, only] of [[['peel', 'symrefs', 'unborn'], []] as const, ...questions]) {
          const body = question({ words: asked, prefixes: only });
          const ours = await askUs(repository, body);
          expect(ours.toString('latin1')).toBe(askGit(bare, body, 2).toString('latin1'));
        }
        for (const version of [0, 1, 2] as const) {
          const ours = (await repository.advertise('git-upload-pack', version)).toString('latin1');
          const theirs = askGit(bare, null, version).toString('latin1');
          expect(ours).toBe(version === 2 ? theirs : `001e# service=git-upload-pack\n0000${theirs}`);
        }
      },
    ),
    { numRuns: 15 },
  );
});

/** Removes all, then makes these. Names that cannot stand beside each other (`a` and `a/b`) are left out by git itself. */
async function replaceRefs(
  bare: string,
  wanted: readonly (readonly [string, string])[],
  headIs: string,
  commit: string,
): Promise<void> {
  rmSync(join(bare, 'refs'), { recursive: true });
  rmSync(join(bare, 'packed-refs'), { force: true });
  mkdirSync(join(bare, 'refs/heads'), { recursive: true });
  const made = new Set<string>();
  const lines: string[] = [];
  for (const [name, id] of wanted) {
    const clashes = [...made].some(
      (one) => one === name || one.startsWith(`${name}/`) || name.startsWith(`${one}/`),
    );
    if (clashes || (name.startsWith('refs/heads/') && id !== commit)) continue;
    made.add(name);
    lines.push(`create ${name} ${id}\n`);
  }
  await git(['update-ref', '--stdin'], { cwd: bare, input: lines.join('') });
  // A symbolic ref, and one that leads to nothing.
  if (!made.has('refs/odd')) {
    await git(
      ['symbolic-ref', 'refs/symbolic/one', lines.length > 0 ? lines[0]!.split(' ')[1]! : 'refs/none'],
      { cwd: bare },
    );
  }
  const text = headIs === 'detached' ? commit : `ref: ${headIs}`;
  writeFileSync(join(bare, 'HEAD'), `${text}\n`);
}

test('whatever changes refs behind its back is noticed', async () => {
  await using hub = await startHub();
  const bare = await hub.createRepository('it');
  const tree = await git(['hash-object', '-t', 'tree', '-w', '--stdin'], { cwd: bare });
  const commits = await Promise.all(
    ['1', '2', '3'].map((message) => git(['commit-tree', tree, '-m', message], { cwd: bare })),
  );
  const repository = find(
    createRepositories(hub.repos, { clock: systemClock, limits: HUB_LIMITS.git }),
    'it',
  );
  const changes: [string, () => unknown][] = [
    ['a new branch', () => git(['update-ref', 'refs/heads/main', commits[0]!], { cwd: bare })],
    ['a moved branch', () => git(['update-ref', 'refs/heads/main', commits[1]!], { cwd: bare })],
    ['a branch in a new folder', () => git(['update-ref', 'refs/heads/a/b/c', commits[1]!], { cwd: bare })],
    ['another one in that folder', () => git(['update-ref', 'refs/heads/a/b/d', commits[1]!], { cwd: bare })],
    ['packed refs', () => git(['pack-refs', '--all', '--prune'], { cwd: bare })],
    [
      'a moved branch that was packed',
      () => git(['update-ref', 'refs/heads/a/b/c', commits[2]!], { cwd: bare }),
    ],
    ['a removed branch that was packed', () => git(['update-ref', '-d', 'refs/heads/a/b/d'], { cwd: bare })],
    ['another HEAD', () => git(['symbolic-ref', 'HEAD', 'refs/heads/a/b/c'], { cwd: bare })],
    ['hidden refs', () => appendFileSync(join(bare, 'config'), '[uploadpack]\n\thideRefs = refs/heads/a\n')],
    [
      'a push by another way',
      () => git(['push', '--quiet', bare, `${commits[2]}:refs/heads/pushed`], { cwd: bare }),
    ],
  ];
  for (const [what, change] of changes) {
    const before = (await askUs(repository, EVERYTHING)).toString();
    await change();
    const expected = askGit(bare, EVERYTHING, 2).toString();
    if (what !== 'packed refs') expect(expected, what).not.toBe(before);
    expect((await askUs(repository, EVERYTHING)).toString(), what).toBe(expected);
  }
});

test('two changes within one tick of the clock are two', async () => {
  using temp = tempFolder('tick');
  const bare = join(temp.path, 'it.git');
  await git(['init', '--quiet', '--bare', bare]);
  const tree = await git(['hash-object', '-t', 'tree', '-w', '--stdin'], { cwd: bare });
  const repository = find(
    createRepositories(temp.path, { clock: systemClock, limits: HUB_LIMITS.git }),
    'it',
  );
  for (let n = 0; n < 8; n += 1) {
    const [one, two] = await Promise.all(
      [`a${n}`, `b${n}`].map((message) => git(['commit-tree', tree, '-m', message], { cwd: bare })),
    );
    await git(['update-ref', 'refs/heads/main', one!], { cwd: bare });
    await askUs(repository, EVERYTHING);
    await git(['update-ref', 'refs/heads/main', two!], { cwd: bare });
    expect((await askUs(repository, EVERYTHING)).toString()).toContain(two);
  }
});

test('a repository that keeps its refs in another way is refused by name', async () => {
  await using hub = await startHub();
  const bare = await hub.createRepository('it');
  await git(['config', 'core.repositoryFormatVersion', '1'], { cwd: bare });
  await git(['config', 'extensions.refStorage', 'reftable'], { cwd: bare });
  const answer = await fetch(hub.url('it.git/info/refs?service=git-upload-pack'));
  expect({ status: answer.status, text: await answer.text() }).toEqual({
    status: 501,
    text: expect.stringContaining('"reftable"'),
  });
});
