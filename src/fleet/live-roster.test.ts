import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ExpectedHost, Presence } from '../model/presence.ts';
import { AT, somePresence } from '../presence/presence.testing.ts';
import type { Judged } from './judged.ts';
import { createRosterMemo } from './live-roster.ts';
import { pictureFleet } from './picture-fleet.ts';
import { rosterOf } from './roster.ts';

const MINUTE = 60_000;

function judged(host: string, more: Partial<Presence> = {}, of: Partial<Judged> = {}): Judged {
  const presence = somePresence({ host, ...more });
  return { host, presence, trust: 'unlisted', why: null, lastContactAt: AT, contenders: [], ...of };
}

test('a member that did not change is the same object, and silence comes with time alone', () => {
  const memo = createRosterMemo();
  const [db, web] = [judged('db-1', { heartbeatMs: MINUTE }), judged('web-1', { heartbeatMs: 9 * MINUTE })];
  const first = memo.of([web, db], { expected: null, now: AT });
  expect(first.members.map(({ name }) => name)).toEqual(['db-1', 'web-1']);
  expect(first.fastestMs).toBe(MINUTE);
  const moved = judged('web-1', { heartbeatMs: 9 * MINUTE, state: 'busy' });
  const second = memo.of([moved, db], { expected: null, now: AT + MINUTE });
  expect(second.members[0]).toBe(first.members[0]);
  expect(second.members[1]).toMatchObject({ name: 'web-1', state: 'busy' });
  const later = memo.of([moved, db], { expected: null, now: AT + 4 * MINUTE });
  expect(later.members).toEqual([second.members[1]]);
});

test('whatever changes, it is the roster of the whole picture', () => {
  const lists: (readonly ExpectedHost[] | null)[] = [
    null,
    [{ name: 'web-1', labels: { part: 'listed' }, keys: [] }],
  ];
  const change = fc.record({
    host: fc.constantFrom('web-1', 'web-2', 'web-3', 'web-10'),
    kind: fc.constantFrom('beat', 'beat', 'gone', 'forged'),
    minutes: fc.integer({ min: -1, max: 5 }),
    list: fc.constantFrom(0, 0, 0, 1),
    twice: fc.constantFrom(false, false, false, true),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 15 }), (changes) => {
      const memo = createRosterMemo();
      let all = new Map([['web-2', judged('web-2', { heartbeatMs: MINUTE })]]);
      let now = AT;
      for (const { host, kind, minutes, list, twice } of changes) {
        now += minutes * MINUTE;
        all = new Map(all);
        if (kind === 'gone') all.delete(host);
        else {
          const of = { lastContactAt: now, trust: kind === 'beat' ? 'unlisted' : 'forged' } as const;
          all.set(host, judged(host, { heartbeatMs: MINUTE }, of));
        }
        const found = [...all.values(), ...(twice ? [...all.values()].slice(0, 1) : [])];
        const o = { expected: lists[list]!, now };
        expect(memo.of(found, o).members).toEqual(rosterOf(pictureFleet(found, o)));
      }
    }),
  );
});
