/**
 * SIGKILL of the agent at the steps of a look that matter most: the next look completes, and nothing that ended is repeated.
 * kill.slow.test.ts does the same at every single step.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fault, killAfter, killBefore, tear } from '../support/fault.ts';
import { createKilledHost, type KilledHost } from '../support/killed-host.ts';

/** A look of three actions writes to the journal: the target, an intent and a result of each, and what was applied. */
const TARGET = 1;
const INTENT = 2;
const RESULT = 3;
const APPLIED = 8;

const STEPS: readonly (readonly [string, Fault])[] = [
  ['the lock was taken', killAfter('write lock')],
  ['the remote was asked', killBefore('spawn git version')],
  ['the fetch was begun', killAfter('spawn git fetch')],
  ['the tree was looked through', killAfter('rename repos/it/clone.git/pullyu-scan')],
  ['half of the record of the target is written', tear('write journal.log', TARGET)],
  ['the target is recorded', killAfter('sync journal.log', TARGET)],
  ['the spare slot is marked as being built', killAfter('rename repos/it/trees.json', 1)],
  ['the files of the slot are being written', killAfter('spawn git read-tree')],
  ['the slot is complete', killAfter('rename repos/it/trees.json', 2)],
  ['the new link lies beside the old one', killAfter('link repos/it/current.new')],
  ['the link was replaced', killAfter('rename repos/it/current')],
  ['the folder of a run is reserved', killAfter('mkdir runs/*')],
  ['half of an intent is written', tear('write journal.log', INTENT)],
  ['the intent is recorded', killAfter('sync journal.log', INTENT)],
  ['the shim was started', killAfter('spawn shim')],
  ['the action is over, its result is not recorded', killBefore('write journal.log', RESULT)],
  ['the result is recorded', killAfter('sync journal.log', RESULT)],
  ['all is done and not yet recorded as applied', killBefore('write journal.log', APPLIED)],
  ['the commit is recorded as applied', killAfter('sync journal.log', APPLIED)],
  ['the state is written', killAfter('rename state.json')],
  ['an old run folder was removed', killAfter('remove runs/*')],
];

describe('an agent that is killed when', () => {
  let world: KilledHost;

  beforeAll(async () => {
    world = await createKilledHost();
    // A few looks: both slots are there, and old run folders to be removed.
    for (let n = 0; n < 3; n += 1) {
      await world.push();
      expect((await world.host.look()).code).toBe(0);
    }
  });

  afterAll(() => world?.[Symbol.asyncDispose]());

  for (const [when, fault] of STEPS) {
    test(`${when} is made good for by the next look`, async () => {
      const pushed = await world.push();
      const killed = await world.lookWith(fault);
      expect(killed, killed.stdout + killed.stderr).toMatchObject({ code: null });
      await world.expectWholeTree();
      const next = await world.host.look();
      expect(next, next.stdout + next.stderr).toMatchObject({ code: 0 });
      await world.expectDone(pushed);
    });
  }
});
