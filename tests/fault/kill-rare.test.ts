/** SIGKILL in the middle of what happens seldom: bootstrap, a first clone, its replacement, compaction, a request of the operator. */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatJournal } from '../../src/journal/compact.ts';
import { openJournal } from '../../src/journal/open.ts';
import { readJournal } from '../../src/journal/read.ts';
import { formatRecord } from '../../src/journal/record.ts';
import type { CommitId, RunId } from '../../src/model/ids.ts';
import { type Fault, faultEnvironment, killAfter, killBefore, tear } from '../support/fault.ts';
import { createHost, type TestHost } from '../support/host.ts';
import { createKilledHost, type KilledHost } from '../support/killed-host.ts';
import { commitOfTree } from '../support/tree.ts';

let world: KilledHost;

beforeAll(async () => {
  world = await createKilledHost();
  expect((await world.host.look()).code).toBe(0);
});

afterAll(() => world?.[Symbol.asyncDispose]());

const killed = (host: TestHost, args: readonly string[], fault: Fault) =>
  host.run(args, { env: faultEnvironment(host.root, { fault }) });

describe('a bootstrap that is killed when', () => {
  const STEPS: readonly (readonly [string, Fault])[] = [
    ['the host has its id', killAfter('rename host-id')],
    ['half of host.yaml is written', tear('write etc/pullyu/host.yaml.*.tmp')],
    ['host.yaml is written', killAfter('rename etc/pullyu/host.yaml')],
    ['the journal is there', killAfter('rename journal.log')],
    ['the clone is being fetched', killAfter('spawn git fetch')],
    ['the clone is complete, in its other name', killBefore('rename repos/it/clone.git')],
    ['the first tree is complete', killBefore('rename repos/it/current')],
  ];
  for (const [when, fault] of STEPS) {
    test(`${when} is finished by the next look, or by the next bootstrap when there was nothing yet`, async () => {
      await using host = createHost();
      const commit = await world.remote.head();
      const bootstrap = ['bootstrap', world.server.url(world.remote.path), '--heartbeat', 'cron'];
      const first = await killed(host, bootstrap, fault);
      expect(first, first.stdout + first.stderr).toMatchObject({ code: null });
      // A host.yaml is there as a whole or not at all.
      const begun = existsSync(host.hostFile);
      const next = await host.run(begun ? ['look'] : bootstrap);
      expect(next, next.stdout + next.stderr).toMatchObject({ code: 0 });
      expect(await commitOfTree(host, world.remote.bare, [commit])).toBe(commit);
      expect((await host.status()).repos[0]).toMatchObject({ applied: commit, trouble: null });
      await host.expectNoLeaks();
      // Once more changes nothing.
      const again = await host.run(bootstrap);
      expect(again, again.stdout + again.stderr).toMatchObject({ code: 0 });
      expect(await host.history()).toHaveLength(3);
      await host.expectNoLeaks();
    });
  }
});

test('the replacement of a damaged clone that is killed at any of its steps is finished by the next look', async () => {
  const steps = [
    killAfter('rename repos/it/clone.replaced'),
    killAfter('spawn git fetch'),
    killBefore('rename repos/it/clone.git.old'),
    killAfter('rename repos/it/clone.git.old'),
    killAfter('rename repos/it/clone.git'),
  ];
  for (const fault of steps) {
    // As after an hour: a clone is not replaced again and again.
    writeFileSync(join(world.host.state, 'repos/it/clone.replaced'), String(Date.now() - 3_600_000));
    writeFileSync(join(world.host.state, 'repos/it/clone.suspect'), 'damaged by a test\n');
    const pushed = await world.push();
    expect((await world.lookWith(fault)).code).toBeNull();
    const next = await world.host.look();
    expect(next, JSON.stringify(fault) + next.stdout + next.stderr).toMatchObject({ code: 0 });
    await world.expectDone(pushed);
  }
});

test('a journal that is killed in its compaction is the old one or the new one', async () => {
  const file = join(world.host.state, 'journal.log');
  for (const fault of [
    killAfter('create journal.log.*.tmp'),
    tear('write journal.log.*.tmp'),
    killBefore('rename journal.log'),
    killAfter('rename journal.log'),
  ]) {
    const before = readJournal(file);
    growJournal(file);
    const large = statSync(file).size;
    const pushed = await world.push();
    expect((await world.lookWith(fault)).code).toBeNull();
    const found = readJournal(file);
    expect(found.applied('it')).toBe(pushed.commit);
    expect(found.memory().size).toBe(before.memory().size);
    const next = await world.push();
    expect((await world.host.look()).code).toBe(0);
    expect(statSync(file).size).toBeLessThan(large / 2);
    await world.expectDone(next);
  }
});

/** Adds runs of one action until the file is larger than what is compacted. */
function growJournal(file: string): void {
  const journal = openJournal(file, { now: Date.now });
  journal.close();
  const known = readJournal(file);
  const old = known.runs().at(-1)!;
  const pieces: string[] = [];
  for (let n = 0, bytes = 0; bytes < 4.5 * 1024 * 1024; n += 1) {
    const id = `20200101T000000.000-${String(n).padStart(6, '0')}` as RunId;
    const started = formatRecord({ type: 'started', intent: { ...old.intent, action: 'again', id } }, 0);
    const finished = formatRecord(
      { type: 'finished', result: { id, outcome: 'ok', exitCode: 0, signal: null, endedAt: 1, note: null } },
      0,
    );
    pieces.push(started, finished);
    bytes += started.length + finished.length;
  }
  // What is remembered of the real runs comes last and counts.
  const records = [];
  for (const run of known.runs().reverse()) {
    records.push({ type: 'started', intent: run.intent } as const);
    if (run.result !== null) records.push({ type: 'finished', result: run.result } as const);
  }
  records.push({ type: 'target', repo: 'it', commit: known.target('it')!, remote: 'x' } as const);
  records.push({ type: 'applied', repo: 'it', commit: known.applied('it') as CommitId } as const);
  const header = formatJournal([], 0);
  writeFileSync(file, header + pieces.join('') + records.map((record) => formatRecord(record, 0)).join(''));
}

describe('a request of the operator that is killed when', () => {
  test('it lies in the inbox is carried out by the next look', async () => {
    const { host, witness } = world;
    const pushed = await world.push();
    expect((await host.look()).code).toBe(0);
    for (const fault of [
      killAfter('rename inbox/*.json'),
      killAfter('sync journal.log'),
      killBefore('remove inbox/*.json'),
    ]) {
      const begun = witness.of('again', pushed.text).length;
      expect((await killed(host, ['redo', 'again'], fault)).code).toBeNull();
      expect((await host.look()).code).toBe(0);
      expect(witness.of('again', pushed.text)).toHaveLength(begun + 1);
      expect((await host.look()).code).toBe(0);
      expect(witness.of('again', pushed.text)).toHaveLength(begun + 1);
    }
    await host.expectNoLeaks();
  });
});
