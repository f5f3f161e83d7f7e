import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exampleAction } from './example-values.ts';
import { orderActions } from './order.ts';

const named = (name: string, after: string[] = []) => exampleAction({ name, after });
const names = (actions: ReturnType<typeof orderActions>) => actions.map((action) => action.name);

test('actions keep the order of declaration, each after those that it names', () => {
  expect(names(orderActions([named('a', ['c']), named('b'), named('c')]))).toEqual(['c', 'a', 'b']);
  expect(names(orderActions([named('a'), named('b', ['a', 'nobody']), named('c')]))).toEqual(['a', 'b', 'c']);
});

test('of a convention, init comes before work', () => {
  const work = exampleAction({ name: 'work', origin: 'convention', on: [{ type: 'look' }] });
  const init = exampleAction({ name: 'init', origin: 'convention', on: [{ type: 'bootstrap' }] });
  expect(names(orderActions([work, init]))).toEqual(['init', 'work']);
});

test('every action comes once, in any tangle, and after all that it names when there is no circle', () => {
  const pool = ['a', 'b', 'c', 'd', 'e', 'f'];
  const tangle = fc.tuple(
    fc.shuffledSubarray(pool),
    fc.array(fc.subarray(pool), { minLength: 6, maxLength: 6 }),
  );
  fc.assert(
    fc.property(tangle, ([declared, afters]) => {
      const actions = declared.map((name, i) => named(name, afters[i] ?? []));
      expect([...names(orderActions(actions))].sort()).toEqual([...declared].sort());
      const straight = actions.map((one) => ({ ...one, after: one.after.filter((name) => name < one.name) }));
      const order = names(orderActions(straight));
      for (const one of straight) {
        for (const name of one.after.filter((other) => order.includes(other))) {
          expect(order.indexOf(name)).toBeLessThan(order.indexOf(one.name));
        }
      }
    }),
  );
});
