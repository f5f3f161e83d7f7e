/**
 * What a host has to tell, over every kind of death: a result that was recorded reaches the status repository once, with the first push
 * that succeeds afterwards. presence.slow.test.ts does the same at every single step.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fault, killAfter, killBefore, tear } from '../support/fault.ts';
import { killAtRandom } from '../support/random-kills.ts';
import { createToldHost, type ToldHost } from '../support/told-host.ts';

const OWN = 'status/own.json';
const BOX = 'status/outbox/*.json';
const LEDGER = 'status/*/own-host-1.json';
const DELIVERY = 'status/delivery-git.json';
/** Of the journal: the target, and an intent and a result for each of three actions. */
const RESULT = 3;
const LAST_RESULT = 7;

/** A look writes the ledger before the push and after it. */
const STEPS: readonly (readonly [string, Fault])[] = [
  ['a result is in the journal and nowhere else', killAfter('sync journal.log', RESULT)],
  ['the last result is in the journal and nowhere else', killAfter('sync journal.log', LAST_RESULT)],
  ['half of a transition is written', tear(`write ${BOX}.*.tmp`)],
  ['a transition waits, and own.json does not count it', killAfter(`rename ${BOX}`)],
  ['the last transition waits, and own.json does not count it', killAfter(`rename ${BOX}`, 3)],
  ['half of own.json is written', tear(`write ${OWN}.*.tmp`)],
  ['own.json counts it', killAfter(`rename ${OWN}`)],
  ['own.json counts the last', killAfter(`rename ${OWN}`, 3)],
  ['the push is about to begin', killAfter(`rename ${LEDGER}`, 1)],
  ['the push is done, and nobody has written that down', killBefore(`create ${LEDGER}.*.tmp`, 2)],
  ['the push is written down, and not that it was delivered', killAfter(`rename ${LEDGER}`, 2)],
  ['half of what was delivered is written', tear(`write ${DELIVERY}.*.tmp`)],
  ['what was delivered is written, and still lies there', killAfter(`rename ${DELIVERY}`)],
  ['some of what was delivered is removed', killAfter(`remove ${BOX}`, 2)],
];

let world: ToldHost;

beforeAll(async () => {
  world = await createToldHost();
  expect((await world.host.look()).code).toBe(0);
  await world.expectTold();
});

afterAll(() => world?.[Symbol.asyncDispose]());

describe('a host that is killed when', () => {
  for (const [when, fault] of STEPS) {
    test(`${when} tells everything once`, async () => {
      const pushed = await world.push();
      const killed = await world.lookWith(fault);
      expect(killed, killed.stdout + killed.stderr).toMatchObject({ code: null });
      const next = await world.host.look();
      expect(next, next.stdout + next.stderr).toMatchObject({ code: 0 });
      await world.expectDone(pushed);
    });
  }
});

test('ten kills at random moments, of the agent, its children or everything: all is told once', () =>
  killAtRandom(world, 10));
