/** Many who want the same, and too many at once. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatPacket } from '../../src/git/pkt-line.ts';
import { git } from '../support/git.ts';
import { startHub, type TestHub } from '../support/hub.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

/**
 * A git that notes each start, and waits before it packs for as long as a file `hold` is there. Only `pack-objects` is held: what is
 * advertised and listed goes its way.
 */
const temp = tempFolder('slow-git');
const notes = join(temp.path, 'notes');
const hold = join(temp.path, 'hold');
const pathBefore = process.env.PATH;

beforeAll(async () => {
  const real = join((await git(['--exec-path'])).trim(), 'git');
  mkdirSync(join(temp.path, 'bin'));
  writeFileSync(
    join(temp.path, 'bin/git'),
    `#!/bin/sh
case "$*" in
*advertise-refs*) exec ${real} "$@" ;;
*upload-pack*)
  cat >"${temp.path}/body.$$"
  if grep -q command=fetch "${temp.path}/body.$$"; then
    if grep -q 'have ' "${temp.path}/body.$$"; then echo fetch >>${notes}; else
      echo clone >>${notes}
      while [ -e ${hold} ]; do sleep 0.02; done
    fi
  fi
  exec ${real} "$@" <"${temp.path}/body.$$" ;;
*) exec ${real} "$@" ;;
esac
`,
    { mode: 0o755 },
  );
  process.env.PATH = `${join(temp.path, 'bin')}:${pathBefore}`;
});
afterAll(() => {
  process.env.PATH = pathBefore;
  temp[Symbol.dispose]();
});

const started = (kind: string) => readNotes().filter((line) => line === kind).length;
function readNotes(): string[] {
  try {
    return readFileSync(notes, 'utf8').split('\n');
  } catch {
    return [];
  }
}

async function createRepository(hub: TestHub, bytes = 1_000): Promise<string> {
  await hub.createRepository('it');
  const work = join(hub.folder, 'work');
  await git(['init', '--quiet', '--initial-branch=main', work]);
  writeFileSync(join(work, 'file'), randomBytes(bytes));
  await git(['add', '.'], { cwd: work });
  await git(['commit', '--quiet', '-m', 'one'], { cwd: work });
  await git(['push', '--quiet', join(hub.repos, 'it.git'), 'main'], { cwd: work });
  writeFileSync(notes, '');
  return work;
}

function fetchBody(want: string, haves: readonly string[] = [], agent = 'test'): string {
  return [
    formatPacket('command=fetch'),
    formatPacket(`agent=${agent}`),
    '0001',
    formatPacket('no-progress'),
    formatPacket(`want ${want}\n`),
    ...haves.map((id) => formatPacket(`have ${id}\n`)),
    formatPacket('done\n'),
    '0000',
  ].join('');
}

function post(hub: TestHub, body: string, signal?: AbortSignal): Promise<Response> {
  return fetch(hub.url('it.git/git-upload-pack'), {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-git-upload-pack-request', 'Git-Protocol': 'version=2' },
    body,
    ...(signal === undefined ? {} : { signal }),
  });
}

test.each([
  ['from memory', 1_000, undefined],
  ['through a file', 3_000_000, undefined],
  ['as it comes, when nothing may be kept', 3_000_000, { memoryMaxBytes: 0, diskMaxBytes: 0 }],
])('a herd costs one pack: %s', async (_, bytes, cache) => {
  await using hub = await startHub(cache === undefined ? {} : { cache });
  const work = await createRepository(hub, bytes);
  const want = await git(['rev-parse', 'main'], { cwd: work });
  writeFileSync(hold, '');
  const asked = Array.from({ length: 20 }, () => post(hub, fetchBody(want)));
  await until(() => started('clone') > 0, { what: 'the pack to be begun' });
  unlinkSync(hold);
  const packs = await Promise.all(asked.map(async (one) => Buffer.from(await (await one).arrayBuffer())));
  expect(packs[0]!.length).toBeGreaterThan(bytes);
  expect(packs.every((pack) => pack.equals(packs[0]!))).toBe(true);
  expect(started('clone')).toBe(1);
  if (cache === undefined) {
    // And whoever comes later.
    const later = Buffer.from(await (await post(hub, fetchBody(want))).arrayBuffer());
    expect(later.equals(packs[0]!)).toBe(true);
    expect(started('clone')).toBe(1);
  }
  const kept = join(hub.repos, '.pullyu-hub/answers');
  expect(bytes > 1_000 ? readdirSync(kept) : []).toEqual([]);
});

test('real clones at the same time share a pack, and a push makes a new one', async () => {
  await using hub = await startHub();
  const work = await createRepository(hub);
  const clone = (n: number | string) =>
    git(['clone', '--quiet', hub.url('it.git'), join(hub.folder, `clone-${n}`)]);
  await Promise.all([1, 2, 3, 4].map(clone));
  expect(started('clone')).toBe(1);
  await git(['commit', '--quiet', '--allow-empty', '-m', 'two'], { cwd: work });
  await git(['push', '--quiet', hub.url('it.git', hub.token()), 'main'], { cwd: work });
  await Promise.all(['a', 'b'].map(clone));
  expect(started('clone')).toBe(2);
  expect(await git(['rev-parse', 'HEAD'], { cwd: join(hub.folder, 'clone-a') })).toBe(
    await git(['rev-parse', 'HEAD'], { cwd: work }),
  );
});

test('probes and fetches of what is new are not stuck behind first clones; one clone too many is told to come again', async () => {
  const lane = { running: 1, waiting: 1, waitMs: 60_000 };
  await using hub = await startHub({ lanes: { clone: lane, fetch: lane, push: lane } });
  const work = await createRepository(hub);
  const first = await git(['rev-parse', 'main'], { cwd: work });
  await git(['commit', '--quiet', '--allow-empty', '-m', 'two'], { cwd: work });
  await git(['push', '--quiet', join(hub.repos, 'it.git'), 'main'], { cwd: work });
  const second = await git(['rev-parse', 'main'], { cwd: work });
  writeFileSync(hold, '');
  // Different words make them different questions.
  const running = post(hub, fetchBody(second, [], 'one'));
  await until(() => started('clone') === 1, { what: 'the first clone to begin' });
  const waiting = post(hub, fetchBody(second, [], 'two'));
  const turnedAway = await until(async () => {
    const answer = await post(
      hub,
      fetchBody(second, [], `more-${Math.random()}`),
      AbortSignal.timeout(2_000),
    );
    return answer.status === 503 ? answer : null;
  });
  expect(Number(turnedAway.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await turnedAway.text()).toContain('try again');
  expect(await git(['ls-remote', hub.url('it.git'), 'main'])).toContain(second);
  const incremental = await post(hub, fetchBody(second, [first]));
  expect(incremental.status).toBe(200);
  await incremental.arrayBuffer();
  expect(started('fetch')).toBe(1);
  expect(started('clone')).toBe(1);
  unlinkSync(hold);
  for (const one of [running, waiting]) expect((await one).status).toBe(200);
  expect(hub.events).toContainEqual({ type: 'busy', repository: 'it', lane: 'clone' });
});

test('a clone that nobody waits for any more ends, and gives its place back', async () => {
  const lane = { running: 1, waiting: 1, waitMs: 60_000 };
  await using hub = await startHub({ lanes: { clone: lane, fetch: lane, push: lane } });
  const work = await createRepository(hub);
  const want = await git(['rev-parse', 'main'], { cwd: work });
  writeFileSync(hold, '');
  const leaving = new AbortController();
  const gone = post(hub, fetchBody(want), leaving.signal).catch(() => 'gone');
  await until(() => started('clone') === 1, { what: 'the clone to begin' });
  leaving.abort();
  expect(await gone).toBe('gone');
  unlinkSync(hold);
  expect((await post(hub, fetchBody(want, [], 'next'))).status).toBe(200);
});
